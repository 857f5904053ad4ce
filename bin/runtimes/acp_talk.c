/* acp_talk.c - turns: a session is opened, a prompt is sent, and it ends */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "acp.h"
#include "clock.h"
#include "err.h"
#include "xalloc.h"

#define CANCEL_MS 5000	  /* an agent that was told to stop; then it is ended */
#define BEFORE_MAX 65536u /* bytes of what was said before, told to a session that does not know it */

void
talk_end(struct talk *talk, const char *message, const char *info, const char *details)
{
	struct call *call;
	size_t i;

	*talk->prev = talk->next;
	if (talk->next)
		talk->next->prev = talk->prev;
	for (call = talk->acp->calls; call; call = call->next)
		if (call->talk == talk)
			call->talk = NULL;
	for (i = 0; i < talk->n_tools; i++)
		tool_end(talk, &talk->tools[i], "failed");
	serve_end(talk->turn, message, info, details); /* frees what was asked, by on_answered() */
	tools_free(talk);
	buf_release(&talk->steered);
	free(talk);
}

/* ---- sessions and prompts */

void
talk_open(struct talk *talk)
{
	struct acp *acp = talk->acp;
	struct serve_thread *thread = talk->turn->thread;
	struct session *session = thread->engine;
	struct buf params = BUF_INIT;
	bool load = thread->session.len && acp->loads;

	if (thread->session.len && session && session->agent == acp->agent && !strcmp(session->cwd.s, thread->cwd.s)) {
		talk_prompt(talk);
		return;
	}
	if (!session) {
		session = thread->engine = xcalloc(1, sizeof *session);
		buf_init(&session->cwd);
	}
	session->agent = 0;
	buf_reset(&session->cwd);
	buf_add(&session->cwd, thread->cwd.s, thread->cwd.len);
	talk->state = WAITS_SESSION;
	buf_addch(&params, '{');
	jtext_add_buf(&params, "cwd", &thread->cwd);
	jtext_add_raw(&params, "mcpServers", "[]", 2);
	if (load)
		jtext_add_buf(&params, "sessionId", &thread->session);
	buf_addch(&params, '}');
	acp_request(acp, talk, load ? CALL_LOAD : CALL_NEW, &params);
	buf_release(&params);
}

static void
add_block(struct buf *to, const char *s, size_t n)
{
	buf_addstr(to, to->s[to->len - 1] == '[' ? "{\"type\":\"text\"" : ",{\"type\":\"text\"");
	jtext_add_string(to, "text", s, n);
	buf_addch(to, '}');
}

/* What a session that is new has to know: instructions, and what was said before this turn. */
static void
add_before(struct buf *to, const struct serve_thread *thread)
{
	size_t last = thread->n_said ? thread->n_said - 1 : 0, i = last, left = BEFORE_MAX;
	struct buf text = BUF_INIT;

	if (thread->instructions.len)
		add_block(to, thread->instructions.s, thread->instructions.len);
	for (; i > 0 && thread->said[i - 1].text.len <= left; i--)
		left -= thread->said[i - 1].text.len;
	if (i < last) {
		buf_addstr(&text, "What was said before:\n");
		for (; i < last; i++)
			buf_addf(&text, "\n%s: %s\n", thread->said[i].role, thread->said[i].text.s);
		add_block(to, text.s, text.len);
	}
	buf_release(&text);
}

/* Where the protocol has a place for it. */
static void
add_trace(struct buf *to, const struct trace *trace)
{
	if (!trace->parent)
		return;
	buf_addstr(to, ",\"_meta\":{");
	jtext_add_text(to, "traceparent", trace->parent);
	jtext_add_given(to, "tracestate", trace->state);
	buf_addch(to, '}');
}

void
talk_prompt(struct talk *talk)
{
	const struct serve_thread *thread = talk->turn->thread;
	struct buf params = BUF_INIT;

	talk->state = PROMPTED;
	talk->deadline = deadline_in(talk->acp->turn_ms);
	buf_addch(&params, '{');
	jtext_add_buf(&params, "sessionId", &thread->session);
	buf_addstr(&params, ",\"prompt\":[");
	if (talk->fresh)
		add_before(&params, thread);
	talk->fresh = false;
	add_block(&params, talk->turn->input.s, talk->turn->input.len);
	if (talk->steered.len)
		add_block(&params, talk->steered.s, talk->steered.len);
	buf_reset(&talk->steered);
	buf_addch(&params, ']');
	add_trace(&params, &talk->turn->trace);
	buf_addch(&params, '}');
	acp_request(talk->acp, talk, CALL_PROMPT, &params);
	buf_release(&params);
}

/* What was said while it worked: the same turn goes on with it. */
void
talk_go_on(struct talk *talk)
{
	struct buf more = talk->steered;

	buf_init(&talk->steered);
	serve_message_end(talk->turn);
	buf_release(&talk->turn->input);
	talk->turn->input = more;
	talk_prompt(talk);
}

void
talk_cancel(struct talk *talk)
{
	const struct buf *session = &talk->turn->thread->session;
	struct buf line = BUF_INIT;
	struct asked *asked;

	acp_begin(&line);
	buf_addstr(&line, ",\"method\":\"session/cancel\",\"params\":{");
	jtext_add_buf(&line, "sessionId", session);
	buf_addstr(&line, "}}");
	acp_send(talk->acp, &line);
	for (asked = talk->asked; asked; asked = asked->next)
		asked_outcome(asked, NULL);
	talk->deadline = deadline_in(CANCEL_MS);
}

static void
on_interrupt(struct serve_turn *turn)
{
	struct talk *talk = turn->engine;

	if (talk->state == PROMPTED && !talk->acp->closing)
		talk_cancel(talk);
	else
		talk_end(talk, NULL, NULL, NULL);
}

static void
on_steer(struct serve_turn *turn, struct span text)
{
	struct talk *talk = turn->engine;

	if (talk->steered.len)
		buf_addstr(&talk->steered, "\n\n");
	buf_add(&talk->steered, text.s, text.n);
}

static void
on_turn(struct serve_turn *turn)
{
	struct acp *acp = serve_engine_payload(turn->serve);
	struct talk *talk = xcalloc(1, sizeof *talk);
	struct err err = ERR_INIT;

	if (acp->stale && !acp->talks)
		agent_stop(acp, "");
	talk->acp = acp;
	talk->turn = turn;
	turn->engine = talk;
	buf_init(&talk->steered);
	talk->deadline = deadline_in(acp->start_ms);
	talk->next = acp->talks;
	talk->prev = &acp->talks;
	if (talk->next)
		talk->next->prev = &talk->next;
	acp->talks = talk;
	if (*turn->thread->cwd.s != '/')
		talk_end(talk, "unable to open a session: the thread's cwd is no absolute path", "\"badRequest\"", NULL);
	else if (!acp->pid && !agent_start(acp, &err))
		talk_end(talk, err.text, INTERNAL, "is the agent installed, and on the PATH of this runtime?");
	else if (acp->ready)
		talk_open(talk);
}

static void
on_forget(struct serve_thread *thread)
{
	struct session *session = thread->engine;

	if (session)
		buf_release(&session->cwd);
	free(session);
}

struct serve_engine
acp_engine(struct acp *acp)
{
	return (struct serve_engine){ .name = "acp",
		.model = "",
		.turn = on_turn,
		.steer = on_steer,
		.interrupt = on_interrupt,
		.forget = on_forget,
		.payload = acp };
}
