/* approval.c - what the child asks, and the answers it gets */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "runtime/internal.h"
#include "xalloc.h"

void
approval_free(struct approval *approval)
{
	*approval->prev = approval->next;
	if (approval->next)
		approval->next->prev = approval->prev;
	buf_release(&approval->id);
	buf_release(&approval->method);
	buf_release(&approval->params);
	buf_release(&approval->item);
	free(approval);
}

/* ---- answers */

static void
send_result(struct runtime *runtime, struct span id, const struct buf *result)
{
	struct buf *line = &runtime->line;

	buf_reset(line);
	buf_addstr(line, "{\"id\":");
	jtext_compact(line, id);
	buf_addstr(line, ",\"result\":");
	buf_add(line, result->s, result->len);
	buf_addch(line, '}');
	runtime_say(runtime, line);
}

static void
send_refusal(struct runtime *runtime, struct span id, const char *why)
{
	struct buf *line = &runtime->line;

	buf_reset(line);
	buf_addstr(line, "{\"id\":");
	jtext_compact(line, id);
	buf_addstr(line, ",\"error\":{\"code\":-32000,\"message\":");
	jtext_quote(line, why, strlen(why));
	buf_addstr(line, "}}");
	runtime_say(runtime, line);
}

static void
send_decision(struct runtime *runtime, struct span id, enum runtime_approval_kind kind, enum runtime_decision decision, struct span params)
{
	struct buf result = BUF_INIT;

	if (message_add_decision(&result, kind, decision, params))
		send_result(runtime, id, &result);
	else
		send_refusal(runtime, id, "declined");
	buf_release(&result);
}

static void
close_it(struct turn *turn, struct approval *approval, enum approval_state state)
{
	approval->state = state;
	approval->deadline = DEADLINE_NONE;
	turn->open--;
	turn_clock(turn);
	runtime_tick(turn->runtime);
}

static struct approval *
find(const struct runtime *runtime, uint64_t number, struct turn **ret_turn)
{
	struct turn *turn;
	struct approval *approval;

	for (turn = runtime->turns; turn; turn = turn->next)
		for (approval = turn->approvals; approval; approval = approval->next)
			if (number && approval->number == number && approval->state == APPROVAL_OPEN) {
				*ret_turn = turn;
				return approval;
			}
	return NULL;
}

bool
runtime_approval_answer(struct runtime *runtime, uint64_t number, const struct runtime_answer *answer)
{
	struct turn *turn = NULL;
	struct approval *approval = find(runtime, number, &turn);
	struct buf result = BUF_INIT;
	struct span value;

	if (!approval || turn->ending || turn->state == TURN_FAILED)
		return false;
	if (answer->result.s) {
		if (!jtext_check(answer->result.s, answer->result.n, true, &value, NULL))
			return false;
		jtext_compact(&result, value);
		send_result(runtime, span_of(&approval->id), &result);
		buf_release(&result);
	} else
		send_decision(runtime, span_of(&approval->id), approval->kind, answer->decision, span_of(&approval->params));
	approval->decision = answer->decision;
	close_it(turn, approval, APPROVAL_ANSWERED);
	return true;
}

/* ---- questions */

static struct approval *
add(struct turn *turn, const struct message *message)
{
	struct approval *approval = xcalloc(1, sizeof *approval), **end = &turn->approvals;
	int64_t wait = turn->runtime->settings.approval_timeout_ms;

	buf_init(&approval->id);
	buf_init(&approval->method);
	buf_init(&approval->params);
	buf_init(&approval->item);
	approval->number = ++turn->runtime->next_number;
	approval->kind = message_approval(message->method.s);
	approval->deadline = wait > 0 ? deadline_in(wait) : DEADLINE_NONE;
	jtext_compact(&approval->id, message->id);
	buf_add(&approval->method, message->method.s, message->method.len);
	if (approval->kind == RUNTIME_APPROVE_PERMISSIONS)
		jtext_compact(&approval->params, message->params);
	jtext_get_string(message->params, "itemId", &approval->item);
	while (*end)
		end = &(*end)->next;
	*end = approval;
	approval->prev = end;
	turn->open++;
	turn_clock(turn);
	return approval;
}

/* The turn that a request is about, NULL when it is about none of ours. */
static struct turn *
asks(const struct runtime *runtime, const struct message *message)
{
	struct buf thread = BUF_INIT, id = BUF_INIT;
	struct turn *turn = NULL;

	if (jtext_get_string(message->params, "threadId", &thread))
		turn = turn_on(runtime, thread.s, thread.len);
	if (turn && turn->state < TURN_STARTING)
		turn = NULL;
	if (turn && jtext_get_string(message->params, "turnId", &id)) {
		if (turn->id.len && !buf_equal(&turn->id, &id))
			turn = NULL;
		else if (!turn->id.len && (!id.len || runtime_was_over(runtime, id.s)))
			turn = NULL;
		else if (!turn->id.len)
			turn_set_id(turn, id.s);
	}
	buf_release(&thread);
	buf_release(&id);
	return turn;
}

void
approval_request(struct runtime *runtime, const struct message *message)
{
	struct turn *turn = asks(runtime, message);
	enum runtime_approval_kind kind = message_approval(message->method.s);
	struct runtime_event event = { .type = RUNTIME_APPROVAL, .method = message->method.s, .params = message->params, .kind = kind };
	struct buf why = BUF_INIT;
	struct approval *approval;

	if (!turn) {
		buf_addf(&why, "Unhandled server request: %.200s", message->method.s);
		send_refusal(runtime, message->id, why.s);
		buf_release(&why);
		if (runtime->calls.notice)
			runtime->calls.notice(message->method.s, message->params, runtime->payload);
		return;
	}
	turn_started(turn, message->method.s, message->params);
	if (turn->stop || !turn->cb || turn->open >= RUNTIME_APPROVALS_MAX || turn->state == TURN_FAILED) {
		send_decision(runtime, message->id, kind, turn->stop ? RUNTIME_CANCEL : RUNTIME_DECLINE, message->params);
		return;
	}
	approval = add(turn, message);
	event.approval = approval->number;
	event.item_id = approval->item.s;
	turn_event(turn, &event);
}

void
approval_resolved(struct runtime *runtime, struct span thread, struct span id)
{
	struct turn *turn = turn_on(runtime, thread.s, thread.n);
	struct approval *approval;
	struct buf text = BUF_INIT;

	approvals_tell(runtime); /* the one that was answered, most likely: before what follows from the answer */
	jtext_compact(&text, id);
	for (approval = turn ? turn->approvals : NULL; approval; approval = approval->next)
		if (approval->state == APPROVAL_OPEN && buf_equal(&approval->id, &text)) {
			close_it(turn, approval, APPROVAL_WITHDRAWN);
			approvals_tell(runtime);
			break;
		}
	buf_release(&text);
}

void
approvals_withdraw(struct turn *turn)
{
	struct approval *approval;

	for (approval = turn->approvals; approval; approval = approval->next)
		if (approval->state == APPROVAL_OPEN)
			close_it(turn, approval, APPROVAL_WITHDRAWN);
}

void
approvals_timeout(struct turn *turn)
{
	struct approval *approval;

	for (approval = turn->approvals; approval; approval = approval->next)
		if (approval->state == APPROVAL_OPEN && !deadline_left(approval->deadline)) {
			send_decision(turn->runtime, span_of(&approval->id), approval->kind, RUNTIME_DECLINE, span_of(&approval->params));
			approval->decision = RUNTIME_DECLINE;
			close_it(turn, approval, APPROVAL_LATE);
		}
}

/* ---- telling how they were resolved */

static void
tell(struct turn *turn, struct approval *approval)
{
	static const enum runtime_resolved how[] = { RUNTIME_RESOLVED_WITHDRAWN, RUNTIME_RESOLVED_ANSWERED, RUNTIME_RESOLVED_TIMEOUT,
		RUNTIME_RESOLVED_WITHDRAWN };
	struct buf item = approval->item;
	struct runtime_event event = { .type = RUNTIME_APPROVAL_RESOLVED,
		.params = SPAN_NONE,
		.approval = approval->number,
		.kind = approval->kind,
		.item_id = item.s,
		.how = how[approval->state],
		.decision = approval->decision };

	buf_init(&approval->item);
	approval_free(approval); /* first, so that the callback finds it gone */
	turn_event(turn, &event);
	buf_release(&item);
}

bool
approvals_tell(struct runtime *runtime)
{
	struct approval *approval;
	struct turn *turn;

	for (turn = runtime->turns; turn; turn = turn->next)
		for (approval = turn->approvals; approval; approval = approval->next)
			if (approval->state != APPROVAL_OPEN) {
				tell(turn, approval);
				return true;
			}
	return false;
}

void
approvals_close(struct turn *turn)
{
	while (turn->approvals) {
		if (turn->approvals->state == APPROVAL_OPEN)
			turn->open--;
		tell(turn, turn->approvals);
	}
}
