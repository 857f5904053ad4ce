/* mcp.h - the door of mcp/: requests to a Model Context Protocol server somewhere else (Clarity contract section 9)
 *
 * JSON-RPC 2.0 over HTTP POST (MCP's Streamable HTTP); answers as plain JSON or as an event stream. One struct mcp is one server: its
 * session is opened by the first request (initialize, then notifications/initialized) and opened again when the server has forgotten it. A
 * server of the older transport (HTTP+SSE of 2024-11-05) is spoken to in that where the settings allow it. At most `concurrency` requests
 * are under way; further ones wait in order, so that nobody is turned away for coming ninth.
 *
 * No call of a tool that may have reached the server is sent twice: only a request whose connection failed is tried again (retry_max), and
 * one that the server refused because it does not know the session.
 */
#ifndef MCP_H
#define MCP_H

#include "compat.h"
#include "jtext.h"

struct event_base;
struct fetcher;
struct mcp;
struct mcp_call;
struct trace;

#define MCP_QUEUE_MAX 1000 /* requests to one server that wait; further ones are refused */
#define MCP_WAIT_MS 600000 /* how long one waits for its turn, unless the settings say otherwise */
#define MCP_PROTOCOL "2024-11-05"

struct mcp_settings {
	const char *name;     /* of the service: request ids are NAME-1, NAME-2, … */
	const char *endpoint; /* http(s) URL */
	const char *auth_ref; /* auth.h; NULL: none */
	bool sse;	      /* it may be a server of the older HTTP+SSE transport */
	int64_t timeout_ms;   /* of one request */
	size_t payload_max;   /* bytes of a request, and of an answer */
	int64_t wait_ms;      /* for a turn; 0: MCP_WAIT_MS */
	unsigned concurrency;
	unsigned retry_max;
	int64_t retry_backoff_ms; /* times the number of the attempt */
};

enum mcp_outcome {
	MCP_OK,
	MCP_REFUSED, /* it is there and says no, or it was never asked */
	MCP_OUTAGE,  /* it is not there, or not in order: counts for a circuit breaker */
};

struct mcp_answer {
	enum mcp_outcome outcome;
	struct span result; /* MCP_OK: compact JSON */
	const char *why;    /* else; the contract's texts */
	unsigned retries;
};
/* Once, never from inside mcp_call(). Everything is borrowed. Must not call mcp_free(). */
typedef void mcp_done_cb(const struct mcp_answer *answer, void *payload);

struct mcp_request {
	const char *method;	   /* NULL: only open the session; the result is {} */
	struct span params;	   /* JSON */
	const char *session, *run; /* told in x-clarity-session-id and x-clarity-run-id; NULL: not */
	int64_t timeout_ms;	   /* 0: the settings' */
	const struct trace *trace; /* told in traceparent and tracestate; NULL: none */
};

struct mcp *mcp_new(struct event_base *base, struct fetcher *fetcher, const struct mcp_settings *settings);
void mcp_free(struct mcp *mcp); /* without further done(); accepts NULL */

struct mcp_call *mcp_call(struct mcp *mcp, const struct mcp_request *request, mcp_done_cb *done, void *payload);
void mcp_end(struct mcp_call *call, const char *why); /* its done() comes as ever, refused with this reason */

void mcp_forget(struct mcp *mcp);		 /* the session is over: the next request opens one */
void mcp_stop(struct mcp *mcp, const char *why); /* every call ends, refused with this reason; the session too, and the server is told */
size_t mcp_count(const struct mcp *mcp);	 /* under way and waiting */

#endif
