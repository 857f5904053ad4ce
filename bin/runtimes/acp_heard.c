/* acp_heard.c - what the agent answers and tells */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "acp.h"
#include "die.h"
#include "err.h"
#include "utf8.h"

/* ---- what the agent answers */

static void
end_refused(struct talk *talk, const char *what, struct span error)
{
	struct buf message = BUF_INIT, said = BUF_INIT, details = BUF_INIT, why = BUF_INIT;
	struct span data;
	int64_t code = 0;

	(void)jtext_get_i64(error, "code", &code);
	jtext_get_string(error, "message", &said);
	if (jtext_get(error, "data", &data) && jtext_type(data) != JTEXT_NULL)
		jtext_compact(&details, data);
	buf_addf(&message, "the agent refused %s: %s", what, said.len ? said.s : "no reason given");
	/* many say no more than "Internal error" there */
	if (details.len && (jtext_string(data, &why) || jtext_get_string(data, "details", &why)) && why.len)
		buf_addf(&message, " (%s)", why.s);
	if (code == -32000)
		buf_addstr(&message, "; log in with the agent's own command, or give --auth");
	talk_end(talk, message.s,
	    code == -32000			   ? "\"unauthorized\""
		: code == -32602 || code == -32600 ? "\"badRequest\""
						   : INTERNAL,
	    details.len ? details.s : NULL);
	buf_release(&message);
	buf_release(&said);
	buf_release(&details);
	buf_release(&why);
}

static void
take_usage(struct serve_turn *turn, struct span usage)
{
	static const char *const names[4] = { "inputTokens", "cachedReadTokens", "outputTokens", "thoughtTokens" };
	int64_t n;
	size_t i;

	for (i = 0; i < 4; i++)
		if (jtext_get_i64(usage, names[i], &n) && n > 0 && n < INT64_MAX / 4 - turn->usage[i])
			turn->usage[i] += n;
}

static void
take_stop(struct talk *talk, struct span result)
{
	struct buf reason = BUF_INIT, message = BUF_INIT;
	struct span usage;

	if (jtext_get(result, "usage", &usage))
		take_usage(talk->turn, usage);
	jtext_get_string(result, "stopReason", &reason);
	if (!strcmp(reason.s, "cancelled"))
		talk->turn->interrupted = true;
	if (talk->turn->interrupted)
		talk_end(talk, NULL, NULL, NULL);
	else if (strcmp(reason.s, "end_turn") != 0) {
		buf_addf(&message, "the agent stopped: %.100s", reason.len ? reason.s : "no reason given");
		talk_end(talk, message.s, NULL, NULL);
	} else if (talk->steered.len)
		talk_go_on(talk);
	else
		talk_end(talk, NULL, NULL, NULL);
	buf_release(&reason);
	buf_release(&message);
}

static void
all_ready(struct acp *acp)
{
	struct talk *talk, *next;

	acp->ready = true;
	for (talk = acp->talks; talk; talk = next) {
		next = talk->next;
		if (talk->state == WAITS_AGENT)
			talk_open(talk);
	}
}

static void
take_greeting(struct acp *acp, struct span result)
{
	struct buf params = BUF_INIT;
	struct span capabilities, value;
	int64_t version = 0;

	if (!jtext_get_i64(result, "protocolVersion", &version) || version != 1) {
		buf_addf(&acp->dying, "the agent speaks version %lld of the Agent Client Protocol, and this runtime version 1",
		    (long long)version);
		return;
	}
	acp->loads = jtext_get(result, "agentCapabilities", &capabilities) && jtext_get(capabilities, "loadSession", &value) &&
	    jtext_type(value) == JTEXT_TRUE;
	if (!acp->auth) {
		all_ready(acp);
		return;
	}
	buf_addch(&params, '{');
	jtext_add_text(&params, "methodId", acp->auth);
	buf_addch(&params, '}');
	acp_request(acp, NULL, CALL_AUTHENTICATE, &params);
	buf_release(&params);
}

static void
take_session(struct talk *talk, struct span result, bool loaded)
{
	struct serve_thread *thread = talk->turn->thread;
	struct session *session = thread->engine;
	struct buf id = BUF_INIT;

	if (!loaded && (!jtext_get_string(result, "sessionId", &id) || !id.len)) {
		talk_end(talk, "the agent opened a session without an id", INTERNAL, NULL);
		buf_release(&id);
		return;
	}
	session->agent = talk->acp->agent;
	if (!loaded) {
		talk->fresh = true;
		serve_session(thread, id.s, id.len);
	}
	buf_release(&id);
	talk_prompt(talk);
}

static void
acp_take_answer(struct acp *acp, struct span message, int64_t id)
{
	static const char *const whats[] = { "the greeting", "the login", "a session", "the session", "the prompt" };
	struct call **at = &acp->calls, *call;
	struct span result, error;
	struct talk *talk;
	enum call_kind kind;
	bool failed = jtext_get(message, "error", &error) && jtext_type(error) != JTEXT_NULL;

	while ((call = *at) && call->id != id)
		at = &call->next;
	if (!call)
		return;
	*at = call->next;
	kind = call->kind;
	talk = call->talk;
	free(call);
	if (!jtext_get(message, "result", &result))
		result = (struct span){ "{}", 2 };
	if (kind == CALL_INITIALIZE || kind == CALL_AUTHENTICATE) {
		if (failed) {
			while (acp->talks)
				end_refused(acp->talks, whats[kind], error);
			buf_addstr(&acp->dying, "the agent refused the greeting");
		} else if (kind == CALL_INITIALIZE)
			take_greeting(acp, result);
		else
			all_ready(acp);
	} else if (!talk)
		; /* its turn is over */
	else if (failed && kind == CALL_LOAD) {
		serve_session(talk->turn->thread, "", 0);
		talk_open(talk); /* it does not know it any more: a new one */
	} else if (failed && talk->turn->interrupted)
		talk_end(talk, NULL, NULL, NULL);
	else if (failed)
		end_refused(talk, whats[kind], error);
	else if (kind == CALL_PROMPT)
		take_stop(talk, result);
	else
		take_session(talk, result, kind == CALL_LOAD);
}

/* ---- what the agent tells */

static void
take_plan(struct talk *talk, struct span update)
{
	struct span entries, key, entry, status;
	struct buf text = BUF_INIT, params = BUF_INIT;
	char id[SERVE_ID];
	size_t pos = 0;

	if (!jtext_get(update, "entries", &entries) || jtext_type(entries) != JTEXT_ARRAY)
		return;
	while (jtext_each(entries, &pos, &key, &entry)) {
		bool done = jtext_get(entry, "status", &status) && jtext_is_string(status, "completed");

		buf_addstr(&text, done ? "[x] " : "[ ] ");
		jtext_get_string(entry, "content", &text);
		buf_addch(&text, '\n');
	}
	key_uuid(id);
	buf_addch(&params, '{');
	jtext_add_text(&params, "threadId", talk->turn->thread->id);
	jtext_add_text(&params, "turnId", talk->turn->id);
	jtext_add_text(&params, "itemId", id);
	jtext_add_buf(&params, "delta", &text);
	buf_addch(&params, '}');
	serve_notify(talk->acp->serve, "item/plan/delta", &params);
	buf_release(&params);
	buf_release(&text);
}

static void
take_update(struct talk *talk, struct span update)
{
	struct buf text = BUF_INIT;
	struct span kind, content;

	if (!jtext_get(update, "sessionUpdate", &kind))
		return;
	if (jtext_is_string(kind, "agent_message_chunk") || jtext_is_string(kind, "agent_thought_chunk")) {
		if (jtext_get(update, "content", &content) && jtext_get_string(content, "text", &text))
			(jtext_is_string(kind, "agent_message_chunk") ? serve_delta : serve_reasoning)(talk->turn, text.s, text.len);
	} else if (jtext_is_string(kind, "tool_call") || jtext_is_string(kind, "tool_call_update"))
		(void)tool_take(talk, update);
	else if (jtext_is_string(kind, "plan"))
		take_plan(talk, update);
	buf_release(&text);
}

/* ---- a line of the agent */

void
acp_take_line(struct acp *acp, const char *s, size_t n)
{
	struct span message, id = SPAN_NONE, params, update;
	struct buf method = BUF_INIT, text = BUF_INIT;
	struct err err = ERR_INIT;
	struct talk *talk;
	int64_t number;

	if (!jtext_check(s, n, false, &message, &err) || jtext_type(message) != JTEXT_OBJECT) {
		debug("the agent wrote a line that is no message");
		return;
	}
	(void)jtext_get(message, "id", &id);
	if (!jtext_get(message, "params", &params))
		params = (struct span){ "{}", 2 };
	if (jtext_get_string(message, "method", &method)) {
		if (id.n) {
			(void)utf8_repair(&text, id.s, id.n); /* what it gets back is JSON in any case */
			acp_take_request(acp, text.s, method.s, params);
		} else if (!strcmp(method.s, "session/update") && (talk = talk_of(acp, params)) && jtext_get(params, "update", &update))
			take_update(talk, update);
	} else if (id.n && jtext_i64(id, &number))
		acp_take_answer(acp, message, number);
	buf_release(&method);
	buf_release(&text);
}
