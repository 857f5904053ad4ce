/* test_mcp_reader.c - answers of remote agents, plain and in event streams, whole and in pieces */
#include "compat.h"

#include <string.h>

#include "mcp/reader.h"
#include "tap.h"

static const char id[] = "svc_1-7";

/* Reads text in pieces of `step` bytes. */
static void
reads(const char *type, const char *text, size_t step, enum mcp_read want, const char *want_text, const char *name)
{
	struct mcp_reader reader;
	size_t n = strlen(text), at = 0;
	enum mcp_read got = MCP_READ_MORE;

	mcp_reader_init(&reader, type, (struct span){ id, sizeof id - 1 }, 200);
	while (at < n && got == MCP_READ_MORE) {
		size_t piece = n - at < step ? n - at : step;

		got = mcp_reader_feed(&reader, text + at, piece);
		at += piece;
	}
	got = mcp_reader_end(&reader);
	ok(got == want && (!want_text || !strcmp(reader.text.s, want_text)), "%s (%zu)", name, step);
	if (got != want || (want_text && strcmp(reader.text.s, want_text)))
		printf("# it says %d: %s\n", (int)got, reader.text.s);
	ok(mcp_reader_feed(&reader, "more", 4) == want, "and what comes after it changes nothing");
	mcp_reader_release(&reader);
}

static void
both(const char *type, const char *text, enum mcp_read want, const char *want_text, const char *name)
{
	reads(type, text, 4096, want, want_text, name);
	reads(type, text, 1, want, want_text, name);
}

int
main(void)
{
	static const char json[] = "application/json", sse[] = "text/event-stream";
	char large[400];

	both(json, "{\"jsonrpc\":\"2.0\",\"id\":\"svc_1-7\",\"result\":{ \"text\": \"hi\" }}", MCP_READ_RESULT, "{\"text\":\"hi\"}",
	    "a result");
	both(json, "\n [{\"id\":\"other\",\"result\":1},{\"id\":\"svc_1-7\",\"result\":2}]", MCP_READ_RESULT, "2", "a result in a batch");
	both(json, "{\"id\":\"svc_1-7\",\"error\":{\"code\":-32000,\"message\":\"no such tool\"}}", MCP_READ_ERROR, "no such tool",
	    "an error");
	both(json, "{\"id\":\"svc_1-7\",\"error\":{\"code\":-32000}}", MCP_READ_ERROR, "remote RPC error", "an error without a message");
	both(json, "{\"id\":\"svc_1-7\",\"error\":\"bad\"}", MCP_READ_ERROR, "remote RPC error", "an error that is no object");
	both(json, "{\"id\":\"svc_1-7\",\"error\":null,\"result\":{}}", MCP_READ_RESULT, "{}", "an error that is null is none");
	both(json, "{\"id\":null,\"error\":{\"message\":\"parse error\"}}", MCP_READ_ERROR, "parse error", "an error that knows no id");
	both(json, "{\"id\":null,\"result\":{}}", MCP_READ_RESULT, "{}", "alone, it need not name the id");
	both(json, "{\"result\":{}}", MCP_READ_RESULT, "{}", "nor have one");
	both(json, "[{\"result\":1},{\"id\":\"svc_1-7\",\"result\":2}]", MCP_READ_RESULT, "2", "in a batch it must");
	both(json, "{\"method\":\"notifications/x\"}", MCP_READ_BROKEN, "the answer is for another request", "a notification is no answer");
	both(json, "{\"id\":\"svc_1-8\",\"result\":{}}", MCP_READ_BROKEN, "the answer is for another request",
	    "the answer to another request");
	both(json, "{\"id\":7,\"result\":{}}", MCP_READ_BROKEN, "the answer is for another request", "an id that is no string is not ours");
	both(json, "{\"id\":\"svc_1-7\"}", MCP_READ_BROKEN, "the answer has neither result nor error", "neither");
	both(json, "{\"id\":\"svc_1-7\",", MCP_READ_BROKEN, NULL, "half of an answer");
	both(json, "", MCP_READ_BROKEN, "the answer is empty", "nothing");
	both(json, "<html>", MCP_READ_BROKEN, NULL, "a page");
	both(json, "{\"id\":\"svc_1-7\",\"result\":\"\xff\"}", MCP_READ_BROKEN, NULL, "not UTF-8");
	both("", "{\"id\":\"svc_1-7\",\"result\":true}", MCP_READ_RESULT, "true", "no type is JSON");

	both(sse, "event: message\ndata: {\"id\":\"svc_1-7\",\"result\":{\"reply\":\"x\"}}\n\n", MCP_READ_RESULT, "{\"reply\":\"x\"}",
	    "a result in a stream");
	both(sse,
	    "\xef\xbb\xbf: ping\r\n\r\ndata: {\"method\":\"notifications/progress\"}\r\n\r\ndata: {\"id\":\"svc_1-7\",\r\ndata: \"result\":1}\r\n\r\n",
	    MCP_READ_RESULT, "1", "after comments and notifications, on two lines");
	both(sse, "data: {\"id\":\"svc_1-7\",\"method\":\"sampling/createMessage\"}\n\ndata: {\"id\":\"svc_1-7\",\"result\":3}\n\n",
	    MCP_READ_RESULT, "3", "a request of the server's with the same id is no answer");
	both(sse, "data: {\"id\":\"svc_1-7\",\"error\":{\"message\":\"no\"}}\n\n", MCP_READ_ERROR, "no", "an error in a stream");
	both(sse, "data: {\"id\":null,\"error\":{\"message\":\"no\"}}\n\n", MCP_READ_BROKEN, "the stream ended without an answer",
	    "an error of no request in a stream is not ours");
	both(sse, "data: {\"id\":\"svc_1-7\",\"result\":1}\n", MCP_READ_BROKEN, "the stream ended without an answer",
	    "a stream that was cut");
	both(sse, "data: hello\n\n", MCP_READ_BROKEN, NULL, "a stream of something else");
	both(sse, "", MCP_READ_BROKEN, "the stream ended without an answer", "an empty stream");

	memset(large, 'x', sizeof large);
	memcpy(large, "{\"id\":\"svc_1-7\",\"result\":\"", 26);
	memcpy(large + 198, "\"}", 3);
	both(json, large, MCP_READ_RESULT, NULL, "exactly as long as allowed");
	memcpy(large + 198, "x\"}", 4);
	both(json, large, MCP_READ_LARGE, "", "one byte longer");
	memmove(large + 6, large, 202);
	memcpy(large, "data: ", 6);
	memcpy(large + 6 + 201, "\n\n", 3);
	both(sse, large, MCP_READ_LARGE, "", "and in a stream");
	return done();
}
