/* call.c - requests to the child, and their answers */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "runtime/internal.h"
#include "trouble.h"
#include "xalloc.h"

struct call *
call_new(struct runtime *runtime, const char *method, struct buf *params, int64_t timeout_ms, runtime_reply_cb *cb, void *payload)
{
	struct call *call = xcalloc(1, sizeof *call), **end = &runtime->call_list;

	call->method = xstrdup(method);
	call->params = *params;
	buf_init(params);
	call->timeout_ms = timeout_ms > 0 ? timeout_ms : runtime->settings.call_timeout_ms;
	call->deadline = deadline_in(call->timeout_ms);
	call->cb = cb;
	call->payload = payload;
	while (*end)
		end = &(*end)->next;
	*end = call;
	call->prev = end;
	return call;
}

static void
unlink_call(struct call *call)
{
	*call->prev = call->next;
	if (call->next)
		call->next->prev = call->prev;
}

static void
free_call(struct call *call)
{
	if (call->secret && call->params.cap)
		explicit_bzero(call->params.s, call->params.cap);
	buf_release(&call->params);
	trace_release(&call->trace);
	free(call->method);
	free(call->message);
	free(call);
}

void
call_drop(struct call *call)
{
	if (!call)
		return;
	unlink_call(call);
	free_call(call);
}

/* Tells the answer, and frees. The call is off the list first, so the callback may do what it likes. */
static void
tell(struct runtime *runtime, struct call *call, const struct runtime_reply *reply)
{
	unlink_call(call);
	if (runtime->greeting == call)
		runtime->greeting = NULL;
	if (call->cb)
		call->cb(reply, call->payload);
	free_call(call);
}

/* Told by the next tick. */
static void
fail(struct runtime *runtime, struct call *call, enum runtime_fault fault, const char *message)
{
	call->state = CALL_FAILED;
	call->fault = fault;
	if (fault == RUNTIME_FAULT_PAUSED)
		call->retry_after_ms = deadline_left(runtime->pause_until);
	free(call->message);
	call->message = xstrdup(message);
	runtime_tick(runtime);
}

void
call_send(struct runtime *runtime, struct call *call)
{
	struct buf *line = &runtime->line;

	call->id = runtime->next_id++;
	call->generation = runtime->generation;
	call->state = CALL_SENT;
	buf_reset(line);
	buf_addstr(line, "{\"id\":");
	buf_addu64(line, (uint64_t)call->id);
	buf_addstr(line, ",\"method\":");
	jtext_quote(line, call->method, strlen(call->method));
	buf_addstr(line, ",\"params\":");
	buf_add(line, call->params.s, call->params.len);
	if (call->trace.parent) {
		buf_addstr(line, ",\"trace\":{");
		jtext_add_text(line, "traceparent", call->trace.parent);
		jtext_add_given(line, "tracestate", call->trace.state);
		buf_addch(line, '}');
	}
	buf_addch(line, '}');
	if (!runtime_send(runtime, line, call->secret))
		fail(runtime, call, RUNTIME_FAULT_BUSY, "the runtime does not read what it is sent");
	if (call->secret)
		explicit_bzero(line->s, line->cap ? line->cap : 0);
	if (call->secret && call->params.cap)
		explicit_bzero(call->params.s, call->params.cap);
	buf_release(&call->params);
}

bool
replies_tell(struct runtime *runtime)
{
	struct call *call;

	for (call = runtime->call_list; call; call = call->next)
		if (call->state == CALL_FAILED) {
			struct runtime_reply reply = { .fault = call->fault,
				.result = SPAN_NONE,
				.message = call->message,
				.code = "",
				.retry_after_ms = call->retry_after_ms };

			tell(runtime, call, &reply);
			return true;
		}
	return false;
}

/* A thread that a call has started or resumed needs not be resumed by its first turn. */
static void
note_thread(struct runtime *runtime, const struct call *call, struct span result)
{
	struct buf id = BUF_INIT;
	struct span thread;

	if (call->asked && (!strcmp(call->method, "thread/start") || !strcmp(call->method, "thread/resume")) &&
	    jtext_get(result, "thread", &thread) && jtext_get_string(thread, "id", &id) && id.len && id.len == strlen(id.s))
		threads_add(&runtime->loaded, id.s, !strcmp(call->method, "thread/start"));
	buf_release(&id);
}

void
call_answer(struct runtime *runtime, const struct message *message)
{
	struct runtime_reply reply = { .fault = RUNTIME_FAULT_NONE, .result = message->params, .message = "", .code = "" };
	struct call *call;

	for (call = runtime->call_list; call; call = call->next)
		if (call->state == CALL_SENT && call->id == message->number)
			break;
	if (!call) {
		runtime->late++;
		return;
	}
	if (message->type == MESSAGE_ERROR) {
		/* a code of a gateway's says what it is, whatever the words are */
		reply.fault = !strncmp(message->word.s, "AGENT_", 6) ? RUNTIME_FAULT_REFUSED : trouble_of_refusal(message->text.s);
		reply.rpc_code = message->code;
		reply.message = message->text.s;
		reply.code = message->word.s;
		reply.status = message->status >= 400 && message->status <= 599 ? (int)message->status : 503;
		reply.result = SPAN_NONE;
	} else
		note_thread(runtime, call, message->params);
	tell(runtime, call, &reply);
}

void
calls_ready(struct runtime *runtime)
{
	struct call *call;

	for (call = runtime->call_list; call; call = call->next)
		if (call->state == CALL_WAITING)
			call_send(runtime, call);
}

void
calls_fail(struct runtime *runtime, uint64_t generation, enum runtime_fault fault, const char *message)
{
	struct call *call;

	for (call = runtime->call_list; call; call = call->next)
		if (call->state != CALL_FAILED && call->generation == generation)
			fail(runtime, call, fault, message);
}

void
calls_timeout(struct runtime *runtime)
{
	struct buf text = BUF_INIT;
	struct call *call;

	for (call = runtime->call_list; call; call = call->next)
		if (call->state != CALL_FAILED && call != runtime->greeting && !deadline_left(call->deadline)) {
			buf_reset(&text);
			buf_addf(&text, "the runtime gave no answer to %s within %lld ms", call->method, (long long)call->timeout_ms);
			fail(runtime, call, RUNTIME_FAULT_TIMEOUT, text.s);
		}
	buf_release(&text);
}

size_t
calls_count(const struct runtime *runtime, bool waiting)
{
	const struct call *call;
	size_t n = 0;

	for (call = runtime->call_list; call; call = call->next)
		n += waiting ? call->state == CALL_WAITING : call->asked;
	return n;
}

struct call *
call_ask(struct runtime *runtime, const char *method, struct span params, int64_t timeout_ms, runtime_reply_cb *cb, void *payload)
{
	struct buf text = BUF_INIT;
	struct span value;
	struct call *call;
	bool good = true;

	if (params.s) {
		good = jtext_check(params.s, params.n, true, &value, NULL);
		if (good)
			jtext_compact(&text, value);
	} else
		buf_addstr(&text, "{}");
	call = call_new(runtime, method, &text, timeout_ms, cb, payload);
	call->asked = true;
	if (!good)
		fail(runtime, call, RUNTIME_FAULT_INPUT, "the params are no JSON");
	else if (runtime->stopping)
		fail(runtime, call, RUNTIME_FAULT_STOPPING, "the runtime is being stopped");
	else if (calls_count(runtime, false) > RUNTIME_CALLS_MAX)
		fail(runtime, call, RUNTIME_FAULT_BUSY, "there are too many calls at once");
	runtime_tick(runtime);
	return call;
}

/* ---- the door */

void
runtime_call(struct runtime *runtime, const char *method, struct span params, int64_t timeout_ms, runtime_reply_cb *cb, void *payload)
{
	call_ask(runtime, method, params, timeout_ms, cb, payload);
}
