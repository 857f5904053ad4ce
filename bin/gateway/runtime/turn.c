/* turn.c - turns: from the request to the runtime's own turn, and telling it to stop */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "runtime/internal.h"
#include "xalloc.h"

static void on_turn(const struct runtime_reply *reply, void *payload);
static void proceed(struct turn *turn);

/* ---- the list */

struct turn *
turn_on(const struct runtime *runtime, const char *thread, size_t n)
{
	struct turn *turn;

	for (turn = runtime->turns; turn; turn = turn->next)
		if (turn->state != TURN_FAILED && !turn->ending && n && turn->thread.len == n && !memcmp(turn->thread.s, thread, n))
			return turn;
	return NULL;
}

void
turn_free(struct turn *turn)
{
	struct runtime *runtime = turn->runtime;

	*turn->prev = turn->next;
	if (turn->next)
		turn->next->prev = turn->prev;
	if (turn->id.len)
		runtime_over(runtime, turn->id.s);
	call_drop(turn->call);
	call_drop(turn->interrupt);
	while (turn->approvals)
		approval_free(turn->approvals);
	buf_release(&turn->text);
	buf_release(&turn->options);
	buf_release(&turn->thread_params);
	trace_release(&turn->trace);
	buf_release(&turn->thread);
	buf_release(&turn->id);
	buf_release(&turn->said);
	buf_release(&turn->message);
	buf_release(&turn->error);
	buf_release(&turn->error_info);
	buf_release(&turn->error_code);
	free(turn);
	runtime_tick(runtime);
}

void
turn_event(struct turn *turn, struct runtime_event *event)
{
	if (!turn->cb)
		return;
	event->turn = turn->number;
	event->generation = turn->generation;
	event->thread = turn->thread.s;
	event->turn_id = turn->id.s;
	if (!event->method)
		event->method = "";
	if (!event->item_id)
		event->item_id = "";
	if (!event->item_type)
		event->item_type = "";
	turn->cb(event, turn->payload);
}

void
turn_fail(struct turn *turn, enum runtime_fault fault, const char *message)
{
	if (turn->state == TURN_FAILED)
		return;
	turn->state = TURN_FAILED;
	turn->fault = fault;
	if (fault == RUNTIME_FAULT_PAUSED)
		turn->retry_after_ms = deadline_left(turn->runtime->pause_until);
	if (message != turn->error.s) {
		buf_reset(&turn->error);
		buf_addstr(&turn->error, message);
	}
	call_drop(turn->call);
	call_drop(turn->interrupt);
	turn->call = turn->interrupt = NULL;
	runtime_tick(turn->runtime);
}

bool
turns_tell(struct runtime *runtime)
{
	struct turn *turn;

	for (turn = runtime->turns; turn; turn = turn->next)
		if (turn->state == TURN_FAILED) {
			turn_end(turn, RUNTIME_FAILED, true, "", SPAN_NONE);
			return true;
		}
	return false;
}

void
turns_gone(struct runtime *runtime, uint64_t generation, enum runtime_fault fault, const char *message)
{
	struct turn *turn;

	for (turn = runtime->turns; turn; turn = turn->next)
		if (turn->generation == generation)
			turn_fail(turn, fault, message);
}

/* ---- to the runtime */

struct call *
turn_call(struct turn *turn, const char *method, struct buf *params, int64_t timeout_ms, runtime_reply_cb *cb)
{
	struct call *call = call_new(turn->runtime, method, params, timeout_ms, cb, turn);

	if (!strcmp(method, "turn/start"))
		trace_copy(&call->trace, &turn->trace);

	call_send(turn->runtime, call);
	return call;
}

static void
send_turn(struct turn *turn)
{
	const struct loaded *loaded = threads_find(&turn->runtime->loaded, turn->thread.s);
	struct buf params = BUF_INIT;

	if (loaded && loaded->counted)
		usage_begin(&turn->meter, &loaded->total);
	buf_add(&params, turn->options.s, turn->options.len);
	jtext_add_buf(&params, "threadId", &turn->thread);
	if (!turn->input_given) {
		buf_addstr(&params, ",\"input\":[{\"type\":\"text\"");
		jtext_add_buf(&params, "text", &turn->text);
		buf_addstr(&params, ",\"text_elements\":[]}]");
	}
	buf_addch(&params, '}');
	turn->state = TURN_STARTING;
	turn->sent = true;
	turn->seen = false;
	turn->call = turn_call(turn, "turn/start", &params, 0, on_turn);
}

static void
refused(struct turn *turn, const struct runtime_reply *reply)
{
	turn->rpc_code = reply->rpc_code;
	buf_addstr(&turn->error_code, reply->code);
	turn_fail(turn, fault_of_code(reply->code) ? fault_of_code(reply->code) : reply->fault, reply->message);
}

static void
tell_thread(struct turn *turn, bool started)
{
	struct runtime_event event = { .type = RUNTIME_THREAD, .params = SPAN_NONE, .started = started, .lost = turn->lost };

	turn_event(turn, &event);
}

static bool
take_thread(struct turn *turn, struct span result, bool fresh)
{
	struct buf id = BUF_INIT;
	struct span thread;
	bool found = (jtext_get(result, "thread", &thread) && jtext_get_string(thread, "id", &id)) ||
	    jtext_get_string(result, "threadId", &id);

	found = found && id.len && id.len == strlen(id.s);
	if (!found)
		turn_fail(turn, RUNTIME_FAULT_PROTOCOL, "thread/start did not return thread.id");
	else if (turn_on(turn->runtime, id.s, id.len) && turn_on(turn->runtime, id.s, id.len) != turn) {
		found = false;
		turn_fail(turn, RUNTIME_FAULT_BUSY, "a turn is in progress on this thread");
	} else {
		buf_reset(&turn->thread);
		buf_add(&turn->thread, id.s, id.len);
		threads_add(&turn->runtime->loaded, turn->thread.s, fresh);
	}
	buf_release(&id);
	return found;
}

static void
on_thread(const struct runtime_reply *reply, void *payload)
{
	struct turn *turn = payload;
	bool resumed = turn->thread.len > 0;

	turn->call = NULL;
	if (reply->fault == RUNTIME_FAULT_REFUSED && resumed && message_is_lost(reply->message)) {
		if (!turn->new_if_lost) {
			turn->rpc_code = reply->rpc_code;
			turn_fail(turn, RUNTIME_FAULT_NO_THREAD, reply->message);
			return;
		}
		turn->lost = true;
		buf_reset(&turn->thread);
		proceed(turn);
		return;
	}
	if (reply->fault) {
		refused(turn, reply);
		return;
	}
	if (!take_thread(turn, reply->result, !resumed))
		return;
	tell_thread(turn, !resumed);
	if (turn->state == TURN_THREAD) /* it may have been interrupted just now */
		send_turn(turn);
}

/* The child is ready. */
static void
proceed(struct turn *turn)
{
	struct buf params = BUF_INIT;
	bool resume = turn->thread.len > 0;

	turn->generation = turn->runtime->generation;
	if (resume && !turn->runtime->settings.host && threads_find(&turn->runtime->loaded, turn->thread.s)) {
		turn->state = TURN_THREAD;
		tell_thread(turn, false);
		if (turn->state == TURN_THREAD)
			send_turn(turn);
		return;
	}
	buf_add(&params, turn->thread_params.s, turn->thread_params.len);
	if (resume) {
		jtext_add_buf(&params, "threadId", &turn->thread);
		jtext_add_bool(&params, "excludeTurns", true); /* nobody reads them, and they may be many */
	}
	buf_addch(&params, '}');
	turn->state = TURN_THREAD;
	turn->call = turn_call(turn, resume ? "thread/resume" : "thread/start", &params, 0, on_thread);
}

void
turns_ready(struct runtime *runtime)
{
	struct turn *turn;

again:
	for (turn = runtime->turns; turn && runtime->state == RUNTIME_READY; turn = turn->next)
		if (turn->state == TURN_WAITING) {
			proceed(turn);
			goto again;
		}
}

void
turn_set_id(struct turn *turn, const char *id)
{
	buf_reset(&turn->id);
	buf_addstr(&turn->id, id);
	if (turn->state == TURN_STARTING)
		turn->state = TURN_RUNNING;
}

void
turn_started(struct turn *turn, const char *method, struct span params)
{
	struct runtime_event event = { .type = RUNTIME_TURN_STARTED, .method = method, .params = params };

	if (turn->begun || turn->stop)
		return;
	turn->begun = true;
	turn_event(turn, &event);
}

/* The answer to turn/start. It may come after the first notifications, and even after the turn's end: then there is no turn any more. */
static void
on_turn(const struct runtime_reply *reply, void *payload)
{
	struct turn *turn = payload;
	struct buf id = BUF_INIT;
	struct span answer, status;

	turn->call = NULL;
	if (reply->fault == RUNTIME_FAULT_REFUSED && message_is_lost(reply->message) && !turn->resumed && !turn->stop &&
	    turn->state == TURN_STARTING) {
		/* the child has let go of the thread: nothing has happened yet, so it is resumed and asked once more */
		turn->resumed = true;
		turn->sent = false;
		threads_drop(&turn->runtime->loaded, turn->thread.s);
		proceed(turn);
	} else if (reply->fault == RUNTIME_FAULT_REFUSED) {
		turn->sent = false;
		refused(turn, reply);
	} else if (reply->fault == RUNTIME_FAULT_TIMEOUT && turn->state == TURN_STARTING && !turn->stop) {
		/* It may have begun all the same: its end is told, and it is kept to be stopped. */
		buf_reset(&turn->error);
		buf_addstr(&turn->error, reply->message);
		turn_stop(turn, STOP_SILENT);
	} else if (reply->fault && reply->fault != RUNTIME_FAULT_TIMEOUT) {
		turn->sent = false; /* the queue to the child was full */
		refused(turn, reply);
	} else if (!reply->fault && jtext_get(reply->result, "turn", &answer) && jtext_get_string(answer, "id", &id) && id.len &&
	    id.len == strlen(id.s)) {
		turn_set_id(turn, id.s);
		turn_started(turn, "turn/start", reply->result);
		if (jtext_get(answer, "status", &status) && jtext_type(status) == JTEXT_STRING && !jtext_is_string(status, "inProgress"))
			turn_completed(turn, "turn/start", reply->result);
		else if (turn->stop && turn->state == TURN_RUNNING)
			turn_interrupt_now(turn);
	} else if (!reply->fault && !turn->id.len) {
		turn_fail(turn, RUNTIME_FAULT_PROTOCOL, "turn/start did not return turn.id");
	}
	buf_release(&id);
}
