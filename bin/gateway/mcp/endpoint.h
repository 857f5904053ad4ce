/* endpoint.h - where a server of the older HTTP+SSE transport wants its messages. Pure. Private to mcp/. */
#ifndef MCP_ENDPOINT_H
#define MCP_ENDPOINT_H

#include "buf.h"
#include "compat.h"

#define MCP_ENDPOINT_MAX 4096 /* bytes of the whole address */

/* What an event "endpoint" says, an address or one relative to that of the stream, made whole and appended. False, and nothing appended: it
 * is none, or not on the stream's own scheme, host and port (a token must not wander). */
bool mcp_endpoint(const char *stream, const char *text, size_t n, struct buf *to);

#endif
