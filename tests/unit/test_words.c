/* test_words.c - what a thread says, in a run's words */
#include "compat.h"

#include "clarity/internal.h"
#include "tap.h"

static struct span
text(const char *s)
{
	return s ? (struct span){ s, strlen(s) } : SPAN_NONE;
}

static void
words(const char *kind, const char *by, const char *payload, const char *want_kind, const char *want_message, const char *want_data)
{
	struct entry event = {
		.seq = 1, .thread = true, .stream = text("t1"), .kind = text(kind), .turn = text("u1"), .service = text(by)
	};
	struct words said;
	struct span data;

	ok(jtext_check(payload, strlen(payload), true, &event.data, NULL), "%s: a payload", kind);
	words_of_thread(&event, &said);
	is_str(said.kind, want_kind, kind);
	is_buf(&said.message, want_message, kind);
	is_buf(&said.data, want_data, kind);
	ok(jtext_check(said.data.s, said.data.len, true, &data, NULL) && jtext_type(data) == JTEXT_OBJECT, "%s: an object", kind);
	words_release(&said);
}

int
main(void)
{
	words("turn.started", NULL, "{\"text\":\"hi \\u00e4\"}", "agent.chat.user_message", "user chat message received (t1)",
	    "{\"runId\":\"t1\",\"turnId\":\"u1\",\"role\":\"user\",\"message\":\"hi \xc3\xa4\"}");
	words("item.delta", NULL, "{\"text\":\"a\",\"type\":\"assistant_message\"}", "agent.chat.delta", "Assistant message goes on (t1)",
	    "{\"runId\":\"t1\",\"turnId\":\"u1\",\"role\":\"assistant\",\"message\":\"a\"}");
	words("turn.completed", NULL, "{\"error\":null,\"output\":{\"text\":\"done\"},\"status\":\"completed\",\"turnId\":\"u1\"}",
	    "agent.chat.assistant_message", "Assistant message emitted (t1)",
	    "{\"runId\":\"t1\",\"turnId\":\"u1\",\"role\":\"assistant\",\"message\":\"done\"}");
	words("turn.completed", NULL, "{\"error\":{\"message\":\"no\",\"code\":\"C\"},\"output\":null,\"status\":\"error\"}",
	    "agent.step_completed", "Turn failed (t1)", "{\"runId\":\"t1\",\"turnId\":\"u1\",\"stepId\":\"u1\",\"error\":\"no\"}");
	words("turn.completed", NULL, "{\"status\":\"interrupted\"}", "agent.step_completed", "Turn failed (t1)",
	    "{\"runId\":\"t1\",\"turnId\":\"u1\",\"stepId\":\"u1\",\"error\":\"interrupted\"}");
	words("item.started", NULL, "{\"type\":\"commandExecution\",\"itemId\":\"i\",\"item\":{\"command\":\"ls\"}}", "agent.tool_called",
	    "commandExecution: ls (t1)",
	    "{\"runId\":\"t1\",\"turnId\":\"u1\",\"tool\":\"commandExecution\",\"type\":\"commandExecution\",\"itemId\":\"i\",\"item\":{\"command\":\"ls\"}}");
	words("item.started", NULL, "{\"type\":\"plan\",\"item\":{}}", "agent.item_started", "plan (t1)",
	    "{\"runId\":\"t1\",\"turnId\":\"u1\",\"type\":\"plan\",\"item\":{}}");
	words("item.completed", NULL,
	    "{\"type\":\"fileChange\",\"item\":{\"changes\":[{\"path\":\"a\"},{\"path\":\"b\"}],\"status\":\"declined\"}}",
	    "agent.item_completed", "fileChange: a, b (declined) (t1)",
	    "{\"runId\":\"t1\",\"turnId\":\"u1\",\"type\":\"fileChange\",\"item\":{\"changes\":[{\"path\":\"a\"},{\"path\":\"b\"}],\"status\":\"declined\"}}");
	words("approval.requested", NULL, "{\"approvalId\":\"a\",\"turnId\":\"u1\",\"kind\":\"command\",\"params\":{\"command\":\"rm x\"}}",
	    "agent.approval_requested", "Approval requested (command): rm x (t1)",
	    "{\"runId\":\"t1\",\"turnId\":\"u1\",\"approvalId\":\"a\",\"kind\":\"command\",\"params\":{\"command\":\"rm x\"}}");
	words("approval.resolved", NULL, "{\"kind\":\"command\",\"resolution\":\"answered\",\"decision\":\"accept\"}",
	    "agent.approval_resolved", "Approval answered: accept (t1)",
	    "{\"runId\":\"t1\",\"turnId\":\"u1\",\"kind\":\"command\",\"resolution\":\"answered\",\"decision\":\"accept\"}");
	words("error", NULL, "{\"message\":\"again\",\"willRetry\":true}", "agent.runtime_error", "Runtime trouble: again (t1)",
	    "{\"runId\":\"t1\",\"turnId\":\"u1\",\"message\":\"again\",\"willRetry\":true}");
	words("agent.waiting", NULL, "{\"runId\":\"t1\",\"reason\":\"r\"}", "agent.waiting", "Awaiting next operator input (t1)",
	    "{\"runId\":\"t1\",\"turnId\":\"u1\",\"reason\":\"r\"}");
	words("turn.usage", NULL, "{\"n\":1}", "agent.thread_event", "turn.usage (t1)",
	    "{\"runId\":\"t1\",\"turnId\":\"u1\",\"method\":\"turn.usage\",\"payload\":{\"n\":1}}");
	/* what others have sent up is never the gateway's word */
	words("turn.completed", "bob", "[1]", "agent.thread_event", "turn.completed (t1)",
	    "{\"runId\":\"t1\",\"turnId\":\"u1\",\"method\":\"turn.completed\",\"uploadedBy\":\"bob\",\"payload\":[1]}");
	words("turn.started", NULL, "{}", "agent.chat.user_message", "user chat message received (t1)",
	    "{\"runId\":\"t1\",\"turnId\":\"u1\",\"role\":\"user\",\"message\":\"\"}");
	return done();
}
