/* reader.h - the answer to one JSON-RPC request, read as it comes. Pure. Private to mcp/.
 *
 * Model Context Protocol, Streamable HTTP: the answer is one JSON object, or a text/event-stream in which other messages (notifications,
 * requests of the server's own) may come before it. Only the message that carries our id is the answer, in a batch too; one that is alone
 * may have no id. What comes after it is not looked at.
 */
#ifndef MCP_READER_H
#define MCP_READER_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"

struct sse;

enum mcp_read {
	MCP_READ_MORE,	 /* not yet */
	MCP_READ_RESULT, /* text is the result, compact JSON */
	MCP_READ_ERROR,	 /* the other side says no: text is its message */
	MCP_READ_LARGE,	 /* longer than max bytes */
	MCP_READ_BROKEN, /* text says what is wrong */
};

struct mcp_reader {
	struct buf id;	 /* ours, decoded */
	size_t max;	 /* bytes of the message */
	struct sse *sse; /* NULL: plain JSON */
	struct buf body; /* plain JSON so far */
	enum mcp_read state;
	struct buf text;
};

/* content_type: without parameters, lower case. */
void mcp_reader_init(struct mcp_reader *reader, const char *content_type, struct span id, size_t max);
void mcp_reader_release(struct mcp_reader *reader);

/* What is known after these bytes; anything but MORE is final. */
enum mcp_read mcp_reader_feed(struct mcp_reader *reader, const char *bytes, size_t n);
enum mcp_read mcp_reader_end(struct mcp_reader *reader); /* nothing more comes: never MORE */

#endif
