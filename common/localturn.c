/* localturn.c - one turn on a runtime that is started here */
#include "compat.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "localturn.h"
#include "runtimeio.h"
#include "trouble.h"
#include "xalloc.h"

/* What was asked last; the number is the id of the request. */
enum asked { ASKED_NOTHING, ASKED_INITIALIZE, ASKED_THREAD, ASKED_TURN, ASKED_INTERRUPT };

struct localturn {
	struct runtimeio io;
	struct buf text, dir, model, effort, personality, approval_policy, sandbox, decision, oldest;
	void (*event)(const char *method, struct span what, void *payload);
	void *payload;
	enum asked asked;
	int64_t deadline;
	struct buf thread, turn; /* the runtime's ids */
	struct buf delta_item;	 /* the message whose pieces came last */
	bool interrupting;
	const char *status; /* NULL: it has not ended */
	struct buf output, message;
	enum runtime_fault fault;   /* of an "error" */
	int64_t retry_at, reset_at; /* of a limit: as the error says, as the account says; wall clock, 0: nobody does */
};

static void
copy(struct buf *to, const char *s)
{
	buf_init(to);
	if (s)
		buf_addstr(to, s);
}

/* ---- its end */

static void
end(struct localturn *turn, const char *status, const char *message)
{
	if (turn->status)
		return;
	turn->status = status;
	buf_reset(&turn->message);
	buf_addstr(&turn->message, message);
	turn->deadline = DEADLINE_NONE;
}

static void
fail(struct localturn *turn, enum runtime_fault fault, const char *message)
{
	if (!turn->status)
		turn->fault = fault;
	end(turn, "error", message);
}

static void
gone(struct localturn *turn)
{
	struct buf why = BUF_INIT;
	int ended = runtimeio_end(&turn->io), status = WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;

	if (WIFSIGNALED(ended))
		buf_addf(&why, "the runtime was ended by signal %d", WTERMSIG(ended));
	else
		buf_addf(&why, "the runtime ended with status %d before the turn did", status);
	if (turn->interrupting)
		end(turn, "interrupted", "Interrupted by user");
	else /* what it said is on our standard error */
		fail(turn, turn->thread.len ? RUNTIME_FAULT_GONE : trouble_of_start(status, ""), why.s);
	buf_release(&why);
}

/* ---- requests */

static void
ask(struct localturn *turn, enum asked what, const char *method, const struct buf *params)
{
	struct buf message = BUF_INIT;

	buf_addf(&message, "{\"id\":%d,\"method\":\"%s\",\"params\":%s}", (int)what, method, params->s);
	turn->asked = what;
	turn->deadline = deadline_in(LOCALTURN_ANSWER_MS);
	runtimeio_send(&turn->io, &message);
	buf_release(&message);
}

static void
ask_thread(struct localturn *turn)
{
	struct buf hello = BUF_INIT, params = BUF_INIT;

	buf_addstr(&hello, "{\"method\":\"initialized\"}");
	runtimeio_send(&turn->io, &hello);
	buf_addch(&params, '{');
	jtext_add_filled(&params, "cwd", &turn->dir);
	jtext_add_filled(&params, "model", &turn->model);
	jtext_add_filled(&params, "approvalPolicy", &turn->approval_policy);
	jtext_add_filled(&params, "sandbox", &turn->sandbox);
	buf_addch(&params, '}');
	ask(turn, ASKED_THREAD, "thread/start", &params);
	buf_release(&hello);
	buf_release(&params);
}

static void
ask_turn(struct localturn *turn)
{
	struct buf params = BUF_INIT;

	buf_addch(&params, '{');
	jtext_add_filled(&params, "threadId", &turn->thread);
	buf_addstr(&params, ",\"input\":[{\"type\":\"text\"");
	jtext_add_buf(&params, "text", &turn->text);
	buf_addstr(&params, ",\"text_elements\":[]}]");
	jtext_add_filled(&params, "effort", &turn->effort);
	jtext_add_filled(&params, "personality", &turn->personality);
	buf_addch(&params, '}');
	ask(turn, ASKED_TURN, "turn/start", &params);
	buf_release(&params);
}

static void
ask_interrupt(struct localturn *turn, int64_t deadline)
{
	struct buf params = BUF_INIT;

	buf_addch(&params, '{');
	jtext_add_filled(&params, "threadId", &turn->thread);
	jtext_add_filled(&params, "turnId", &turn->turn);
	buf_addch(&params, '}');
	ask(turn, ASKED_INTERRUPT, "turn/interrupt", &params);
	turn->deadline = deadline;
	buf_release(&params);
}

void
localturn_interrupt(struct localturn *turn)
{
	if (turn->status)
		return;
	if (turn->interrupting || !turn->turn.len) {
		end(turn, "interrupted", "Interrupted by user");
		return;
	}
	turn->interrupting = true;
	ask_interrupt(turn, deadline_in(LOCALTURN_INTERRUPT_MS));
}

/* ---- answers */

static void
take_id(struct span object, const char *member, struct buf *to)
{
	struct span inner;

	buf_reset(to);
	if (jtext_get(object, member, &inner))
		(void)jtext_get_string(inner, "id", to);
}

static void
refused(struct localturn *turn, struct span error)
{
	struct buf message = BUF_INIT;

	if (!jtext_get_string(error, "message", &message))
		buf_addstr(&message, "the runtime refused, and does not say why");
	fail(turn, trouble_of_refusal(message.s), message.s);
	buf_release(&message);
}

/* False: it is too old. */
static bool
take_greeting(struct localturn *turn, struct span result)
{
	struct buf agent = BUF_INIT, why = BUF_INIT;
	bool old = turn->oldest.len && jtext_get_string(result, "userAgent", &agent) && trouble_is_older(agent.s, turn->oldest.s);

	if (old) {
		buf_addf(&why, "the runtime is too old: %s; at least %s is needed", agent.s, turn->oldest.s);
		fail(turn, RUNTIME_FAULT_VERSION, why.s);
	}
	buf_release(&agent);
	buf_release(&why);
	return !old;
}

static void
take_answer(struct localturn *turn, int64_t id, struct span message)
{
	struct span result, error;

	if (id != (int64_t)turn->asked)
		return;
	turn->deadline = turn->interrupting ? turn->deadline : DEADLINE_NONE;
	if (jtext_get(message, "error", &error)) {
		/* an interrupt that is refused: the turn may be over, its end is waited for */
		if (turn->asked != ASKED_INTERRUPT)
			refused(turn, error);
		return;
	}
	if (!jtext_get(message, "result", &result))
		return;
	switch (turn->asked) {
	case ASKED_INITIALIZE:
		if (take_greeting(turn, result))
			ask_thread(turn);
		break;
	case ASKED_THREAD:
		take_id(result, "thread", &turn->thread);
		if (!turn->thread.len)
			fail(turn, RUNTIME_FAULT_PROTOCOL, "the runtime gave the thread no id");
		else
			ask_turn(turn);
		break;
	case ASKED_TURN:
		if (!turn->turn.len)
			take_id(result, "turn", &turn->turn);
		turn->asked = ASKED_NOTHING;
		break;
	case ASKED_NOTHING:
	case ASKED_INTERRUPT:
		break;
	}
}

/* ---- requests of the runtime: policy answers, nobody is asked */

static void
answer(struct localturn *turn, struct span id, const char *member, const struct buf *value)
{
	struct buf message = BUF_INIT;

	buf_addf(&message, "{\"id\":%.*s,\"%s\":%s}", (int)id.n, id.s, member, value->s);
	runtimeio_send(&turn->io, &message);
	buf_release(&message);
}

static void
tell_approval(struct localturn *turn, const struct buf *method, struct span params)
{
	struct buf payload = BUF_INIT, text = BUF_INIT;

	buf_addch(&payload, '{');
	jtext_add_buf(&payload, "request", method);
	jtext_add_buf(&payload, "decision", &turn->decision);
	jtext_compact(&text, params);
	jtext_add_raw(&payload, "params", text.s, text.len);
	buf_addch(&payload, '}');
	turn->event("local.approval", span_of(&payload), turn->payload);
	buf_release(&payload);
	buf_release(&text);
}

static void
take_request(struct localturn *turn, struct span id, const struct buf *method, struct span params)
{
	struct buf value = BUF_INIT;

	if (!strcmp(method->s, "item/commandExecution/requestApproval") || !strcmp(method->s, "item/fileChange/requestApproval")) {
		buf_addch(&value, '{');
		jtext_add_filled(&value, "decision", &turn->decision);
		buf_addch(&value, '}');
		answer(turn, id, "result", &value);
		tell_approval(turn, method, params);
	} else {
		buf_addstr(&value, "{\"code\":-32601,\"message\":\"nobody answers this here\"}");
		answer(turn, id, "error", &value);
	}
	buf_release(&value);
}

/* ---- notifications */

static void
say(struct localturn *turn, const char *text, size_t n)
{
	struct buf payload = BUF_INIT;

	if (turn->output.len + n <= LOCALTURN_TEXT_MAX)
		buf_add(&turn->output, text, n);
	buf_addch(&payload, '{');
	jtext_add_text(&payload, "type", "assistant_message");
	jtext_add_text(&payload, "role", "assistant");
	jtext_add_string(&payload, "text", text, n);
	buf_addch(&payload, '}');
	turn->event("item.delta", span_of(&payload), turn->payload);
	buf_release(&payload);
}

static void
take_delta(struct localturn *turn, struct span params)
{
	struct buf text = BUF_INIT;

	buf_reset(&turn->delta_item);
	(void)jtext_get_string(params, "itemId", &turn->delta_item);
	if (jtext_get_string(params, "delta", &text) && text.len)
		say(turn, text.s, text.len);
	buf_release(&text);
}

/* A message that came in pieces is not said again; one that did not is said now. */
static void
take_message_item(struct localturn *turn, struct span item)
{
	struct buf id = BUF_INIT, text = BUF_INIT;

	(void)jtext_get_string(item, "id", &id);
	if ((!turn->delta_item.len || strcmp(id.s, turn->delta_item.s) != 0) && jtext_get_string(item, "text", &text) && text.len)
		say(turn, text.s, text.len);
	buf_release(&id);
	buf_release(&text);
}

static void
take_item(struct localturn *turn, bool completed, struct span params)
{
	struct buf payload = BUF_INIT, text = BUF_INIT;
	struct span item, type;

	if (!jtext_get(params, "item", &item) || !jtext_get(item, "type", &type) || jtext_is_string(type, "userMessage"))
		return;
	if (jtext_is_string(type, "agentMessage")) {
		if (completed)
			take_message_item(turn, item);
		return;
	}
	jtext_compact(&text, item);
	buf_addch(&payload, '{');
	jtext_add_raw(&payload, "item", text.s, text.len);
	buf_addch(&payload, '}');
	turn->event(completed ? "item.completed" : "item.started", span_of(&payload), turn->payload);
	buf_release(&payload);
	buf_release(&text);
}

static void
take_end(struct localturn *turn, struct span params)
{
	struct span ended = SPAN_NONE, status = SPAN_NONE, error;
	struct buf message = BUF_INIT, info = BUF_INIT;
	int64_t http = 0;

	if (jtext_get(params, "turn", &ended))
		(void)jtext_get(ended, "status", &status);
	if (ended.s && jtext_get(ended, "error", &error))
		trouble_read(error, &message, &info, &http, &turn->retry_at);
	if (turn->interrupting || (status.s && jtext_is_string(status, "interrupted")))
		end(turn, "interrupted", "Interrupted by user");
	else if (status.s && jtext_is_string(status, "completed"))
		end(turn, "completed", "");
	else
		fail(turn, trouble_of_turn(message.s, info.s, http),
		    message.len ? message.s : "the turn failed, and the runtime does not say why");
	buf_release(&message);
	buf_release(&info);
}

static void
take_notification(struct localturn *turn, const struct buf *method, struct span params)
{
	struct span value;
	struct buf thread = BUF_INIT;
	bool other = jtext_get_string(params, "threadId", &thread) && turn->thread.len && strcmp(thread.s, turn->thread.s) != 0;

	buf_release(&thread);
	if (other)
		return;
	if (!strcmp(method->s, "turn/started")) {
		if (!turn->turn.len)
			take_id(params, "turn", &turn->turn);
		if (turn->interrupting)
			ask_interrupt(turn, turn->deadline); /* it may have refused to end what it had not announced */
	} else if (!strcmp(method->s, "item/agentMessage/delta"))
		take_delta(turn, params);
	else if (!strcmp(method->s, "item/started") || !strcmp(method->s, "item/completed"))
		take_item(turn, method->s[5] == 'c', params);
	else if (!strcmp(method->s, "turn/completed"))
		take_end(turn, params);
	else if (!strcmp(method->s, "error") && jtext_get(params, "error", &value))
		turn->event("error", value, turn->payload);
	else if (!strcmp(method->s, "account/rateLimits/updated") && jtext_get(params, "rateLimits", &value))
		turn->reset_at = trouble_reset_at(value);
}

static void
take(struct localturn *turn, struct span message)
{
	struct buf method = BUF_INIT;
	struct span id = SPAN_NONE, params = { "{}", 2 };
	int64_t number;

	(void)jtext_get(message, "id", &id);
	(void)jtext_get(message, "params", &params);
	if (!jtext_get_string(message, "method", &method)) {
		if (id.s && jtext_i64(id, &number))
			take_answer(turn, number, message);
	} else if (id.s)
		take_request(turn, id, &method, params);
	else
		take_notification(turn, &method, params);
	buf_release(&method);
}

/* ---- life */

struct localturn *
localturn_new(const struct localturn_request *request, struct err *err)
{
	struct localturn *turn = xcalloc(1, sizeof *turn);
	struct buf params = BUF_INIT;
	char *here;

	if (!runtimeio_start(&turn->io, request->command, request->dir, err)) {
		free(turn);
		return NULL;
	}
	copy(&turn->text, NULL);
	buf_add(&turn->text, request->text->s, request->text->len);
	copy(&turn->dir, request->dir);
	here = request->dir ? NULL : getcwd(NULL, 0);
	if (here)
		buf_addstr(&turn->dir, here);
	free(here);
	copy(&turn->model, request->model);
	copy(&turn->effort, request->effort);
	copy(&turn->personality, request->personality);
	copy(&turn->approval_policy, request->approval_policy);
	copy(&turn->sandbox, request->sandbox);
	copy(&turn->decision, request->decision);
	copy(&turn->oldest, request->oldest);
	copy(&turn->thread, NULL);
	copy(&turn->turn, NULL);
	copy(&turn->delta_item, NULL);
	copy(&turn->output, NULL);
	copy(&turn->message, NULL);
	turn->event = request->event;
	turn->payload = request->payload;
	buf_addstr(
	    &params, "{\"clientInfo\":{\"name\":\"agent-turn-local\",\"title\":\"agentutils\",\"version\":\"" PACKAGE_VERSION "\"}}");
	ask(turn, ASKED_INITIALIZE, "initialize", &params);
	buf_release(&params);
	return turn;
}

static void
release_texts(struct localturn *turn)
{
	struct buf *const bufs[] = { &turn->text, &turn->dir, &turn->model, &turn->effort, &turn->personality, &turn->approval_policy,
		&turn->sandbox, &turn->decision, &turn->oldest, &turn->thread, &turn->turn, &turn->delta_item, &turn->output,
		&turn->message };
	size_t i;

	for (i = 0; i < ARRAY_LEN(bufs); i++)
		buf_release(bufs[i]);
}

void
localturn_free(struct localturn *turn)
{
	if (!turn)
		return;
	(void)runtimeio_end(&turn->io);
	release_texts(turn);
	free(turn);
}

void
localturn_fds(const struct localturn *turn, struct pollfd *fds)
{
	runtimeio_fds(&turn->io, fds);
}

int64_t
localturn_deadline(const struct localturn *turn)
{
	return turn->deadline;
}

bool
localturn_step(struct localturn *turn)
{
	struct err err = ERR_INIT;
	struct span message;

	while (!turn->status)
		switch (runtimeio_next(&turn->io, &message, &err)) {
		case RUNTIMEIO_MESSAGE:
			take(turn, message);
			break;
		case RUNTIMEIO_BAD:
			fail(turn, RUNTIME_FAULT_PROTOCOL, err.text);
			break;
		case RUNTIMEIO_END:
			gone(turn);
			break;
		case RUNTIMEIO_NONE:
			if (deadline_left(turn->deadline) > 0)
				return false;
			if (turn->interrupting)
				end(turn, "interrupted", "Interrupted by user");
			else
				fail(turn, RUNTIME_FAULT_TIMEOUT, "the runtime did not answer in time");
			break;
		}
	return true;
}

const char *
localturn_status(const struct localturn *turn)
{
	return turn->status ? turn->status : "inProgress";
}

const struct buf *
localturn_text(const struct localturn *turn)
{
	return &turn->output;
}

const char *
localturn_message(const struct localturn *turn)
{
	return turn->message.s;
}

/* Here nobody but the runtime itself logs in, and each turn has its own. */
const char *
localturn_hint(const struct localturn *turn)
{
	return turn->fault == RUNTIME_FAULT_AUTH ? "log the runtime in, as with: codex login"
	    : turn->fault == RUNTIME_FAULT_GONE	 ? "ask again: it is started anew"
	    : turn->fault			 ? fault_hint(turn->fault)
						 : "";
}

void
localturn_add_error(const struct localturn *turn, struct buf *to)
{
	int64_t until = 0;

	if (turn->fault == RUNTIME_FAULT_LIMIT)
		until = trouble_until(turn->retry_at, turn->message.s, turn->reset_at, clock_wall_ms());
	if (turn->fault)
		fault_add(to, turn->message.s, fault_code(turn->fault), localturn_hint(turn), until);
	else
		fault_add(to, turn->message.s, NULL, NULL, 0);
}
