/* turn_end.c - what a turn says, and its end */
#include "compat.h"

#include <string.h>

#include "clock.h"
#include "runtime/internal.h"
#include "trouble.h"

#define USAGE "thread/tokenUsage/updated"

/* ---- the answer */

/* One more piece of it, as an event and in what the end will say. A new message is parted from the one before by a blank line. */
static void
speak(struct turn *turn, const struct message *message, const char *item, struct span text, bool first)
{
	struct buf piece = BUF_INIT;
	struct runtime_event event = { .type = RUNTIME_ITEM_DELTA,
		.method = message->method.s,
		.params = message->params,
		.item_id = item,
		.item_type = "agentMessage",
		.delta = RUNTIME_DELTA_MESSAGE };
	size_t room = RUNTIME_TEXT_MAX - turn->said.len;

	if (first && turn->spoke)
		buf_addstr(&piece, "\n\n");
	buf_add(&piece, text.s, text.n);
	turn->spoke = true;
	if (!turn->said_cut) {
		turn->said_cut = piece.len > room;
		buf_add(&turn->said, piece.s, turn->said_cut ? room : piece.len);
	}
	event.text = span_of(&piece);
	turn_event(turn, &event);
	buf_release(&piece);
}

static void
message_delta_text(struct turn *turn, const struct message *message, const char *item, struct span text)
{
	bool first = turn->message.len != strlen(item) || strcmp(turn->message.s, item) != 0 || !turn->message_delta;

	if (first) {
		buf_reset(&turn->message);
		buf_addstr(&turn->message, item);
		turn->message_delta = true;
	}
	if (text.n)
		speak(turn, message, item, text, first);
}

/* A message is whole. What came without deltas is told as one. */
static void
message_whole(struct turn *turn, const struct message *message, const char *item_id, struct span item)
{
	struct buf text = BUF_INIT;

	if ((!turn->message_delta || strcmp(turn->message.s, item_id) != 0) && jtext_get_string(item, "text", &text) && text.len)
		speak(turn, message, item_id, span_of(&text), true);
	if (!strcmp(turn->message.s, item_id))
		turn->message_delta = false;
	buf_release(&text);
}

static void
take_item(struct turn *turn, const struct message *message, bool done)
{
	struct buf id = BUF_INIT, type = BUF_INIT;
	struct runtime_event event = {
		.type = done ? RUNTIME_ITEM_COMPLETED : RUNTIME_ITEM_STARTED, .method = message->method.s, .params = message->params
	};

	if (jtext_get(message->params, "item", &event.item) && jtext_type(event.item) == JTEXT_OBJECT) {
		jtext_get_string(event.item, "id", &id);
		jtext_get_string(event.item, "type", &type);
		turn->answers |= strcmp(type.s, "userMessage") != 0;
		if (!strcmp(type.s, "commandExecution"))
			turn->commands += !done ? 1 : turn->commands > 0 ? -1 : 0; /* a declined one may end without a beginning */
		event.item_id = id.s;
		event.item_type = type.s;
		if (!turn->stop) {
			if (done && !strcmp(type.s, "agentMessage"))
				message_whole(turn, message, id.s, event.item);
			if (!turn->stop)
				turn_event(turn, &event);
		}
	}
	buf_release(&id);
	buf_release(&type);
}

static void
take_delta(struct turn *turn, const struct message *message, enum runtime_delta delta)
{
	struct buf id = BUF_INIT, text = BUF_INIT;
	struct runtime_event event = { .type = RUNTIME_ITEM_DELTA, .method = message->method.s, .params = message->params, .delta = delta };

	jtext_get_string(message->params, "itemId", &id);
	jtext_get_string(message->params, "delta", &text);
	turn->answers = true;
	if (delta == RUNTIME_DELTA_MESSAGE)
		message_delta_text(turn, message, id.s, span_of(&text));
	else {
		event.item_id = id.s;
		event.text = span_of(&text);
		turn_event(turn, &event);
	}
	buf_release(&id);
	buf_release(&text);
}

static void
take_error(struct turn *turn, const struct message *message)
{
	struct span retry, error;

	if (jtext_get(message->params, "willRetry", &retry) && jtext_type(retry) == JTEXT_TRUE)
		return;
	if (!turn->stop && jtext_get(message->params, "error", &error)) {
		buf_reset(&turn->error);
		buf_reset(&turn->error_info);
		trouble_read(error, &turn->error, &turn->error_info, &turn->error_http, &turn->error_retry_at);
	}
}

/* A notification about an item, or anything else but the turn's own. */
static void
take_other(struct turn *turn, const struct message *message)
{
	const char *method = message->method.s;
	struct runtime_event event = { .type = RUNTIME_NOTICE, .method = method, .params = message->params };
	enum runtime_delta delta;

	if (!strcmp(method, "item/started") || !strcmp(method, "item/completed")) {
		take_item(turn, message, !strcmp(method, "item/completed"));
		return;
	}
	if (!strcmp(method, "error"))
		take_error(turn, message);
	/* what a turn that is being stopped has cost is often told last */
	if (!strcmp(method, USAGE) && jtext_get(message->params, "tokenUsage", &event.item)) {
		usage_take(&turn->meter, event.item, !turn->answers);
		event.type = RUNTIME_USAGE;
		if (usage_spent(&turn->meter, &event.spent))
			turn_event(turn, &event);
		return;
	}
	if (turn->stop)
		return;
	if (message_delta(method, &delta))
		take_delta(turn, message, delta);
	else
		turn_event(turn, &event);
}

/* What the thread has cost so far is kept for its next turn; said ahead of a turn's own words it is what the thread had cost before. */
static void
count(struct runtime *runtime, const struct message *message, const char *thread, struct turn *turn, bool own)
{
	struct loaded *loaded = threads_find(&runtime->loaded, thread);
	struct usage total;
	struct span value;

	if (!jtext_get(message->params, "tokenUsage", &value) || !usage_total(value, &total))
		return;
	if (loaded) {
		loaded->total = total;
		loaded->counted = true;
	}
	if (turn && !own && !turn->meter.told)
		usage_begin(&turn->meter, &total);
}

static bool
is_of(const struct turn *turn, struct span id)
{
	return turn->id.len == id.n && !memcmp(turn->id.s, id.s, id.n);
}

void
turn_notify(struct runtime *runtime, const struct message *message, struct span thread, struct span id)
{
	struct turn *turn = turn_on(runtime, thread.s, thread.n);
	const char *method = message->method.s;

	if (!strcmp(method, USAGE)) {
		bool own = turn && turn->id.len && is_of(turn, id);

		count(runtime, message, thread.s, turn, own);
		if (!own)
			return;
	}
	if (!turn || turn->state < TURN_STARTING)
		return;
	if (id.n && turn->id.len && !is_of(turn, id))
		return; /* of an earlier turn, or of one that is not ours */
	if (id.n && !turn->id.len) {
		if (runtime_was_over(runtime, id.s))
			return;
		turn_set_id(turn, id.s); /* ahead of the answer to turn/start */
	}
	if (!strcmp(method, "turn/completed")) {
		turn_completed(turn, method, message->params);
		return;
	}
	if (!strcmp(method, "turn/started")) {
		turn->seen = true;
		turn_started(turn, method, message->params);
		if (turn->stop)
			turn_interrupt_now(turn);
		return;
	}
	if (!id.n && turn->state == TURN_STARTING)
		return; /* of the thread, before the turn has begun */
	turn_started(turn, method, message->params);
	if (turn->state == TURN_RUNNING)
		take_other(turn, message);
}

/* ---- the end */

void
turn_completed(struct turn *turn, const char *method, struct span params)
{
	struct span answer, status = SPAN_NONE, error;
	enum runtime_outcome outcome = RUNTIME_FAILED;

	if (!jtext_get(params, "turn", &answer))
		answer = (struct span){ "{}", 2 };
	if (!jtext_get(answer, "status", &status) || jtext_is_string(status, "completed"))
		outcome = RUNTIME_COMPLETED;
	else if (jtext_is_string(status, "interrupted"))
		outcome = RUNTIME_INTERRUPTED;
	if (outcome == RUNTIME_FAILED && !turn->stop) {
		if (jtext_get(answer, "error", &error) && jtext_type(error) == JTEXT_OBJECT) {
			buf_reset(&turn->error);
			buf_reset(&turn->error_info);
			(void)jtext_get_string(error, "code", &turn->error_code);
			trouble_read(error, &turn->error, &turn->error_info, &turn->error_http, &turn->error_retry_at);
		}
		if (!turn->error.len)
			buf_addstr(&turn->error, "the turn failed, and the runtime did not say why");
		turn->fault = fault_of_code(turn->error_code.s);
		if (!turn->fault)
			turn->fault = trouble_of_turn(turn->error.s, turn->error_info.s, turn->error_http);
	}
	/* whoever has done what it is there for is none that keeps ending, whatever happens to it then */
	if (outcome == RUNTIME_COMPLETED)
		backoff_reset(&turn->runtime->backoff);
	turn_end(turn, outcome, false, method, params);
}

/* A command may go on in the background after its turn was interrupted: that is not what whoever interrupted wants. */
static void
clean_up(struct turn *turn)
{
	struct runtime *runtime = turn->runtime;
	struct buf params = BUF_INIT;

	if (turn->commands <= 0 || runtime->state != RUNTIME_READY || turn->generation != runtime->generation)
		return;
	buf_addch(&params, '{');
	jtext_add_buf(&params, "threadId", &turn->thread);
	buf_addch(&params, '}');
	call_send(runtime, call_new(runtime, "thread/backgroundTerminals/clean", &params, 0, NULL, NULL));
}

/* What we told it to do decides, whatever it says itself. */
static void
decide(const struct turn *turn, struct runtime_end *end)
{
	switch (turn->stop) {
	case STOP_NONE:
		if (end->outcome == RUNTIME_FAILED)
			end->fault = turn->fault;
		return;
	case STOP_INTERRUPT:
		end->outcome = RUNTIME_INTERRUPTED;
		return;
	case STOP_TIMEOUT:
		end->outcome = RUNTIME_FAILED;
		end->fault = RUNTIME_FAULT_TURN_TIMEOUT;
		return;
	case STOP_SILENT:
		end->outcome = RUNTIME_FAILED;
		end->fault = RUNTIME_FAULT_TIMEOUT;
		return;
	case STOP_STOPPING:
		end->outcome = RUNTIME_FAILED;
		end->fault = RUNTIME_FAULT_STOPPING;
		return;
	}
}

void
turn_end(struct turn *turn, enum runtime_outcome outcome, bool forced, const char *method, struct span params)
{
	struct runtime_end end = { .outcome = outcome,
		.rpc_code = turn->rpc_code,
		.retry_after_ms = turn->retry_after_ms,
		.sent = turn->sent,
		.forced = forced,
		.text = { turn->said.s, turn->said.len },
		.text_cut = turn->said_cut };
	struct runtime_event event = { .type = RUNTIME_END, .method = method, .params = params, .end = &end };
	struct span value;

	end.counted = usage_spent(&turn->meter, &end.spent);
	decide(turn, &end);
	end.message = end.outcome == RUNTIME_FAILED ? turn->error.s : "";
	if (params.s && jtext_get(params, "runtimeMetadata", &value) && jtext_type(value) == JTEXT_OBJECT)
		end.metadata = value;
	end.code = end.outcome == RUNTIME_FAILED ? turn->error_code.s : "";
	end.info = end.outcome == RUNTIME_FAILED ? turn->error_info.s : "";
	end.http = end.outcome == RUNTIME_FAILED ? turn->error_http : 0;
	if (end.fault == RUNTIME_FAULT_LIMIT)
		end.retry_at_ms = trouble_until(turn->error_retry_at, turn->error.s, turn->runtime->reset_at, clock_wall_ms());
	turn->ending = true;
	approvals_close(turn);
	if (turn->cb)
		turn_event(turn, &event);
	turn->cb = NULL;
	if (turn->stop == STOP_SILENT && turn->state != TURN_FAILED && forced) {
		turn->ending = false;
		return; /* kept until it has stopped, or the child has been ended */
	}
	if (end.outcome == RUNTIME_INTERRUPTED || turn->stop)
		clean_up(turn);
	turn_free(turn);
}
