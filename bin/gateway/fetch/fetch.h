/* fetch.h - the door of fetch/: HTTP requests that go out, on the loop
 *
 * libcurl's multi interface driven by libevent: nothing here waits, and names are resolved on threads of libcurl's own. Every request has a
 * deadline for its whole and one for its connection, and a largest answer. Redirects are not followed (a token must not wander); nothing is
 * sent twice by itself (see `once`). libcurl and TLS are started by the first request. Proxies come from the environment as libcurl reads
 * it, and so does SSL_CERT_FILE, the certificates to trust instead of the system's.
 */
#ifndef FETCH_H
#define FETCH_H

#include "buf.h"
#include "compat.h"

struct event_base;
struct fetch;
struct fetcher;

#define FETCH_CONNECT_MS 10000 /* until the connection stands, TLS included */
#define FETCH_HEAD_MAX 65536   /* bytes of header lines kept of an answer */

enum fetch_result {
	FETCH_DONE,	   /* an answer came, with any status */
	FETCH_UNREACHABLE, /* no connection: the request was not sent */
	FETCH_TIMEOUT,
	FETCH_TOO_LARGE, /* the answer; size says how large it is, as far as is known */
	FETCH_BROKEN,	 /* no HTTP, or cut off */
};

struct fetch_answer {
	enum fetch_result result;
	int status;		 /* 0: none came */
	struct buf content_type; /* without parameters, lower case */
	struct buf head;	 /* header lines, each ended by LF */
	struct buf body;	 /* when no body callback took it */
	uint64_t size;		 /* bytes of the body so far, or as announced when it is too large */
	struct buf why;		 /* unless FETCH_DONE: the reason alone, "connection refused" */
	bool sent;		 /* the request may have reached the other side */
};

/* A piece of the body of an answer with status 2xx. False: that is enough, the call is done. Must not use the fetcher. */
typedef bool fetch_body_cb(const struct fetch_answer *answer, const char *bytes, size_t n, void *payload);
/* Once, never from inside fetch_start(). The answer is borrowed. */
typedef void fetch_done_cb(const struct fetch_answer *answer, void *payload);

struct fetch_request {
	const char *method, *url;
	const char *const *headers; /* "name: value", NULL-ended; NULL: none */
	const char *body;	    /* NULL: none */
	size_t body_len;
	const char *unix_path;	/* a socket of the file system to connect to instead of the url's host; NULL: none */
	int64_t timeout_ms;	/* from the start to the last byte; 0: none, for a stream (its connection still has one) */
	int64_t head_ms;	/* from the start to the end of the head; 0: no limit of its own */
	int64_t silence_ms;	/* between two pieces of the body; 0: no limit of its own */
	size_t body_max;	/* bytes of the answer */
	fetch_body_cb *body_cb; /* NULL: the body is held */
	bool once; /* on a connection of its own: on a kept one that has been closed, libcurl would send the request again by itself */
};

struct fetcher *fetcher_new(struct event_base *base, const char *user_agent);
void fetcher_free(struct fetcher *fetcher); /* ends what still runs, without its done(); accepts NULL */

/* Everything in the request is copied. */
struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_request *request, fetch_done_cb *done, void *payload);
void fetch_cancel(struct fetch *fetch); /* its done() does not come; accepts NULL */
/* Takes no more of the body for now, or goes on; what was on its way may still come. Not from inside a body callback. */
void fetch_hold(struct fetch *fetch, bool held);
/* Another silence_ms from now on; may be called from inside a body callback. */
void fetch_silence(struct fetch *fetch, int64_t ms);

/* The value of a header in an answer's head, trimmed; false when absent. Appends. */
bool fetch_header(const struct fetch_answer *answer, const char *name, struct buf *to);

#endif
