/* test_localturn.c - one turn on a runtime that is started here: what it is sent, what becomes of what it says */
#include "compat.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "localturn.h"
#include "tap.h"

#define WAIT_MS 30000

/* The shell that plays the runtime: say LINE; hear (one line of its input, into the file "sent"). */
#define RUNTIME                                                                                                                            \
	"say() { printf '%s\\n' \"$1\"; }; hear() { IFS= read -r line && printf '%s\\n' \"$line\" >>sent; }; "                             \
	"begin() { hear; say '{\"id\":1,\"result\":{}}'; hear; hear; say '{\"id\":2,\"result\":{\"thread\":{\"id\":\"T\"}}}'; hear; "      \
	"say '{\"id\":3,\"result\":{\"turn\":{\"id\":\"U\",\"status\":\"inProgress\"}}}'; }; "                                             \
	"finish() { say \"{\\\"method\\\":\\\"turn/completed\\\",\\\"params\\\":{\\\"threadId\\\":\\\"T\\\",\\\"turn\\\":{\\\"id\\\":\\\"U\\\",\\\"status\\\":\\\"$1\\\"}}}\"; }; "
#define COMPLETED                                                                                                                          \
	"{\"method\":\"turn/completed\",\"params\":{\"threadId\":\"T\",\"turn\":{\"id\":\"U\",\"status\":\"completed\",\"error\":null}}}"

static struct buf events;

static void
on_event(const char *method, struct span what, void *payload)
{
	(void)payload;
	buf_addf(&events, "%s %.*s\n", method, (int)what.n, what.s);
}

static struct localturn *
begin(const char *command)
{
	struct buf text = BUF_INIT, whole = BUF_INIT;
	struct err err = ERR_INIT;
	struct localturn_request request = { .text = &text,
		.model = "m1",
		.effort = "high",
		.approval_policy = "on-request",
		.sandbox = "read-only",
		.decision = "decline",
		.event = on_event };
	struct localturn *turn;

	buf_reset(&events);
	(void)unlink("sent");
	buf_addstr(&text, "say \"hi\"");
	buf_addstr(&whole, RUNTIME);
	buf_addstr(&whole, command);
	request.command = whole.s;
	turn = localturn_new(&request, &err);
	buf_release(&text);
	buf_release(&whole);
	return turn;
}

static bool
step(struct localturn *turn, const char *until)
{
	int64_t deadline = deadline_in(WAIT_MS);
	struct pollfd fds[2];

	while (!localturn_step(turn)) {
		if (until && strstr(events.s, until))
			return true;
		if (deadline_left(deadline) == 0)
			return false;
		localturn_fds(turn, fds);
		(void)poll(fds, 2, 100);
	}
	return !until;
}

static void
expect(const char *command, const char *status, const char *text, const char *message, const char *want)
{
	struct localturn *turn = begin(command);

	if (!ok(turn && step(turn, NULL), "it ends: %s", command))
		return;
	is_str(localturn_status(turn), status, "its status");
	is_buf(localturn_text(turn), text, "its text");
	ok(strstr(localturn_message(turn), message), "why: %s", localturn_message(turn));
	if (want)
		is_buf(&events, want, "its events");
	localturn_free(turn);
}

static void
is_sent(const char *want)
{
	struct buf sent = BUF_INIT, name = BUF_INIT;
	struct err err = ERR_INIT;

	jtext_quote(&name, want, strlen(want));
	ok(buf_read_file(&sent, "sent", 1 << 20, &err) && strstr(sent.s, want), "it is sent %s", name.s);
	buf_release(&sent);
	buf_release(&name);
}

#define DELTA(text)                                                                                                                        \
	"say '{\"method\":\"item/agentMessage/delta\",\"params\":{\"threadId\":\"T\",\"itemId\":\"i\",\"delta\":\"" text "\"}}'; "
#define SAID(text) "item.delta {\"type\":\"assistant_message\",\"role\":\"assistant\",\"text\":\"" text "\"}\n"
#define ITEM(when, item) "say '{\"method\":\"item/" when "\",\"params\":{\"threadId\":\"T\",\"item\":" item "}}'; "

static void
test_events(void)
{
	expect("begin; " DELTA("one ") DELTA("two")
		   ITEM("completed", "{\"type\":\"agentMessage\",\"id\":\"i\",\"text\":\"one two\"}") "finish completed",
	    "completed", "one two", "", SAID("one ") SAID("two"));
	is_sent("{\"id\":1,\"method\":\"initialize\",\"params\":{\"clientInfo\":{\"name\":\"agent-turn-local\"");
	is_sent("{\"method\":\"initialized\"}\n{\"id\":2,\"method\":\"thread/start\",\"params\":{\"cwd\":\"");
	is_sent("\",\"model\":\"m1\",\"approvalPolicy\":\"on-request\",\"sandbox\":\"read-only\"}}\n");
	is_sent(
	    "{\"id\":3,\"method\":\"turn/start\",\"params\":{\"threadId\":\"T\",\"input\":[{\"type\":\"text\",\"text\":\"say \\\"hi\\\"\",\"text_elements\":[]}],\"effort\":\"high\"}}\n");
	/* a message that came in no pieces is said once; other items go through whole; the person's own words do not */
	expect("begin; " ITEM("started", "{\"type\":\"userMessage\",\"id\":\"u\"}") ITEM("started",
		   "{ \"type\": \"commandExecution\", \"id\": \"c\" }") ITEM("completed", "{\"type\":\"commandExecution\",\"id\":\"c\"}")
		   ITEM("started", "{\"type\":\"agentMessage\",\"id\":\"j\",\"text\":\"\"}")
		       ITEM("completed", "{\"type\":\"agentMessage\",\"id\":\"j\",\"text\":\"whole\"}") "finish completed",
	    "completed", "whole", "",
	    "item.started {\"item\":{\"type\":\"commandExecution\",\"id\":\"c\"}}\nitem.completed {\"item\":{\"type\":\"commandExecution\",\"id\":\"c\"}}\n" SAID(
		"whole"));
	/* what belongs to another thread, or to nobody, is nobody's */
	expect(
	    "begin; say '{\"method\":\"item/agentMessage/delta\",\"params\":{\"threadId\":\"X\",\"delta\":\"no\"}}'; say '{\"method\":\"codex/event/x\"}'; say '{}'; "
	    "say '{\"id\":99,\"result\":{}}'; say '{\"method\":\"error\",\"params\":{\"error\":{\"message\":\"busy\"}}}'; finish completed",
	    "completed", "", "", "error {\"message\":\"busy\"}\n");
}

static void
test_requests(void)
{
	expect("begin; say '{\"id\":\"a1\",\"method\":\"item/commandExecution/requestApproval\",\"params\":{ \"command\":\"ls\" }}'; hear; "
	       "say '{\"id\":7,\"method\":\"item/tool/call\",\"params\":{}}'; hear; finish completed",
	    "completed", "", "",
	    "local.approval {\"request\":\"item/commandExecution/requestApproval\",\"decision\":\"decline\",\"params\":{\"command\":\"ls\"}}\n");
	is_sent(
	    "\n{\"id\":\"a1\",\"result\":{\"decision\":\"decline\"}}\n{\"id\":7,\"error\":{\"code\":-32601,\"message\":\"nobody answers this here\"}}\n");
}

static void
test_failures(void)
{
	expect("hear; say '{\"id\":1,\"error\":{\"code\":-32600,\"message\":\"not today\"}}'; hear", "error", "", "not today", "");
	expect("hear; say '{\"id\":1,\"error\":7}'; hear", "error", "", "does not say why", "");
	expect("hear; say '{\"id\":1,\"result\":{}}'; hear; hear; say '{\"id\":2,\"result\":{\"thread\":{}}}'; hear", "error", "", "no id",
	    "");
	expect("begin; say 'no JSON'; hear", "error", "", "no JSON object", "");
	expect("begin; " DELTA("half") "exit 3", "error", "half", "ended with status 3", SAID("half"));
	expect("begin; kill -9 $$", "error", "", "signal 9", "");
	expect("exit 0", "error", "", "ended with status 0 before the turn did", "");
	expect(
	    "begin; say '{\"method\":\"turn/completed\",\"params\":{\"turn\":{\"status\":\"failed\",\"error\":{\"message\":\"broken\"}}}}'; hear",
	    "error", "", "broken", "");
	expect("begin; finish strange; hear", "error", "", "does not say why", "");
	expect("begin; finish interrupted; hear", "interrupted", "", "Interrupted by user", "");
}

static void
test_interrupts(void)
{
	struct localturn *turn = begin("begin; " DELTA("half") "hear; finish completed");

	ok(turn && step(turn, "half"), "it speaks");
	localturn_interrupt(turn);
	ok(step(turn, NULL), "it ends");
	is_str(localturn_status(turn), "interrupted", "an interrupt is final, whatever the runtime says then");
	is_sent("{\"id\":4,\"method\":\"turn/interrupt\",\"params\":{\"threadId\":\"T\",\"turnId\":\"U\"}}\n");
	localturn_interrupt(turn);
	is_str(localturn_status(turn), "interrupted", "and stays so");
	localturn_free(turn);

	turn = begin("begin; " DELTA("half") "hear; hear");
	ok(turn && step(turn, "half"), "it speaks");
	localturn_interrupt(turn);
	localturn_interrupt(turn);
	ok(localturn_step(turn), "a second interrupt waits for nobody");
	is_str(localturn_status(turn), "interrupted", "it is interrupted");
	localturn_free(turn);

	/* one that ends nothing that it has not announced */
	turn = begin("begin; " DELTA(
	    "half") "hear; say '{\"id\":4,\"error\":{\"code\":-32600,\"message\":\"no active turn to interrupt\"}}'; "
		    "say '{\"method\":\"turn/started\",\"params\":{\"threadId\":\"T\",\"turn\":{\"id\":\"U\"}}}'; hear; finish interrupted; hear");
	ok(turn && step(turn, "half"), "it speaks");
	localturn_interrupt(turn);
	ok(step(turn, NULL), "it is asked again once it has announced the turn");
	is_str(localturn_status(turn), "interrupted", "and ends it");
	is_sent("{\"id\":4,\"method\":\"turn/interrupt\",\"params\":{\"threadId\":\"T\",\"turnId\":\"U\"}}\n"
		"{\"id\":4,\"method\":\"turn/interrupt\"");
	localturn_free(turn);

	turn = begin("hear; hear");
	localturn_interrupt(turn);
	ok(localturn_step(turn), "before the turn has an id there is nothing to ask");
	is_str(localturn_status(turn), "interrupted", "it is interrupted");
	localturn_free(turn);
	localturn_free(NULL);
}

static void
test_limit(void)
{
	struct localturn *turn = begin(
	    "begin; part() { printf '{\"method\":\"item/agentMessage/delta\",\"params\":{\"delta\":\"'; head -c $1 /dev/zero | tr '\\0' x; echo '\"}}'; }; "
	    "part 8388608; part 8388608; part 1; finish completed");

	ok(turn && step(turn, NULL), "a long answer ends");
	is_int(localturn_text(turn)->len, LOCALTURN_TEXT_MAX, "as much of it is kept as may be");
	ok(strstr(events.s + events.len - 20, "\"x\"}\n"), "all of it is told");
	localturn_free(turn);
}

int
main(void)
{
	char dir[] = "/tmp/test_localturn.XXXXXX";

	(void)signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir) || chdir(dir) < 0) {
		ok(false, "a place to work in");
		return done();
	}
	buf_init(&events);
	test_events();
	test_requests();
	test_failures();
	test_interrupts();
	test_limit();
	buf_release(&events);
	(void)unlink("sent");
	ok(chdir("/") == 0 && rmdir(dir) == 0, "nothing is left");
	return done();
}
