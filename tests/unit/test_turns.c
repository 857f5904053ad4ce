/* test_turns.c - proves common/turns.c */
#include "compat.h"

#include <string.h>

#include "event.h"
#include "status.h"
#include "tap.h"
#include "turns.h"

static struct event_view view;

static void
feed(struct turns *turns, const char *record)
{
	struct span span;

	if (jtext_check(record, strlen(record), true, &span, NULL) && event_view_read(&view, span))
		turns_event(turns, &view);
}

static bool
open_is(const struct turns *turns, const char *want)
{
	const char *open = turns_open(turns);

	return want ? open && !strcmp(open, want) : !open;
}

int
main(void)
{
	struct turns *turns = turns_new(NULL);
	char text[200];
	int i;

	event_view_init(&view);
	ok(open_is(turns, NULL) && turns_outcome(turns) == -1 && !turns_approvals(turns), "nothing is known at first");
	feed(turns, "{\"cursor\":1,\"threadId\":\"t\",\"turnId\":null,\"method\":\"thread.started\",\"payload\":{}}");
	feed(turns, "{\"cursor\":2,\"threadId\":\"t\",\"turnId\":\"a\",\"method\":\"turn.started\",\"payload\":{\"turnId\":\"a\"}}");
	ok(open_is(turns, "a") && turns_outcome(turns) == -1, "a turn begins");
	feed(turns, "{\"turnId\":\"a\",\"method\":\"approval.requested\",\"payload\":{\"approvalId\":\"p\"}}");
	feed(turns, "{\"turnId\":\"a\",\"method\":\"approval.requested\",\"payload\":{\"approvalId\":\"p\"}}");
	feed(turns, "{\"turnId\":\"a\",\"method\":\"approval.requested\",\"payload\":{\"approvalId\":\"q\"}}");
	ok(turns_approvals(turns) == 2, "two approvals, one of them told twice");
	feed(turns, "{\"turnId\":\"a\",\"method\":\"approval.resolved\",\"payload\":{\"approvalId\":\"p\"}}");
	ok(turns_approvals(turns) == 1, "one is resolved");
	feed(turns, "{\"turnId\":\"a\",\"method\":\"turn.completed\",\"payload\":{\"turnId\":\"a\",\"status\":\"interrupted\"}}");
	ok(open_is(turns, NULL) && turns_outcome(turns) == STATUS_CANCELLED && !turns_approvals(turns),
	    "its end takes the other one along");
	feed(turns, "{\"turnId\":\"a\",\"method\":\"turn.completed\",\"payload\":{\"turnId\":\"a\",\"status\":\"completed\"}}");
	ok(turns_outcome(turns) == STATUS_CANCELLED, "the first end counts");
	feed(turns, "{\"turnId\":\"b\",\"method\":\"turn.started\"}");
	feed(turns, "{\"turnId\":\"b\",\"method\":\"turn.completed\",\"payload\":{\"status\":\"error\"}}");
	ok(turns_outcome(turns) == STATUS_FAILED, "another turn fails");
	feed(turns, "{\"method\":\"turn.completed\",\"payload\":{\"turnId\":\"c\",\"status\":\"completed\"}}");
	ok(turns_outcome(turns) == STATUS_OK, "the turn may stand in the payload only");
	feed(turns, "{\"turnId\":\"d\",\"method\":\"turn.completed\",\"payload\":7}");
	ok(turns_outcome(turns) == STATUS_FAILED, "an end without a status is a failure");
	for (i = 0; i <= TURNS_APPROVALS_MAX; i++) {
		(void)snprintf(
		    text, sizeof text, "{\"turnId\":\"e\",\"method\":\"approval.requested\",\"payload\":{\"approvalId\":\"%d\"}}", i);
		feed(turns, text);
	}
	ok(turns_approvals(turns) == TURNS_APPROVALS_MAX, "no more approvals than the limit are remembered");
	turns_free(turns);

	turns = turns_new("a");
	feed(turns, "{\"turnId\":\"b\",\"method\":\"turn.started\"}");
	feed(turns, "{\"turnId\":\"b\",\"method\":\"turn.completed\",\"payload\":{\"status\":\"completed\"}}");
	ok(open_is(turns, NULL) && turns_outcome(turns) == -1 && !turns_about(turns, &view), "only the turn that was asked for counts");
	feed(turns, "{\"turnId\":\"a\",\"method\":\"turn.completed\",\"payload\":{\"status\":\"completed\"}}");
	ok(turns_outcome(turns) == STATUS_OK && turns_about(turns, &view), "and that one does");
	turns_free(turns);
	turns_free(NULL);
	event_view_release(&view);
	return done();
}
