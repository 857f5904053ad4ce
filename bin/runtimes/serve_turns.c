/* serve_turns.c - turns: what the client asks of them, what it is told of them, and what it is asked */
#include "compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "key.h"
#include "out.h"
#include "serve_internal.h"
#include "xalloc.h"

/* ---- pieces of messages */

static void
add_turn(struct buf *to, const struct serve_turn *turn, const char *status, const char *error)
{
	buf_addch(to, '{');
	jtext_add_text(to, "id", turn->id);
	jtext_add_raw(to, "items", "[]", 2);
	jtext_add_text(to, "status", status);
	jtext_add_raw(to, "error", error ? error : "null", error ? strlen(error) : 4);
	buf_addch(to, '}');
}

/* {"threadId":...,"turnId":... and what follows is the caller's */
static void
begin_params(struct buf *to, const struct serve_turn *turn)
{
	buf_addch(to, '{');
	jtext_add_text(to, "threadId", turn->thread->id);
	jtext_add_text(to, "turnId", turn->id);
}

/* ---- items */

void
serve_item(struct serve_turn *turn, bool completed, const struct buf *item)
{
	struct buf params = BUF_INIT;

	begin_params(&params, turn);
	jtext_add_raw(&params, "item", item->s, item->len);
	jtext_add_i64(&params, completed ? "completedAtMs" : "startedAtMs", clock_wall_ms());
	buf_addch(&params, '}');
	serve_notify(turn->serve, completed ? "item/completed" : "item/started", &params);
	buf_release(&params);
}

static void
message_item(struct serve_turn *turn, bool completed)
{
	struct buf item = BUF_INIT;

	buf_addch(&item, '{');
	jtext_add_text(&item, "type", "agentMessage");
	jtext_add_text(&item, "id", turn->item);
	jtext_add_buf(&item, "text", &turn->message);
	buf_addch(&item, '}');
	serve_item(turn, completed, &item);
	buf_release(&item);
}

static void
send_delta(struct serve_turn *turn, const char *method, const char *item, const char *s, size_t n, const char *index)
{
	struct buf params = BUF_INIT;

	begin_params(&params, turn);
	jtext_add_text(&params, "itemId", item);
	jtext_add_string(&params, "delta", s, n);
	if (index)
		jtext_add_i64(&params, index, 0);
	buf_addch(&params, '}');
	serve_notify(turn->serve, method, &params);
	buf_release(&params);
}

void
serve_delta(struct serve_turn *turn, const char *s, size_t n)
{
	if (!n || turn->interrupted)
		return;
	if (!*turn->item) {
		key_uuid(turn->item);
		buf_reset(&turn->message);
		if (turn->answer.len)
			buf_addstr(&turn->answer, "\n\n");
		message_item(turn, false);
	}
	buf_add(&turn->message, s, n);
	buf_add(&turn->answer, s, n);
	send_delta(turn, "item/agentMessage/delta", turn->item, s, n, NULL);
}

void
serve_reasoning(struct serve_turn *turn, const char *s, size_t n)
{
	char item[SERVE_ID + 8];

	if (!n || turn->interrupted)
		return;
	snprintf(item, sizeof item, "r-%s", turn->id);
	send_delta(turn, "item/reasoning/textDelta", item, s, n, "contentIndex");
}

void
serve_message_end(struct serve_turn *turn)
{
	if (!*turn->item)
		return;
	message_item(turn, true);
	turn->item[0] = '\0';
}

/* ---- turns */

static void
add_input(struct buf *to, struct span input)
{
	struct span key, item;
	size_t pos = 0;

	while (jtext_each(input, &pos, &key, &item))
		jtext_get_string(item, "text", to);
}

static void
status_changed(struct serve *serve, const struct serve_thread *thread, const char *status)
{
	struct buf params = BUF_INIT;

	buf_addch(&params, '{');
	jtext_add_text(&params, "threadId", thread->id);
	jtext_add_raw(&params, "status", status, strlen(status));
	buf_addch(&params, '}');
	serve_notify(serve, "thread/status/changed", &params);
	buf_release(&params);
}

static void
tell_turn(struct serve_turn *turn, const char *method, const char *status, const char *error)
{
	struct buf params = BUF_INIT;

	buf_addch(&params, '{');
	jtext_add_text(&params, "threadId", turn->thread->id);
	buf_addstr(&params, ",\"turn\":");
	add_turn(&params, turn, status, error);
	buf_addch(&params, '}');
	serve_notify(turn->serve, method, &params);
	buf_release(&params);
}

static void
tell_usage(struct serve_turn *turn)
{
	static const char *const names[] = { "inputTokens", "cachedInputTokens", "outputTokens", "reasoningOutputTokens" };
	struct buf params = BUF_INIT, counts = BUF_INIT;
	size_t i;

	if (!turn->usage[0] && !turn->usage[2])
		return;
	buf_addf(&counts, "{\"totalTokens\":%lld", (long long)(turn->usage[0] + turn->usage[2]));
	for (i = 0; i < ARRAY_LEN(names); i++)
		jtext_add_i64(&counts, names[i], turn->usage[i]);
	buf_addch(&counts, '}');
	begin_params(&params, turn);
	buf_addf(&params, ",\"tokenUsage\":{\"total\":%s,\"last\":%s,\"modelContextWindow\":null}}", counts.s, counts.s);
	serve_notify(turn->serve, "thread/tokenUsage/updated", &params);
	buf_release(&params);
	buf_release(&counts);
}

static void
forget_asks(struct serve *serve, struct serve_turn *turn)
{
	struct ask **at = &serve->asks, *ask;

	while ((ask = *at)) {
		if (ask->turn != turn) {
			at = &ask->next;
			continue;
		}
		*at = ask->next;
		if (ask->answered)
			ask->answered(turn, SPAN_NONE, ask->payload);
		free(ask);
	}
}

void
serve_end(struct serve_turn *turn, const char *message, const char *info, const char *details)
{
	struct serve *serve = turn->serve;
	struct serve_thread *thread = turn->thread;
	struct buf error = BUF_INIT;

	forget_asks(serve, turn);
	if (!turn->interrupted)
		serve_message_end(turn);
	if (turn->answer.len)
		thread_say(serve, thread, "assistant", turn->answer.s, turn->answer.len);
	tell_usage(turn);
	if (message && !turn->interrupted) {
		buf_addch(&error, '{');
		jtext_add_text(&error, "message", message);
		jtext_add_raw(&error, "codexErrorInfo", info ? info : "\"other\"", info ? strlen(info) : 7);
		if (turn->retry_at_ms)
			jtext_add_time(&error, "retryAt", turn->retry_at_ms);
		jtext_add_text_or_null(&error, "additionalDetails", details);
		buf_addch(&error, '}');
	}
	status_changed(serve, thread, error.len ? "{\"type\":\"systemError\"}" : "{\"type\":\"idle\"}");
	if (error.len) {
		struct buf params = BUF_INIT;

		begin_params(&params, turn);
		jtext_add_bool(&params, "willRetry", false);
		jtext_add_raw(&params, "error", error.s, error.len);
		buf_addch(&params, '}');
		serve_notify(serve, "error", &params);
		buf_release(&params);
	}
	tell_turn(turn, "turn/completed",
	    turn->interrupted ? "interrupted"
		: error.len   ? "failed"
			      : "completed",
	    error.len ? error.s : NULL);
	thread->turn = NULL;
	buf_release(&error);
	buf_release(&turn->input);
	buf_release(&turn->effort);
	trace_release(&turn->trace);
	buf_release(&turn->message);
	buf_release(&turn->answer);
	free(turn);
}

static void
answer_turn(const char *request, const struct serve_turn *turn)
{
	struct buf result = BUF_INIT;

	buf_addstr(&result, "{\"turn\":");
	add_turn(&result, turn, "inProgress", NULL);
	buf_addch(&result, '}');
	serve_answer(request, result.s);
	buf_release(&result);
}

static void
tell_input(struct serve_turn *turn, struct span input)
{
	struct buf item = BUF_INIT;
	char id[SERVE_ID];

	key_uuid(id);
	buf_addch(&item, '{');
	jtext_add_text(&item, "type", "userMessage");
	jtext_add_text(&item, "id", id);
	buf_addstr(&item, ",\"content\":");
	jtext_compact(&item, input);
	buf_addch(&item, '}');
	serve_item(turn, false, &item);
	serve_item(turn, true, &item);
	buf_release(&item);
}

static void
steer(struct serve *serve, const char *request, struct serve_turn *turn, struct span input)
{
	struct buf text = BUF_INIT;

	add_input(&text, input);
	thread_say(serve, turn->thread, "user", text.s, text.len);
	answer_turn(request, turn);
	tell_input(turn, input);
	if (serve->engine->steer)
		serve->engine->steer(turn, span_of(&text));
	buf_release(&text);
}

void
turn_start(struct serve *serve, const char *request, struct span params, struct span trace)
{
	struct serve_thread *thread = thread_of(serve, request, params);
	struct serve_turn *turn;
	struct span input;

	if (!thread)
		return;
	if (!jtext_get(params, "input", &input) || jtext_type(input) != JTEXT_ARRAY) {
		serve_refuse(request, "Invalid request: missing field `input`");
		return;
	}
	if (thread->turn) {
		steer(serve, request, thread->turn, input);
		return;
	}
	thread_take(thread, params);
	turn = xcalloc(1, sizeof *turn);
	turn->serve = serve;
	turn->thread = thread;
	thread->turn = turn;
	key_uuid(turn->id);
	buf_init(&turn->input);
	buf_init(&turn->effort);
	buf_init(&turn->message);
	buf_init(&turn->answer);
	add_input(&turn->input, input);
	jtext_get_string(params, "effort", &turn->effort);
	trace_read(&turn->trace, trace);
	thread_say(serve, thread, "user", turn->input.s, turn->input.len);
	answer_turn(request, turn);
	status_changed(serve, thread, "{\"type\":\"active\",\"activeFlags\":[]}");
	tell_turn(turn, "turn/started", "inProgress", NULL);
	tell_input(turn, input);
	serve->engine->turn(turn);
}

void
turn_steer(struct serve *serve, const char *request, struct span params)
{
	struct serve_thread *thread = thread_of(serve, request, params);
	struct span input, want;

	if (!thread)
		return;
	if (!thread->turn || (jtext_get(params, "expectedTurnId", &want) && !jtext_is_string(want, thread->turn->id)))
		serve_refuse(request, "no active turn to steer");
	else if (!jtext_get(params, "input", &input))
		serve_refuse(request, "Invalid request: missing field `input`");
	else {
		struct buf text = BUF_INIT, result = BUF_INIT;

		add_input(&text, input);
		thread_say(serve, thread, "user", text.s, text.len);
		buf_addch(&result, '{');
		jtext_add_text(&result, "turnId", thread->turn->id);
		buf_addch(&result, '}');
		serve_answer(request, result.s);
		tell_input(thread->turn, input);
		if (serve->engine->steer)
			serve->engine->steer(thread->turn, span_of(&text));
		buf_release(&text);
		buf_release(&result);
	}
}

void
turn_interrupt(struct serve *serve, const char *request, struct span params)
{
	struct serve_thread *thread = thread_of(serve, request, params);
	struct span want;

	if (!thread)
		return;
	if (!thread->turn || !jtext_get(params, "turnId", &want) || !jtext_is_string(want, thread->turn->id)) {
		serve_refuse(request, "no active turn to interrupt");
		return;
	}
	serve_answer(request, "{}");
	if (thread->turn->interrupted)
		return;
	thread->turn->interrupted = true;
	serve->engine->interrupt(thread->turn);
}

/* ---- asking the client */

void
serve_ask(struct serve_turn *turn, const char *method, const struct buf *params, void (*answered)(struct serve_turn *, struct span, void *),
    void *payload)
{
	struct serve *serve = turn->serve;
	struct ask *ask = xcalloc(1, sizeof *ask);
	struct buf line = BUF_INIT;

	ask->turn = turn;
	ask->id = serve->next_ask++;
	ask->answered = answered;
	ask->payload = payload;
	ask->next = serve->asks;
	serve->asks = ask;
	buf_addf(&line, "{\"id\":%lld", (long long)ask->id);
	jtext_add_text(&line, "method", method);
	jtext_add_raw(&line, "params", params->s, params->len);
	buf_addch(&line, '}');
	out_line(line.s, line.len);
	buf_release(&line);
	status_changed(serve, turn->thread, "{\"type\":\"active\",\"activeFlags\":[\"waitingOnApproval\"]}");
}

void
serve_take_reply(struct serve *serve, struct span message, int64_t id)
{
	struct ask **at = &serve->asks, *ask;
	struct span result;

	while ((ask = *at) && ask->id != id)
		at = &ask->next;
	if (!ask)
		return;
	*at = ask->next;
	status_changed(serve, ask->turn->thread, "{\"type\":\"active\",\"activeFlags\":[]}");
	if (!jtext_get(message, "result", &result))
		result = SPAN_NONE;
	ask->answered(ask->turn, result, ask->payload);
	free(ask);
}
