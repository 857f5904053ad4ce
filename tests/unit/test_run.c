/* test_run.c - a run as its events tell it, and through the store's document and back */
#include "compat.h"

#include <stdlib.h>

#include "log/run.h"
#include "store/store.h"
#include "tap.h"

static int64_t seq;

static struct span
span(const char *s)
{
	return s ? (struct span){ s, strlen(s) } : SPAN_NONE;
}

static void
fold(struct run *run, const char *kind, const char *data, const char *turn)
{
	struct entry event = {
		.seq = ++seq, .at_ms = 1000 * seq, .kind = span(kind), .message = span("m"), .data = span(data), .turn = span(turn)
	};

	run_fold(run, &event);
}

static void
is_summary(const struct run *run, const char *want, const char *name)
{
	struct buf text = BUF_INIT;

	run_summary(run, &text);
	is_buf(&text, want, name);
	buf_release(&text);
}

int
main(void)
{
	struct run *run = run_new(span("r1")), *copy;
	struct buf doc = BUF_INIT, again = BUF_INIT;

	fold(run, "agent.run_created",
	    "{\"runId\":\"r1\",\"agent\":\"a\",\"serviceId\":\"s\",\"trigger\":\"API\",\"triggerContext\":{\"route\":\"/r\"},\"method\":\"M\"}",
	    NULL);
	is_summary(run,
	    "{\"runId\":\"r1\",\"agent\":\"a\",\"serviceId\":\"s\",\"trigger\":\"api\",\"triggerContext\":{\"route\":\"/r\",\"method\":\"M\"},\"status\":\"queued\","
	    "\"updatedAt\":\"1970-01-01T00:00:01.000Z\",\"stepCount\":0,\"handoffCount\":0,\"toolCallCount\":0,\"llmCallCount\":0,\"eventCount\":1,"
	    "\"lastEventKind\":\"agent.run_created\",\"lastEventMessage\":\"m\"}",
	    "created: queued, the trigger's flat fields join its context");
	fold(run, "agent.run_started", "{}", NULL);
	ok(run->status == RUN_RUNNING && !strcmp(run->agent.s, "a"), "started: running; an event without agent keeps the known one");
	fold(run, "agent.waiting", "{\"reason\":\"lunch\"}", NULL);
	ok(run->status == RUN_WAITING && !strcmp(run->waiting_reason.s, "lunch"), "waiting, with its reason");
	fold(run, "agent.chat.user_message", "{}", "open");
	ok(run->n_open == 1 && run->open[0] == 4, "an accepted message is in the inbox");
	fold(run, "agent.chat.user_message", "{}", "open");
	fold(run, "agent.step_started", "{\"stepId\":\"x\"}", "4");
	ok(run->status == RUN_RUNNING && run->started_open == 4 && run->steps == 1, "a step that starts ends the waiting");
	fold(run, "agent.step_started", "{\"stepId\":\"x\"}", NULL);
	is_int(run->steps, 1, "a step counts once");
	fold(run, "agent.step_started", "{}", NULL);
	is_int(run->steps, 2, "one without an id each time");
	run_save(run, &doc);
	copy = run_load(span("r1"), span_of(&doc));
	ok(copy != NULL, "the document is understood");
	if (copy) {
		run_save(copy, &again);
		is_buf(&again, doc.s, "and loses nothing");
		run_free(copy);
	}
	fold(run, "agent.waiting", "{}", "4");
	ok(run->n_open == 1 && run->open[0] == 5 && !run->started_open && !run->waiting_reason.len,
	    "an answered message leaves the inbox; no reason, no old reason");
	fold(run, "agent.run_failed", "{\"error\":\"boom\"}", NULL);
	ok(run->status == RUN_FAILED && !strcmp(run->failure_reason.s, "boom") && !run->n_open,
	    "failed: with its error, and the inbox is empty");
	fold(run, "agent.run_completed", "{}", NULL);
	ok(run->status == RUN_FAILED, "a terminal status is final");
	fold(run, "agent.handoff", "{}", NULL);
	fold(run, "agent.tool_called", "{}", NULL);
	fold(run, "agent.llm_called", "{}", NULL);
	ok(run->handoffs == 1 && run->tool_calls == 1 && run->llm_calls == 1, "calls and handoffs are counted");
	ok(!run_load(span("r"), span("[]")) && !run_load(span("r"), span("{\"status\":99}")) &&
		!run_load(span("r"), span("{\"status\":1,\"open\":3}")),
	    "a document that is none is not taken");
	run_free(run);

	run = run_new(span("r2"));
	seq = 0;
	fold(run, "agent.chat.user_message", "{}", "open");
	fold(run, "agent.chat.user_message", "{}", "open");
	fold(run, "agent.step_started", "{\"stepId\":\"x\"}", "1");
	fold(run, "agent.cancel_requested", "{\"reason\":\"enough\"}", NULL);
	ok(!run->cancel_asked && run->n_open == 2, "an event of that name that is not the gateway's own asks for nothing");
	fold(run, "agent.cancel_requested", "{\"reason\":\"enough\"}", "cancel");
	ok(run->cancel_asked == 5 && run->n_open == 1 && run->open[0] == 1 && !run_terminal(run),
	    "the end is asked for: only the message that is being answered stays");
	buf_reset(&doc);
	run_save(run, &doc);
	copy = run_load(span("r2"), span_of(&doc));
	ok(copy && copy->cancel_asked == 5 && !strcmp(copy->cancel_reason.s, "enough"), "that is kept, with its reason");
	run_free(copy);
	fold(run, "agent.run_cancelled", "{}", NULL);
	ok(run->status == RUN_CANCELLED && !run->n_open && !run->cancel_asked, "cancelled: nothing is open");
	run_free(run);

	run = run_load(span("r3"), span("{\"status\":2,\"events\":7}"));
	ok(run && !run->counted, "a document of before turns were counted is understood");
	if (run) {
		struct buf text = BUF_INIT;

		seq = 7;
		fold(run, "agent.step_completed", "{\"usage\":{\"inputTokens\":9,\"outputTokens\":9}}", NULL);
		fold(run, "agent.step_completed", "{\"usage\":{\"inputTokens\":-1}}", "1");
		fold(run, "agent.step_completed", "{\"usage\":7}", "1");
		run_summary(run, &text);
		ok(!strstr(text.s, "usage"), "what somebody posted, or nonsense, costs nothing: no usage");
		fold(run, "agent.step_completed",
		    "{\"usage\":{\"inputTokens\":10,\"cachedInputTokens\":4,\"outputTokens\":5,\"reasoningOutputTokens\":2,\"totalTokens\":15}}",
		    "1");
		fold(run, "agent.step_completed", "{\"usage\":{\"inputTokens\":1,\"cachedInputTokens\":1,\"outputTokens\":2}}", "2");
		buf_reset(&doc);
		run_save(run, &doc);
		run_free(run);
		run = run_load(span("r3"), span_of(&doc));
		buf_reset(&text);
		if (run)
			run_summary(run, &text);
		ok(run && text.s &&
			strstr(text.s,
			    ",\"usage\":{\"inputTokens\":11,\"cachedInputTokens\":5,\"outputTokens\":7,\"reasoningOutputTokens\":2,\"totalTokens\":18}}"),
		    "the usage of the turns is summed, and is kept");
		buf_release(&text);
	}
	run_free(run);
	buf_release(&doc);
	buf_release(&again);
	return done();
}
