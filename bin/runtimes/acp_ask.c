/* acp_ask.c - what the agent asks: leave to do something, files */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "acp.h"
#include "acp_files.h"
#include "clock.h"
#include "err.h"
#include "xalloc.h"

#define ASKS_MAX 64 /* open questions of a turn; more are refused */

static const char *const kinds[4] = { "allow_once", "allow_always", "reject_once", "reject_always" };

/* ---- what a person decides */

void
asked_outcome(struct asked *asked, const char *option)
{
	struct buf result = BUF_INIT;

	if (!asked->id.len)
		return;
	if (option) {
		buf_addstr(&result, "{\"outcome\":{\"outcome\":\"selected\"");
		jtext_add_text(&result, "optionId", option);
		buf_addstr(&result, "}}");
	} else
		buf_addstr(&result, "{\"outcome\":{\"outcome\":\"cancelled\"}}");
	acp_respond(asked->talk->acp, asked->id.s, result.s);
	buf_reset(&asked->id);
	buf_release(&result);
}

static const char *
option_of(const struct asked *asked, int first, int second)
{
	return asked->options[first].len ? asked->options[first].s : asked->options[second].len ? asked->options[second].s : NULL;
}

static void
asked_free(struct asked *asked)
{
	struct asked **at = &asked->talk->asked;
	size_t i;

	while (*at && *at != asked)
		at = &(*at)->next;
	if (*at) {
		*at = asked->next;
		asked->talk->n_asked--;
	}
	for (i = 0; i < 4; i++)
		buf_release(&asked->options[i]);
	buf_release(&asked->id);
	free(asked);
}

static void
decline(struct asked *asked)
{
	tool_end(asked->talk, &asked->talk->tools[asked->tool], "declined");
	asked_outcome(asked, option_of(asked, REJECT_ONCE, REJECT_ALWAYS));
}

static void
on_answered(struct serve_turn *turn, struct span result, void *payload)
{
	struct asked *asked = payload;
	struct talk *talk = asked->talk;
	struct span decision;

	if (!asked->id.len)
		; /* it was told already: the turn was interrupted */
	else if (!result.n || !jtext_get(result, "decision", &decision))
		decline(asked);
	else if (jtext_is_string(decision, "accept"))
		asked_outcome(asked, option_of(asked, ALLOW_ONCE, ALLOW_ALWAYS));
	else if (jtext_is_string(decision, "acceptForSession"))
		asked_outcome(asked, option_of(asked, ALLOW_ALWAYS, ALLOW_ONCE));
	else if (jtext_is_string(decision, "cancel")) {
		tool_end(talk, &talk->tools[asked->tool], "declined");
		turn->interrupted = true;
		talk_cancel(talk);
	} else
		decline(asked);
	asked_free(asked);
}

static void
take_options(struct asked *asked, struct span params)
{
	struct span options, key, option, kind;
	size_t pos = 0, i;

	if (!jtext_get(params, "options", &options) || jtext_type(options) != JTEXT_ARRAY)
		return;
	while (jtext_each(options, &pos, &key, &option))
		for (i = 0; i < 4; i++)
			if (!asked->options[i].len && jtext_get(option, "kind", &kind) && jtext_is_string(kind, kinds[i]))
				jtext_get_string(option, "optionId", &asked->options[i]);
}

static bool
may_do_all(const struct serve_thread *thread)
{
	struct span type, sandbox = { thread->sandbox.s, thread->sandbox.len };

	return jtext_get(sandbox, "type", &type) && jtext_is_string(type, "dangerFullAccess");
}

static bool
may_write(const struct serve_thread *thread)
{
	struct span type, sandbox = { thread->sandbox.s, thread->sandbox.len };

	return may_do_all(thread) || (jtext_get(sandbox, "type", &type) && jtext_is_string(type, "workspaceWrite"));
}

static void
take_permission(struct talk *talk, const char *id, struct span params)
{
	struct serve_turn *turn = talk->turn;
	const struct serve_thread *thread = turn->thread;
	struct tool *tool = NULL;
	struct asked *asked;
	struct buf ask = BUF_INIT, title = BUF_INIT;
	struct span call;
	size_t i;

	if (jtext_get(params, "toolCall", &call))
		tool = tool_take(talk, call);
	if (!tool || talk->n_asked >= ASKS_MAX) {
		acp_respond_error(
		    talk->acp, id, tool ? -32603 : -32602, tool ? "too many questions are open" : "there is no tool call to decide about");
		return;
	}
	asked = xcalloc(1, sizeof *asked);
	asked->talk = talk;
	asked->tool = (size_t)(tool - talk->tools);
	buf_init(&asked->id);
	for (i = 0; i < 4; i++)
		buf_init(&asked->options[i]);
	buf_addstr(&asked->id, id);
	take_options(asked, params);
	asked->next = talk->asked;
	talk->asked = asked;
	talk->n_asked++;
	if (turn->interrupted || !strcmp(thread->approval.s, "never")) {
		/* nobody is to be asked; and nothing here could hold the agent back */
		if (turn->interrupted)
			asked_outcome(asked, NULL);
		else if (may_do_all(thread))
			asked_outcome(asked, option_of(asked, ALLOW_ONCE, ALLOW_ALWAYS));
		else
			decline(asked);
		asked_free(asked);
		return;
	}
	buf_addch(&ask, '{');
	jtext_add_text(&ask, "threadId", thread->id);
	jtext_add_text(&ask, "turnId", turn->id);
	jtext_add_text(&ask, "itemId", tool->item);
	jtext_add_i64(&ask, "startedAtMs", clock_wall_ms());
	if (jtext_get_string(call, "title", &title))
		jtext_add_buf(&ask, "reason", &title);
	if (!tool->patch) {
		jtext_add_buf(&ask, "command", &tool->title);
		jtext_add_buf(&ask, "cwd", &thread->cwd);
	}
	buf_addch(&ask, '}');
	serve_ask(
	    turn, tool->patch ? "item/fileChange/requestApproval" : "item/commandExecution/requestApproval", &ask, on_answered, asked);
	buf_release(&ask);
	buf_release(&title);
}

static void
take_file(struct talk *talk, const char *id, struct span params, bool writes)
{
	const struct serve_thread *thread = talk->turn->thread;
	struct buf path = BUF_INIT, text = BUF_INIT, result = BUF_INIT;
	struct err err = ERR_INIT;
	int64_t line = 1, limit = 0;
	bool ok;

	if (!jtext_get_string(params, "path", &path) || strlen(path.s) != path.len ||
	    (writes && !jtext_get_string(params, "content", &text)))
		acp_respond_error(talk->acp, id, -32602, "path and content must be texts");
	else if (writes && (!may_write(thread) || talk->turn->interrupted))
		acp_respond_error(
		    talk->acp, id, -32603, talk->turn->interrupted ? "the turn is interrupted" : "the sandbox of this thread is read-only");
	else {
		(void)jtext_get_i64(params, "line", &line);
		(void)jtext_get_i64(params, "limit", &limit);
		ok = writes ? acp_file_write(thread->cwd.s, path.s, &text, &err)
			    : acp_file_read(thread->cwd.s, path.s, line, limit, &text, &err);
		buf_addch(&result, '{');
		if (!writes)
			jtext_add_buf(&result, "content", &text);
		buf_addch(&result, '}');
		if (ok)
			acp_respond(talk->acp, id, writes ? "null" : result.s);
		else
			acp_respond_error(talk->acp, id, -32603, err.text);
	}
	buf_release(&path);
	buf_release(&text);
	buf_release(&result);
}

/* The turn at work in the session that the params name. */
struct talk *
talk_of(const struct acp *acp, struct span params)
{
	struct talk *talk;
	struct span name;

	if (jtext_get(params, "sessionId", &name))
		for (talk = acp->talks; talk; talk = talk->next)
			if (talk->state == PROMPTED && jtext_is_string(name, talk->turn->thread->session.s))
				return talk;
	return NULL;
}

void
acp_take_request(struct acp *acp, const char *id, const char *method, struct span params)
{
	struct talk *talk = talk_of(acp, params);
	bool permission = !strcmp(method, "session/request_permission"), writes = !strcmp(method, "fs/write_text_file");

	if (!permission && !writes && strcmp(method, "fs/read_text_file") != 0)
		acp_respond_error(acp, id, -32601, "Method not found");
	else if (!talk)
		acp_respond_error(acp, id, -32602, "no turn is at work in that session");
	else if (permission)
		take_permission(talk, id, params);
	else
		take_file(talk, id, params, writes);
}
