/* test_message.c - lines of a runtime, read */
#include "compat.h"

#include "runtime/message.h"
#include "tap.h"

static struct message message;

static bool
reads(const char *line)
{
	return message_read(&message, line, strlen(line));
}

static void
test_types(void)
{
	ok(reads("{\"id\":7,\"result\":{\"a\":1}}") && message.type == MESSAGE_RESULT && message.number == 7, "an answer");
	is_bytes(message.params.s, message.params.n, "{\"a\":1}", 7, "with its result");
	ok(reads("{\"result\":null,\"id\":8}") && message.type == MESSAGE_RESULT && message.params.n == 2,
	    "a result that is no object is {}");
	ok(reads("{\"id\":\"7\",\"result\":{}}") && message.number == -1, "an id that is a text is none of ours");
	ok(reads("{\"id\":18446744073709551616,\"result\":{}}") && message.number == -1, "nor is one that does not fit");
	ok(reads("{\"error\":{\"code\":-32600,\"message\":\"no\\u001b[1m\\n\"},\"id\":9}") && message.type == MESSAGE_ERROR &&
		message.code == -32600,
	    "an error");
	is_buf(&message.text, "no\\x1b[1m\\n", "with its message, safe to show");
	ok(reads("{\"error\":{},\"id\":9}") && message.text.len && !message.code, "and one without any");
	ok(reads("{\"id\":0,\"method\":\"m\",\"params\":{\"x\":2}}") && message.type == MESSAGE_REQUEST && message.number == 0,
	    "a request, also with the id 0");
	ok(reads("{\"method\":\"m\"}") && message.type == MESSAGE_NOTIFICATION && message.params.n == 2, "a notification");
	ok(reads("{\"id\":null,\"method\":\"m\"}") && message.type == MESSAGE_NOTIFICATION, "null is no id");
	ok(reads("{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[1]}") && message.params.n == 2, "params that are a list are {}");
	ok(!reads("") && !reads("x") && !reads("[]") && !reads("1") && !reads("{}") && !reads("{\"id\":1}") && !reads("{\"result\":{}}") &&
		!reads("{\"id\":1,\"result\":{}") && !reads("{\"method\":\"a\\u0000b\"}") && !reads("{\"id\":{},\"result\":{}}"),
	    "what is none of these is no message");
	ok(message_read(&message, "{\"method\":\"a\xff\xc3\"}", 16), "bytes that are not UTF-8");
	is_buf(&message.method, "a\xef\xbf\xbd\xef\xbf\xbd", "are replaced");
}

static void
test_errors(void)
{
	ok(message_is_lost("Thread not found: 1") && message_is_lost("no rollout found for thread id 1") &&
		message_is_lost("invalid thread id: x") && !message_is_lost("thread 1 already has an active writer") &&
		!message_is_lost("model not found: x"),
	    "whether a thread is lost");
}

static void
test_kinds(void)
{
	enum runtime_delta delta;

	ok(message_delta("item/agentMessage/delta", &delta) && delta == RUNTIME_DELTA_MESSAGE, "a delta of the message");
	ok(message_delta("item/commandExecution/outputDelta", &delta) && delta == RUNTIME_DELTA_COMMAND, "of a command");
	ok(message_delta("item/dreams/delta", &delta) && delta == RUNTIME_DELTA_OTHER, "of what is yet to come");
	ok(!message_delta("item/started", &delta) && !message_delta("turn/delta", &delta) && !message_delta("delta", &delta),
	    "what is no delta");
	ok(message_approval("item/fileChange/requestApproval") == RUNTIME_APPROVE_FILE && message_approval("x") == RUNTIME_APPROVE_OTHER,
	    "kinds of approvals");
}

static void
test_decisions(void)
{
	static const char asked[] = "{\"permissions\": {\"a\": 1}}";
	static const struct {
		enum runtime_approval_kind kind;
		enum runtime_decision decision;
		const char *text;
	} cases[] = {
		{ RUNTIME_APPROVE_COMMAND, RUNTIME_ACCEPT, "{\"decision\":\"accept\"}" },
		{ RUNTIME_APPROVE_COMMAND, RUNTIME_ACCEPT_SESSION, "{\"decision\":\"acceptForSession\"}" },
		{ RUNTIME_APPROVE_FILE, RUNTIME_DECLINE, "{\"decision\":\"decline\"}" },
		{ RUNTIME_APPROVE_FILE, RUNTIME_CANCEL, "{\"decision\":\"cancel\"}" },
		{ RUNTIME_APPROVE_PERMISSIONS, RUNTIME_ACCEPT, "{\"permissions\":{\"a\":1},\"scope\":\"turn\"}" },
		{ RUNTIME_APPROVE_PERMISSIONS, RUNTIME_ACCEPT_SESSION, "{\"permissions\":{\"a\":1},\"scope\":\"session\"}" },
		{ RUNTIME_APPROVE_PERMISSIONS, RUNTIME_DECLINE, "{\"permissions\":{}}" },
		{ RUNTIME_APPROVE_QUESTION, RUNTIME_DECLINE, "{\"answers\":{}}" },
		{ RUNTIME_APPROVE_OTHER, RUNTIME_ACCEPT, "{}" },
	};
	struct buf text = BUF_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		buf_reset(&text);
		ok(message_add_decision(&text, cases[i].kind, cases[i].decision, (struct span){ asked, sizeof asked - 1 }), "a decision");
		is_buf(&text, cases[i].text, "as the runtime wants it");
	}
	ok(!message_add_decision(&text, RUNTIME_APPROVE_OTHER, RUNTIME_DECLINE, SPAN_NONE), "what we know nothing of is refused");
	buf_reset(&text);
	message_add_sandbox(&text, (struct span){ "\"read-only\"", 11 });
	message_add_sandbox(&text, (struct span){ "{\"type\": \"x\"}", 13 });
	is_buf(&text, "{\"type\":\"readOnly\"}{\"type\":\"x\"}", "sandbox policies");
	buf_release(&text);
}

int
main(void)
{
	message_init(&message);
	test_types();
	test_errors();
	test_kinds();
	test_decisions();
	message_release(&message);
	return done();
}
