/* server.h - the door of http/: listen, take requests, answer them or stream
 *
 * HTTP/1.1 (RFC 9110, 9112) over libevent's bufferevents: keep-alive, pipelining (answers in order), chunked request bodies,
 * Expect: 100-continue, HEAD. The head is parsed by http/parse.h, which is pure and strict: what two readers could
 * understand differently (two lengths, a length and chunks, a blank in the target, obs-fold) is refused.
 *
 * A request is handed over once, when its body is complete or when it cannot be taken (request_problem()). Every request is
 * answered exactly once, by request_reply() or request_stream(), now or later; when the client has gone in between, the
 * answer goes nowhere and nothing else changes. All calls on the loop thread.
 *
 * Limits and deadlines, each in struct server_settings; one that passes closes the connection, with 408, 413, 431 or 503
 * and a JSON body {"error":text} where an answer still makes sense. Deadlines count whole phases, not single bytes, so a
 * client that sends a byte a second gains nothing.
 */
#ifndef SERVER_H
#define SERVER_H

#include "compat.h"
#include "jtext.h"

struct buf;
struct err;
struct event_base;
struct server;
struct request;
struct stream;
struct trace;

/* How an answer has ended. */
struct server_end {
	int status;	  /* as sent; 101: a WebSocket */
	uint64_t bytes;	  /* of the body; of a stream or a WebSocket all that was written after the head */
	int64_t us;	  /* from the end of the request's head to the end of the answer */
	bool stream;	  /* a stream or a WebSocket, which ends when it is closed */
	const char *peer; /* "127.0.0.1:50314", "unix" */
};

struct server_settings {
	size_t head_max;	   /* bytes of request line and headers; default 32 KiB */
	size_t headers_max;	   /* header lines; default 100 */
	size_t body_max;	   /* bytes; default 1 MiB (contract: 1048576) */
	int64_t head_ms;	   /* first byte to end of head; default 10 s */
	int64_t body_ms;	   /* end of head to end of body; default 60 s */
	int64_t idle_ms;	   /* between requests; default 5 s (contract) ... a connection that never sent a byte too */
	int64_t write_ms;	   /* output without progress; default 30 s */
	size_t output_max;	   /* bytes queued on one stream before stream_pending() callers must stop; default 1 MiB */
	unsigned connections_max;  /* further ones get 503 and are closed; default 10000, lowered to the open-files limit */
	const char *server_header; /* "x-agentutils: 0.1.0", sent with every answer; NULL: none */
	/* told of every whole answer (not of streams), with what it says (payload: the server's); NULL: not */
	void (*said)(const struct request *request, int status, const char *content_type, const void *body, size_t n, void *payload);
	void (*answered)(const struct request *request, int status,
	    void *payload); /* told of every answer as it begins (payload: the server's); NULL: not */
	/* told of every answer as it ends (payload: the server's); NULL: not. request NULL: what was refused was no request (400, 408, 431,
	 * 505), or it was a connection too many (503). Of streams and WebSockets only with follow_streams, which keeps each one's request
	 * in memory. */
	void (*ended)(struct request *request, const struct server_end *end, void *payload);
	bool follow_streams;
	bool name_answers; /* every answer has an x-request-id; else only those to requests that have one */
};

void server_settings_init(struct server_settings *settings); /* the defaults */

/* Sets up how memory is kept and given back (http/heap.c says why): once, before anything else is asked of libevent. Servers work without
 * it. */
void server_heap(void);
void server_heap_trim(void); /* whatever is free goes back to the system */

/* One finished request. */
typedef void server_request_cb(struct request *request, void *payload);

struct server *server_new(struct event_base *base, const struct server_settings *settings, server_request_cb *cb, void *payload);

/* address: "HOST:PORT" (port 0 picks one; HOST an address, "localhost", or "*"), "[::1]:PORT", "unix:/path" (mode 0600; a stale
 * socket file is replaced, a live one is an error), or "fd:N" (a listening socket from the service manager). May be called
 * several times. ret_url: "http://127.0.0.1:41234" or "unix:/path". Errors: STATUS_CONFIG with address and reason. */
bool server_listen(struct server *server, const char *address, struct buf *ret_url, struct err *err) USE_RESULT;

/* Takes no more connections, ends idle ones, lets requests in progress finish; streams are ended, WebSockets closed with 1001. cb runs when
 * all are gone. */
void server_drain(struct server *server, void (*cb)(void *payload), void *payload);
void server_free(struct server *server); /* closes whatever is left; accepts NULL */

/* What it has done since it began, and what is now. */
struct server_stats {
	uint64_t accepted, refused; /* connections; refused: there were too many */
	uint64_t received, sent;    /* bytes of requests and messages; of answers, as far as the kernel took them */
	uint64_t slow;		    /* connections that were cut because their client took nothing for write_ms */
	unsigned connections, streams, sockets;
	unsigned connections_max;
};
struct server_stats server_stats(const struct server *server);

/* ---- the request; texts are borrowed until it is answered */

enum request_problem {
	REQUEST_OK,
	REQUEST_BODY_TOO_LARGE, /* the body was not read; the connection closes after the answer */
};
enum request_peer { PEER_REMOTE, PEER_LOOPBACK, PEER_UNIX }; /* loopback: 127.0.0.0/8, ::1, with or without ::ffff: */

enum request_problem request_problem(const struct request *request);
enum request_peer request_peer(const struct request *request);
const char *request_peer_text(const struct request *request); /* "127.0.0.1:50314", "unix" */
const char *request_method(const struct request *request);    /* "GET"; HEAD says "HEAD" and its body is dropped on the way out */
const char *request_path(const struct request *request);      /* as sent, still percent-encoded, without query; "/" first */
const char *request_header(const struct request *request, const char *name); /* trimmed; first one; NULL: absent */
struct span request_body(const struct request *request);

enum request_inflated {
	REQUEST_INFLATED,	    /* or it had no coding */
	REQUEST_UNKNOWN_CODING,	    /* none of gzip, deflate and br, or this machine has no library for it */
	REQUEST_BROKEN,		    /* it is not what its coding says */
	REQUEST_INFLATED_TOO_LARGE, /* more than max bytes */
};
/* Takes the Content-Encoding off the body, which is at most max bytes then; else it stays as it came. Once for a request. */
enum request_inflated request_inflate(struct request *request, size_t max);

/* Appends the Idempotency-Key, when there is one. False: it is none, which is 1 to REQUEST_KEY_MAX visible ASCII characters. */
#define REQUEST_KEY_MAX 255
bool request_key(const struct request *request, struct buf *to) USE_RESULT;

#define REQUEST_ID_MAX 128 /* bytes */
/* What the request is called in answers and logs: the first of x-request-id and x-correlation-id that is 1 to REQUEST_ID_MAX of A-Z a-z 0-9
 * . _ : -, else a fresh UUID; it stays the same. */
const char *request_id(struct request *request);

/* Takes the request's trace context (trace.h); none when it has no good one. */
void request_trace(const struct request *request, struct trace *trace);

/* Which of our routes it took, as a pattern ("/api/agents/runs/:id/events"): static storage. "" as long as nobody has said so. */
void request_set_route(struct request *request, const char *route);
const char *request_route(const struct request *request);

/* One thing that somebody leaves with the request for others; freed with it, or when it is replaced. NULL: there is none. */
void request_set_note(struct request *request, void *note, void (*free_note)(void *note));
void *request_note(const struct request *request);

/* The query parameter, decoded as a form does ("+" is a blank; a bad escape stays as it is). First one wins. False: absent. */
bool request_query(const struct request *request, const char *name, struct buf *to);
size_t request_query_count(const struct request *request, const char *name); /* how often it is there */

/* Decodes one percent-encoded path segment; false for a bad escape. Appends; the result may hold any byte. */
bool server_decode_segment(const char *s, size_t n, struct buf *to);

/* ---- the answer */

/* headers: NULL-ended list of name, value, name, value, … (lower-case names), or NULL. The body is copied. content_type NULL with an empty
 * body: none. */
void request_reply(struct request *request, int status, const char *content_type, const char *const *headers, const void *body, size_t n);

/* The same with {"error":text}, pretty-printed as the contract prints JSON. */
void request_reply_error(struct request *request, int status, const char *const *headers, const char *fmt, ...) PRINTF(4, 5);

/* Reference-counted bytes that many streams share without a copy. */
struct shared;
struct shared *shared_new(const void *bytes, size_t n); /* one reference, yours */
struct shared *shared_ref(struct shared *shared);
void shared_unref(struct shared *shared); /* accepts NULL */

struct stream_events {
	void (*closed)(void *payload);	/* the client has gone or was cut; the stream is freed after this call */
	void (*drained)(void *payload); /* stream_pending() fell to half of output_max or below after it had been above output_max */
};

/* NULL when there is nobody to stream to (the client has gone, or it was a HEAD): the request is answered then.
 * Answers 200 with a body that goes on (chunked; head sent at once); cache-control: no-cache and connection: keep-alive as
 * the contract, plus x-accel-buffering: no. */
struct stream *request_stream(
    struct request *request, const char *content_type, const char *const *headers, const struct stream_events *events, void *payload);
void stream_write(struct stream *stream, const void *bytes, size_t n);
void stream_write_shared(struct stream *stream, struct shared *shared);
size_t stream_pending(const struct stream *stream); /* bytes not yet taken by the kernel */
bool stream_full(const struct stream *stream);	    /* pending > output_max: stop writing until drained */
void stream_end(struct stream *stream);		    /* finishes the body; closed() is not called */

#endif
