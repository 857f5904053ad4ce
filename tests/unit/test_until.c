/* test_until.c - how long events are followed */
#include "compat.h"

#include "err.h"
#include "event.h"
#include "status.h"
#include "tap.h"
#include "until.h"

static struct event_view view;

static const struct event_view *
event(int64_t seq, const char *kind)
{
	static char text[256];
	int n = snprintf(text, sizeof text, "{\"seq\":%lld,\"kind\":\"%s\",\"data\":{\"runId\":\"r\"}}", (long long)seq, kind);

	ok(event_view_read(&view, (struct span){ text, (size_t)n }), "event %lld", (long long)seq);
	return &view;
}

static void
test_words(void)
{
	struct until_set set = { .n = 0 };
	struct err err = ERR_INIT;
	size_t i;
	bool good = true;

	ok(until_add(&set, "never", &err) && set.given && !set.terminal && !set.waiting && !set.n, "never asks for nothing, but was asked");
	ok(until_add(&set, "terminal", &err) && set.terminal && until_add(&set, "waiting", &err) && set.waiting, "the two words");
	ok(!until_add(&set, "sometime", &err) && err.status == STATUS_USAGE, "other words are refused");
	for (i = 0; i < UNTIL_KINDS_MAX; i++)
		good &= until_add(&set, "agent.x", &err);
	ok(good && !until_add(&set, "agent.x", &err), "as many kinds as the limit, and not one more");
}

static void
test_terminal(void)
{
	static const struct until_set set = { .terminal = true };
	struct until until;

	until_init(&until, &set, true);
	ok(!until_event(&until, event(1, "agent.run_started"), false), "a start ends nothing");
	ok(!until_edge(&until), "nor does the edge");
	ok(until_event(&until, event(2, "agent.run_failed"), true), "an end does, also in a replay");
	is_int(until.outcome, STATUS_FAILED, "with its outcome");
	until_release(&until);

	until_init(&until, &set, true);
	until_past(&until, event(1, "agent.run_cancelled"));
	ok(until_edge(&until), "an end before the cursor is found at the edge");
	is_int(until.outcome, STATUS_CANCELLED, "with its outcome");
	until_release(&until);

	until_init(&until, &set, false);
	ok(!until_event(&until, event(1, "agent.run_failed"), false) && !until_edge(&until), "for all runs one's end is none");
	until_release(&until);
}

static void
test_waiting(void)
{
	static const struct until_set set = { .waiting = true };
	struct until until;

	until_init(&until, &set, true);
	ok(!until_event(&until, event(1, "agent.chat.user_message"), true), "a message");
	ok(!until_event(&until, event(2, "agent.waiting"), true), "an old waiting does not count in a replay");
	ok(!until_event(&until, event(3, "agent.chat.user_message"), true), "because of the next message");
	ok(!until_edge(&until), "which is unanswered at the edge");
	ok(until_event(&until, event(4, "agent.waiting"), false), "then the live one counts");
	is_int(until.outcome, STATUS_WAITING, "as waiting");
	until_release(&until);

	until_init(&until, &set, true);
	until_past(&until, event(1, "agent.chat.user_message"));
	ok(!until_edge(&until), "the message of the cursor is unanswered");
	ok(until_event(&until, event(2, "agent.run_completed"), false), "a run that ends will never wait");
	is_int(until.outcome, STATUS_OK, "it ends with its outcome");
	until_release(&until);
}

static void
test_kinds(void)
{
	static const struct until_set set = { .kinds = { "agent.a", "agent.b" }, .n = 2 };
	struct until until;

	until_init(&until, &set, false);
	ok(!until_event(&until, event(1, "agent.run_failed"), false), "an end was not asked for");
	ok(until_event(&until, event(2, "agent.b"), true), "a kind counts wherever it comes");
	is_int(until.outcome, STATUS_OK, "and is good");
	until_release(&until);
}

static const struct event_view *
thread_event(const char *method, const char *turn, const char *payload)
{
	static char text[200];
	int n = snprintf(text, sizeof text, "{\"cursor\":1,\"threadId\":\"t\",\"turnId\":\"%s\",\"method\":\"%s\",\"payload\":%s}", turn,
	    method, payload);

	ok(event_view_read(&view, (struct span){ text, (size_t)n }), "%s of %s", method, turn);
	return &view;
}

static void
test_threads(void)
{
	static const struct until_set over = { .terminal = true }, waiting = { .waiting = true };
	struct until until;

	until_init_thread(&until, &over, NULL);
	ok(!until_edge(&until), "a thread without a turn is not over");
	ok(!until_event(&until, thread_event("turn.started", "a", "{}"), false), "nor while one is in progress");
	ok(!until_event(&until, thread_event("turn.completed", "a", "{\"status\":\"error\"}"), true), "its end may be past");
	ok(!until_event(&until, thread_event("turn.started", "b", "{}"), true), "when another one begins");
	ok(until_event(&until, thread_event("turn.completed", "b", "{\"status\":\"interrupted\"}"), false), "none is in progress");
	is_int(until.outcome, STATUS_CANCELLED, "the last one counts");
	until_release(&until);

	until_init_thread(&until, &over, "a");
	ok(!until_event(&until, thread_event("turn.completed", "b", "{\"status\":\"error\"}"), false), "another turn's end is none");
	ok(until_event(&until, thread_event("turn.completed", "a", "{\"status\":\"completed\"}"), true),
	    "the end of a turn is final wherever it comes");
	is_int(until.outcome, STATUS_OK, "with its outcome");
	until_release(&until);

	until_init_thread(&until, &waiting, "a");
	ok(!until_event(&until, thread_event("approval.requested", "a", "{\"approvalId\":\"p\"}"), true),
	    "an approval in the past may be resolved");
	ok(!until_event(&until, thread_event("approval.resolved", "a", "{\"approvalId\":\"p\"}"), false), "as it is");
	ok(until_event(&until, thread_event("approval.requested", "a", "{\"approvalId\":\"q\"}"), false), "one that is open is waited for");
	is_int(until.outcome, STATUS_WAITING, "and that is said");
	until_release(&until);
}

int
main(void)
{
	event_view_init(&view);
	test_words();
	test_terminal();
	test_waiting();
	test_kinds();
	test_threads();
	event_view_release(&view);
	return done();
}
