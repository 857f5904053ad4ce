/* recover.c - turns that an earlier gateway left in progress: closed as error, before anybody asks */
#include "compat.h"

#include "compass/internal.h"

#define RECOVER_AT_ONCE 500 /* turns of one change */

static bool
apply_recover(struct change *change, const void *row, struct change_context *context)
{
	struct turn turn;
	bool found = true;
	size_t i;

	(void)row;
	for (i = 0; found && i < RECOVER_AT_ONCE; i++) {
		turn_init(&turn);
		found = change_turn_open(context, SPAN_NONE, &turn);
		if (found) {
			approvals_give_up(context, &turn);
			turn.status = THREAD_ERROR;
			turn_add_error(&turn.error, "The gateway ended while the turn was in progress", "AGENT_GATEWAY_RESTARTED");
			found = turn_finish(context, &turn, SPAN_NONE, SPAN_NONE);
		}
		turn_release(&turn);
	}
	if (found)
		buf_addstr(&change->answer, "more");
	return true;
}

static void
done_recover(struct change *change)
{
	struct compass *compass = change->payload;
	bool more = change->answer.len > 0;

	change_free(change);
	if (more)
		flights_recover(compass);
}

void
flights_recover(struct compass *compass)
{
	struct change *change = change_new(done_recover, compass);

	change->apply = apply_recover;
	log_change(compass->settings.log, change);
}
