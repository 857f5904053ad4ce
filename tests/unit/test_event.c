/* test_event.c - the members of an event record that commands look at */
#include "compat.h"

#include <stdlib.h>

#include "event.h"
#include "status.h"
#include "tap.h"

static struct event_view view;

static bool
read_text(const char *text, size_t n)
{
	struct span value;

	if (!jtext_check(text, n, false, &value, NULL)) {
		printf("Bail out! not JSON: %s\n", text);
		exit(1);
	}
	return event_view_read(&view, value);
}

#define READ(text) read_text((text), sizeof(text) - 1)

static void
test_run_event(void)
{
	ok(READ(
	       " {\"seq\":13,\"at\":\"x\",\"kind\":\"agent.waiting\",\"level\":\"info\",\"message\":\"m\",\"data\":{\"runId\":\" r 1\\n\"}} "),
	    "an event is read");
	is_int(view.seq, 13, "its seq");
	is_buf(&view.kind, "agent.waiting", "its kind");
	is_buf(&view.run, "r 1", "its run, trimmed");
	is_bytes(view.data.s, view.data.n, "{\"runId\":\" r 1\\n\"}", 18, "its data as they stand there");
	is_int(view.whole.s[0], '{', "the record without the blanks around it");

	ok(READ("{\"kind\":\"a.b\",\"data\":{\"run_id\":\"snake\"}}"), "an event without seq is read");
	is_int(view.seq, -1, "seq -1 says that it has none");
	is_buf(&view.run, "snake", "run_id counts as well");
	ok(READ("{\"kind\":\"a\",\"data\":{\"runId\":null,\"run_id\":\"s\"}}"), "a null runId is none");
	is_buf(&view.run, "s", "and run_id counts");
	ok(READ("{\"kind\":\"a\",\"data\":{\"runId\":9007199254740993}}"), "an id may be a number");
	is_buf(&view.run, "9007199254740993", "with all its digits");
	ok(READ("{\"kind\":\"a\",\"data\":\"text\"}"), "data may be anything");
	is_buf(&view.run, "", "and names no run then");
	ok(READ("{\"kind\":\"a\"}") && !view.data.s, "or be absent");
}

static void
test_thread_event(void)
{
	ok(READ(
	       "{\"cursor\":7,\"threadId\":\"t1\",\"turnId\":\"u\",\"method\":\"item/completed\",\"payload\":{\"x\":1},\"createdAt\":\"c\"}"),
	    "a thread event is read");
	is_int(view.seq, 7, "cursor is its seq");
	is_buf(&view.kind, "item/completed", "method its kind");
	is_buf(&view.run, "t1", "the thread its run");
	is_bytes(view.data.s, view.data.n, "{\"x\":1}", 7, "the payload its data");
}

static void
test_odd_numbers(void)
{
	ok(READ("{\"seq\":9007199254740993,\"kind\":\"a\"}") && view.seq == INT64_C(9007199254740993), "a seq beyond the doubles is exact");
	ok(READ("{\"seq\":1.5,\"kind\":\"a\"}") && view.seq == -1, "a fraction is no seq");
	ok(READ("{\"seq\":\"7\",\"kind\":\"a\"}") && view.seq == -1, "a string is no seq");
	ok(READ("{\"seq\":99999999999999999999,\"kind\":\"a\"}") && view.seq == -1, "one that does not fit is no seq");
}

static void
test_no_event(void)
{
	ok(!READ("{\"seq\":1}"), "no kind: no event");
	ok(!READ("{\"kind\":\"\"}"), "an empty kind: no event");
	ok(!READ("{\"kind\":5}"), "a kind that is no string: no event");
	ok(!READ("[{\"kind\":\"a\"}]"), "an array: no event");
	ok(!READ("\"kind\"") && !view.kind.len && view.seq == -1, "a string: no event, and nothing of the last one stays");
}

/* What is compared as a C string must not end early. */
static void
test_nul(void)
{
	ok(READ("{\"kind\":\"agent.run_completed\\u0000x\",\"data\":{\"runId\":\"r\\u0000s\"}}"), "a kind with a NUL is read");
	ok(!event_is_terminal(view.kind.s), "and is not taken for the terminal one");
	is_buf(&view.kind, "agent.run_completed?x", "the NUL is a question mark");
	is_buf(&view.run, "r?s", "also in ids");
}

static void
test_outcome(void)
{
	is_int(event_outcome("agent.run_completed"), STATUS_OK, "completed is good");
	is_int(event_outcome("agent.run_failed"), STATUS_FAILED, "failed is 10");
	is_int(event_outcome("agent.run_cancelled"), STATUS_CANCELLED, "cancelled is 11");
	is_int(event_outcome("agent.run_started"), -1, "others have no outcome");
	ok(event_is_terminal("agent.run_failed") && !event_is_terminal("agent.waiting") && !event_is_terminal(""),
	    "three kinds are terminal");
}

int
main(void)
{
	event_view_init(&view);
	test_run_event();
	test_thread_event();
	test_odd_numbers();
	test_no_event();
	test_nul();
	test_outcome();
	event_view_release(&view);
	return done();
}
