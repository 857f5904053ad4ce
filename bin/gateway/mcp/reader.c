/* reader.c - the answer to one JSON-RPC request, read as it comes */
#include "compat.h"

#include <string.h>

#include "err.h"
#include "mcp/reader.h"
#include "sse.h"

static enum mcp_read
settle(struct mcp_reader *reader, enum mcp_read state, const char *text)
{
	reader->state = state;
	buf_reset(&reader->text);
	buf_addstr(&reader->text, text);
	return state;
}

/* The error's message; without one, what the reference says. */
static void
take_error(struct mcp_reader *reader, struct span error)
{
	settle(reader, MCP_READ_ERROR, "");
	if (!jtext_get_string(error, "message", &reader->text) || !reader->text.len)
		settle(reader, MCP_READ_ERROR, "remote RPC error");
}

/* Is this message the answer? Alone in the body of a request's own answer it need not name an id (an error may not know ours, and some
 * servers leave it out), but it must not name another one. */
static void
take_message(struct mcp_reader *reader, struct span message, bool alone)
{
	struct buf id = BUF_INIT;
	struct span value, error, result;
	bool has_error, ours;

	if (jtext_type(message) != JTEXT_OBJECT)
		return;
	has_error = jtext_get(message, "error", &error) && jtext_type(error) != JTEXT_NULL;
	if (!jtext_get(message, "id", &value) || jtext_type(value) == JTEXT_NULL)
		ours = alone;
	else
		ours = jtext_string(value, &id) && buf_equal(&id, &reader->id);
	buf_release(&id);
	if (!ours)
		return;
	if (has_error)
		take_error(reader, error);
	else if (jtext_get(message, "result", &result)) {
		settle(reader, MCP_READ_RESULT, "");
		jtext_compact(&reader->text, result);
	} else if (!jtext_get(message, "method", &value))
		settle(reader, MCP_READ_BROKEN, "the answer has neither result nor error");
}

/* One message or a batch of them. False: it is no JSON. */
static bool
take_json(struct mcp_reader *reader, const char *s, size_t n, bool alone)
{
	struct span value, item;
	struct err err = ERR_INIT;
	size_t pos = 0;

	if (n > reader->max) {
		settle(reader, MCP_READ_LARGE, "");
		return true;
	}
	if (!jtext_check(s, n, true, &value, &err)) {
		settle(reader, MCP_READ_BROKEN, "the answer is ");
		buf_addstr(&reader->text, err.text);
		return false;
	}
	if (jtext_type(value) != JTEXT_ARRAY)
		take_message(reader, value, alone);
	else
		while (reader->state == MCP_READ_MORE && jtext_each(value, &pos, NULL, &item))
			take_message(reader, item, false);
	return true;
}

static bool
on_event(const struct sse_event *event, void *payload)
{
	struct mcp_reader *reader = payload;

	if (event->data_len)
		(void)take_json(reader, event->data, event->data_len, false);
	return reader->state == MCP_READ_MORE;
}

void
mcp_reader_init(struct mcp_reader *reader, const char *content_type, struct span id, size_t max)
{
	*reader = (struct mcp_reader){ .max = max, .state = MCP_READ_MORE };
	buf_init(&reader->id);
	buf_init(&reader->body);
	buf_init(&reader->text);
	buf_add(&reader->id, id.s, id.n);
	if (!strcmp(content_type, "text/event-stream"))
		reader->sse = sse_new(on_event, NULL, reader);
}

void
mcp_reader_release(struct mcp_reader *reader)
{
	sse_free(reader->sse);
	reader->sse = NULL;
	buf_release(&reader->id);
	buf_release(&reader->body);
	buf_release(&reader->text);
}

enum mcp_read
mcp_reader_feed(struct mcp_reader *reader, const char *bytes, size_t n)
{
	struct err err = ERR_INIT;

	if (reader->state != MCP_READ_MORE)
		return reader->state;
	if (!reader->sse) {
		if (reader->body.len + n > reader->max)
			return settle(reader, MCP_READ_LARGE, "");
		buf_add(&reader->body, bytes, n);
	} else if (!sse_feed(reader->sse, bytes, n, &err))
		return settle(reader, MCP_READ_BROKEN, err.text);
	return reader->state;
}

enum mcp_read
mcp_reader_end(struct mcp_reader *reader)
{
	if (reader->state != MCP_READ_MORE)
		return reader->state;
	if (reader->sse)
		return settle(reader, MCP_READ_BROKEN, "the stream ended without an answer");
	if (!reader->body.len)
		return settle(reader, MCP_READ_BROKEN, "the answer is empty");
	(void)take_json(reader, reader->body.s, reader->body.len, true);
	if (reader->state == MCP_READ_MORE)
		settle(reader, MCP_READ_BROKEN, "the answer is for another request");
	return reader->state;
}
