/* test_reply.c - which message of a run has been answered */
#include "compat.h"

#include "reply.h"
#include "tap.h"

static struct reply *reply;
static struct reply_change change;

static void
event_at(int64_t seq, const char *kind, const char *level)
{
	char text[128];
	int n = snprintf(text, sizeof text, "{\"kind\":\"%s\",\"level\":\"%s\"}", kind, level);

	reply_event(reply, seq, kind, (struct span){ text, (size_t)n }, &change);
}

static void
event(int64_t seq, const char *kind)
{
	event_at(seq, kind, "info");
}

static void
start(void)
{
	reply_free(reply);
	reply = reply_new();
}

static void
test_one(void)
{
	start();
	ok(!reply_waiting(reply), "a run that said nothing does not wait");
	event(1, "agent.run_created");
	event(2, "agent.run_started");
	event(3, "agent.chat.user_message");
	is_int(reply_pending(reply), 1, "a message is unanswered");
	event(4, "agent.step_started");
	event(5, "agent.tool_called");
	event(6, "agent.chat.assistant_message");
	is_int(change.text_for, 3, "its reply is known as such");
	is_int(change.answered, -1, "but is not the end of the answer");
	event(7, "agent.step_completed");
	ok(!reply_waiting(reply), "before the end the run does not wait");
	event(8, "agent.waiting");
	is_int(change.answered, 3, "waiting ends the answer");
	ok(!change.failed, "a good one");
	ok(reply_waiting(reply), "now it waits");
	event(9, "agent.step_completed");
	event(10, "agent.custom");
	ok(reply_waiting(reply), "what is no work does not change that");
	event(11, "agent.llm_called");
	ok(!reply_waiting(reply), "work does");
}

static void
test_queue(void)
{
	start();
	event(1, "agent.waiting");
	is_int(change.answered, -1, "waiting without a message answers none");
	ok(reply_waiting(reply), "but it waits");
	event(2, "agent.chat.user_message");
	ok(!reply_waiting(reply), "a message: it has something to do");
	event(3, "agent.hitl_input");
	event(4, "agent.chat.assistant_message");
	is_int(change.text_for, 2, "messages are answered in order");
	event(5, "agent.waiting");
	is_int(change.answered, 2, "the first");
	ok(!reply_waiting(reply), "with one more unanswered it does not wait");
	event(6, "agent.chat.assistant_message");
	is_int(change.text_for, 3, "then the second");
	event(7, "agent.waiting");
	is_int(change.answered, 3, "answered");
	ok(reply_waiting(reply), "now it waits");
	event(8, "agent.chat.assistant_message");
	is_int(change.text_for, -1, "a remark without a message is nobody's reply");
}

static void
test_failure(void)
{
	start();
	event(1, "agent.chat.user_message");
	event_at(2, "agent.waiting", "warn");
	ok(change.answered == 1 && change.failed, "waiting at level warn: no answer will come");
	event_at(3, "agent.waiting", "warn");
	ok(change.answered == -1 && !change.failed, "nobody's failure is none");
}

static void
test_terminal(void)
{
	start();
	event(1, "agent.chat.user_message");
	event(2, "agent.run_failed");
	ok(change.terminal && reply_terminal(reply), "a terminal event ends everything");
	is_int(reply_pending(reply), 0, "nothing is awaited any more");
	event(3, "agent.waiting");
	ok(!reply_waiting(reply), "and the run does not wait again");
}

static void
test_limit(void)
{
	int64_t i;
	bool in_order = true;

	start();
	for (i = 1; i <= REPLY_PENDING_MAX; i++)
		event(i, "agent.chat.user_message");
	is_int(reply_pending(reply), REPLY_PENDING_MAX, "as many as the limit are kept");
	event(i, "agent.chat.user_message");
	is_int(reply_pending(reply), REPLY_PENDING_MAX, "one more");
	event(i + 1, "agent.waiting");
	is_int(change.answered, 2, "counts the oldest as answered");
	for (i = 3; i <= REPLY_PENDING_MAX + 1; i++) {
		event(10000 + i, "agent.waiting");
		in_order &= change.answered == i;
	}
	ok(in_order, "the others stay in order");
	is_int(reply_pending(reply), 0, "to the last");
}

int
main(void)
{
	test_one();
	test_queue();
	test_failure();
	test_terminal();
	test_limit();
	reply_free(reply);
	reply_free(NULL);
	return done();
}
