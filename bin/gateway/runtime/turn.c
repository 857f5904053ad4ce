/* turn.c - turns: from the request to the runtime's own turn, and telling it to stop */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "runtime/internal.h"
#include "xalloc.h"

static void on_turn(const struct runtime_reply *reply, void *payload);

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
	buf_release(&turn->thread);
	buf_release(&turn->id);
	buf_release(&turn->said);
	buf_release(&turn->message);
	buf_release(&turn->error);
	buf_release(&turn->error_info);
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

static struct span
as_span(const struct buf *buf)
{
	return (struct span){ buf->s, buf->len };
}

/* The members of object as further members of the one that is being built, unless it has them. */
static void
add_members(struct buf *to, struct span object, struct span but)
{
	struct buf name = BUF_INIT;
	struct span key, value, there;
	size_t pos = 0;

	while (jtext_each(object, &pos, &key, &value)) {
		buf_reset(&name);
		jtext_string(key, &name);
		if (but.s && jtext_get(but, name.s, &there))
			continue;
		if (to->s[to->len - 1] != '{')
			buf_addch(to, ',');
		buf_add(to, key.s, key.n);
		buf_addch(to, ':');
		jtext_compact(to, value);
	}
	buf_release(&name);
}

static struct call *
send_call(struct turn *turn, const char *method, struct buf *params, int64_t timeout_ms, runtime_reply_cb *cb)
{
	struct call *call = call_new(turn->runtime, method, params, timeout_ms, cb, turn);

	call_send(turn->runtime, call);
	return call;
}

static void
send_turn(struct turn *turn)
{
	struct buf params = BUF_INIT;

	buf_add(&params, turn->options.s, turn->options.len);
	jtext_add_string(&params, "threadId", turn->thread.s, turn->thread.len);
	if (!turn->input_given) {
		buf_addstr(&params, ",\"input\":[{\"type\":\"text\"");
		jtext_add_string(&params, "text", turn->text.s, turn->text.len);
		buf_addstr(&params, ",\"text_elements\":[]}]");
	}
	buf_addch(&params, '}');
	turn->state = TURN_STARTING;
	turn->sent = true;
	turn->seen = false;
	turn->call = send_call(turn, "turn/start", &params, 0, on_turn);
}

/* Words for what an error of the protocol means to whoever asked. */
static enum runtime_fault
refusal(const struct runtime_reply *reply)
{
	if (reply->fault == RUNTIME_FAULT_REFUSED && (strcasestr(reply->message, "authentication required") || strcasestr(reply->message, "not logged in")))
		return RUNTIME_FAULT_AUTH;
	return reply->fault;
}

static void
refused(struct turn *turn, const struct runtime_reply *reply)
{
	turn->rpc_code = reply->rpc_code;
	turn_fail(turn, refusal(reply), reply->message);
}

static void
tell_thread(struct turn *turn, bool started)
{
	struct runtime_event event = { .type = RUNTIME_THREAD, .params = SPAN_NONE, .started = started, .lost = turn->lost };

	turn_event(turn, &event);
}

static bool
take_thread(struct turn *turn, struct span result)
{
	struct buf id = BUF_INIT;
	struct span thread;
	bool found = (jtext_get(result, "thread", &thread) && jtext_get_string(thread, "id", &id)) || jtext_get_string(result, "threadId", &id);

	found = found && id.len && id.len == strlen(id.s);
	if (!found)
		turn_fail(turn, RUNTIME_FAULT_PROTOCOL, "thread/start did not return thread.id");
	else if (turn_on(turn->runtime, id.s, id.len) && turn_on(turn->runtime, id.s, id.len) != turn) {
		found = false;
		turn_fail(turn, RUNTIME_FAULT_BUSY, "a turn is in progress on this thread");
	} else {
		buf_reset(&turn->thread);
		buf_add(&turn->thread, id.s, id.len);
		threads_add(&turn->runtime->loaded, turn->thread.s);
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
		turn_proceed(turn);
		return;
	}
	if (reply->fault) {
		refused(turn, reply);
		return;
	}
	if (!take_thread(turn, reply->result))
		return;
	tell_thread(turn, !resumed);
	if (turn->state == TURN_THREAD) /* it may have been interrupted just now */
		send_turn(turn);
}

void
turn_proceed(struct turn *turn)
{
	struct buf params = BUF_INIT;
	bool resume = turn->thread.len > 0;

	turn->generation = turn->runtime->generation;
	if (resume && threads_has(&turn->runtime->loaded, turn->thread.s)) {
		turn->state = TURN_THREAD;
		tell_thread(turn, false);
		if (turn->state == TURN_THREAD)
			send_turn(turn);
		return;
	}
	buf_add(&params, turn->thread_params.s, turn->thread_params.len);
	if (resume) {
		jtext_add_string(&params, "threadId", turn->thread.s, turn->thread.len);
		jtext_add_bool(&params, "excludeTurns", true); /* nobody reads them, and they may be many */
	}
	buf_addch(&params, '}');
	turn->state = TURN_THREAD;
	turn->call = send_call(turn, resume ? "thread/resume" : "thread/start", &params, 0, on_thread);
}

void
turns_ready(struct runtime *runtime)
{
	struct turn *turn;

again:
	for (turn = runtime->turns; turn && runtime->state == RUNTIME_READY; turn = turn->next)
		if (turn->state == TURN_WAITING) {
			turn_proceed(turn);
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
	if (reply->fault == RUNTIME_FAULT_REFUSED && message_is_lost(reply->message) && !turn->resumed && !turn->stop && turn->state == TURN_STARTING) {
		/* the child has let go of the thread: nothing has happened yet, so it is resumed and asked once more */
		turn->resumed = true;
		turn->sent = false;
		threads_drop(&turn->runtime->loaded, turn->thread.s);
		turn_proceed(turn);
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
	} else if (!reply->fault && jtext_get(reply->result, "turn", &answer) && jtext_get_string(answer, "id", &id) && id.len && id.len == strlen(id.s)) {
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

/* ---- telling it to stop */

static void
on_interrupt(const struct runtime_reply *reply, void *payload)
{
	struct turn *turn = payload;

	turn->interrupt = NULL;
	if (reply->fault) /* it may not have noticed yet that the turn has begun */
		turn->again_at = deadline_in(INTERRUPT_AGAIN_MS);
}

void
turn_interrupt_now(struct turn *turn)
{
	struct buf params = BUF_INIT;

	turn->again_at = DEADLINE_NONE;
	if (!turn->id.len || turn->interrupt || turn->state != TURN_RUNNING)
		return;
	if (!turn->seen) {
		/* a runtime may refuse to interrupt what it has not announced: wait for that, but not long */
		turn->seen = true;
		turn->again_at = deadline_in(INTERRUPT_UNSEEN_MS);
		return;
	}
	buf_addch(&params, '{');
	jtext_add_string(&params, "threadId", turn->thread.s, turn->thread.len);
	jtext_add_string(&params, "turnId", turn->id.s, turn->id.len);
	buf_addch(&params, '}');
	turn->interrupt = send_call(turn, "turn/interrupt", &params, 0, on_interrupt);
}

void
turn_stop(struct turn *turn, enum turn_stop stop)
{
	turn->stop = stop;
	if (turn->stop_at == DEADLINE_NONE)
		turn->stop_at = deadline_in(turn->runtime->settings.interrupt_timeout_ms);
	approvals_withdraw(turn);
	if (turn->state == TURN_WAITING || turn->state == TURN_THREAD)
		turn_fail(turn, turn->fault, turn->error.s);
	else if (turn->state == TURN_RUNNING)
		turn_interrupt_now(turn);
	if (stop == STOP_SILENT)
		turn_end(turn, RUNTIME_FAILED, true, "", SPAN_NONE);
	runtime_tick(turn->runtime);
}

static void
time_out(struct turn *turn)
{
	struct buf text = BUF_INIT;

	buf_addf(&text, "the turn took longer than %lld ms", (long long)turn->timeout_ms);
	turn->deadline = DEADLINE_NONE;
	if (turn->state == TURN_WAITING || turn->state == TURN_THREAD)
		turn_fail(turn, RUNTIME_FAULT_TURN_TIMEOUT, text.s);
	else {
		buf_reset(&turn->error);
		buf_add(&turn->error, text.s, text.len);
		turn_stop(turn, STOP_TIMEOUT);
	}
	buf_release(&text);
}

void
turns_timeout(struct runtime *runtime)
{
	struct turn *turn;

	for (turn = runtime->turns; turn; turn = turn->next) {
		if (turn->state == TURN_FAILED)
			continue;
		if (!turn->stop && !deadline_left(turn->deadline))
			time_out(turn);
		if (turn->stop && !deadline_left(turn->again_at) && turn->state == TURN_RUNNING)
			turn_interrupt_now(turn);
		approvals_timeout(turn);
		if (turn->stop && turn->state != TURN_FAILED && !deadline_left(turn->stop_at)) {
			turn_fail(turn, RUNTIME_FAULT_NONE, turn->error.s);
			runtime_break(runtime, RUNTIME_FAULT_GONE, "the runtime did not stop a turn within %lld ms and was ended",
			    (long long)runtime->settings.interrupt_timeout_ms);
			return;
		}
	}
}

void
turn_clock(struct turn *turn)
{
	if (turn->open && turn->left == DEADLINE_NONE && turn->deadline != DEADLINE_NONE) {
		turn->left = deadline_left(turn->deadline);
		turn->deadline = DEADLINE_NONE;
	} else if (!turn->open && turn->left != DEADLINE_NONE) {
		turn->deadline = deadline_in(turn->left);
		turn->left = DEADLINE_NONE;
	}
}

/* ---- the door */

static bool
check(struct span json, enum jtext_type type, struct span *ret)
{
	return jtext_check(json.s, json.n, true, ret, NULL) && jtext_type(*ret) == type;
}

static void
add_text(struct buf *to, const char *key, struct span text)
{
	if (text.s)
		jtext_add_string(to, key, text.s, text.n);
}

/* False: something is no JSON. */
static bool
take_options(struct turn *turn, const struct runtime_turn_request *request)
{
	struct buf sandbox = BUF_INIT;
	struct span value;

	buf_addch(&turn->options, '{');
	buf_addch(&turn->thread_params, '{');
	add_text(&turn->options, "cwd", request->cwd);
	add_text(&turn->options, "model", request->model);
	add_text(&turn->options, "effort", request->effort);
	add_text(&turn->options, "personality", request->personality);
	if (request->approval_policy.n && *request->approval_policy.s == '{') {
		if (!check(request->approval_policy, JTEXT_OBJECT, &value))
			return false;
		buf_reset(&sandbox);
		jtext_compact(&sandbox, value);
		jtext_add_raw(&turn->options, "approvalPolicy", sandbox.s, sandbox.len);
	} else
		add_text(&turn->options, "approvalPolicy", request->approval_policy);
	if (request->sandbox_policy.s) {
		if (!jtext_check(request->sandbox_policy.s, request->sandbox_policy.n, true, &value, NULL)) {
			buf_release(&sandbox);
			return false;
		}
		buf_reset(&sandbox);
		message_add_sandbox(&sandbox, value);
		jtext_add_raw(&turn->options, "sandboxPolicy", sandbox.s, sandbox.len);
	}
	buf_release(&sandbox);
	if (request->input.s) {
		if (!check(request->input, JTEXT_ARRAY, &value))
			return false;
		buf_addstr(&turn->options, turn->options.len > 1 ? ",\"input\":" : "\"input\":");
		jtext_compact(&turn->options, value);
		turn->input_given = true;
	}
	if (request->turn_params.s) {
		struct buf so_far = BUF_INIT;

		if (!check(request->turn_params, JTEXT_OBJECT, &value))
			return false;
		buf_addf(&so_far, "%s}", turn->options.s);
		add_members(&turn->options, value, as_span(&so_far));
		buf_release(&so_far);
	}
	if (request->thread_params.s) {
		if (!check(request->thread_params, JTEXT_OBJECT, &value))
			return false;
		add_members(&turn->thread_params, value, SPAN_NONE);
		if (jtext_get(value, "cwd", &value))
			return true;
	}
	add_text(&turn->thread_params, "cwd", request->cwd);
	return true;
}

static size_t
count(const struct runtime *runtime)
{
	const struct turn *turn;
	size_t n = 0;

	for (turn = runtime->turns; turn; turn = turn->next)
		n++;
	return n;
}

uint64_t
runtime_turn_start(struct runtime *runtime, const struct runtime_turn_request *request, runtime_event_cb *cb, void *payload)
{
	struct turn *turn = xcalloc(1, sizeof *turn), **end = &runtime->turns;
	bool many = count(runtime) >= RUNTIME_TURNS_MAX, busy = request->thread.s && turn_on(runtime, request->thread.s, request->thread.n);

	turn->runtime = runtime;
	turn->number = ++runtime->next_number;
	turn->cb = cb;
	turn->payload = payload;
	turn->new_if_lost = request->new_if_lost;
	turn->timeout_ms = request->timeout_ms;
	turn->deadline = request->timeout_ms > 0 ? deadline_in(request->timeout_ms) : DEADLINE_NONE;
	turn->left = turn->stop_at = turn->again_at = DEADLINE_NONE;
	buf_init(&turn->text);
	buf_init(&turn->options);
	buf_init(&turn->thread_params);
	buf_init(&turn->thread);
	buf_init(&turn->id);
	buf_init(&turn->said);
	buf_init(&turn->message);
	buf_init(&turn->error);
	buf_init(&turn->error_info);
	while (*end)
		end = &(*end)->next;
	*end = turn;
	turn->prev = end;
	if (request->text.s)
		buf_add(&turn->text, request->text.s, request->text.n);
	if (runtime->stopping)
		turn_fail(turn, RUNTIME_FAULT_STOPPING, "the runtime is being stopped");
	else if (busy)
		turn_fail(turn, RUNTIME_FAULT_BUSY, "a turn is in progress on this thread");
	else if (many)
		turn_fail(turn, RUNTIME_FAULT_BUSY, "there are too many turns at once");
	else if (!take_options(turn, request))
		turn_fail(turn, RUNTIME_FAULT_INPUT, "an option of the turn is no JSON");
	if (request->thread.s)
		buf_add(&turn->thread, request->thread.s, request->thread.n);
	runtime_tick(runtime);
	return turn->number;
}

static struct turn *
find(const struct runtime *runtime, uint64_t number)
{
	struct turn *turn;

	for (turn = runtime->turns; turn; turn = turn->next)
		if (number && turn->number == number && turn->cb && !turn->ending)
			return turn;
	return NULL;
}

bool
runtime_turn_interrupt(struct runtime *runtime, uint64_t number)
{
	struct turn *turn = find(runtime, number);

	if (!turn)
		return false;
	if (turn->stop == STOP_INTERRUPT)
		return true;
	if (turn->state == TURN_FAILED)
		turn->stop = STOP_INTERRUPT; /* its end has not been told yet */
	else
		turn_stop(turn, STOP_INTERRUPT);
	return true;
}

uint64_t
runtime_turn_steer(struct runtime *runtime, uint64_t number, struct span text, runtime_reply_cb *cb, void *payload)
{
	struct turn *turn = find(runtime, number);
	struct buf params = BUF_INIT;
	struct call *call;

	buf_addch(&params, '{');
	if (turn) {
		jtext_add_string(&params, "threadId", turn->thread.s, turn->thread.len);
		jtext_add_string(&params, "expectedTurnId", turn->id.s, turn->id.len);
	}
	jtext_add_raw(&params, "input", "[{\"type\":\"text\"", 15);
	jtext_add_string(&params, "text", text.s ? text.s : "", text.n);
	buf_addstr(&params, ",\"text_elements\":[]}]}");
	call = call_new(runtime, "turn/steer", &params, 0, cb, payload);
	call->number = ++runtime->next_number;
	if (!turn || turn->state != TURN_RUNNING || turn->stop)
		call_fail(runtime, call, RUNTIME_FAULT_REFUSED, "no turn is in progress");
	runtime_tick(runtime);
	return call->number;
}
