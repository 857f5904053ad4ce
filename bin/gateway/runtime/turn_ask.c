/* turn_ask.c - the door of turns: what is asked for is checked, copied, and done by the next tick */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "runtime/internal.h"
#include "xalloc.h"

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
		add_members(&turn->options, value, span_of(&so_far));
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
	trace_copy(&turn->trace, request->trace);
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
	buf_init(&turn->error_code);
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
