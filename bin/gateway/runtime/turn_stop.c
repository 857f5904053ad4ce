/* turn_stop.c - telling a turn to stop, and its deadlines */
#include "compat.h"

#include <string.h>

#include "clock.h"
#include "runtime/internal.h"

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
	jtext_add_buf(&params, "threadId", &turn->thread);
	jtext_add_buf(&params, "turnId", &turn->id);
	buf_addch(&params, '}');
	turn->interrupt = turn_call(turn, "turn/interrupt", &params, 0, on_interrupt);
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
