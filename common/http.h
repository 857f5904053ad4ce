/* http.h - HTTP requests over libcurl, one thread, no retries of its own
 *
 * A struct http keeps connections and settings. http_run() does one request to its end; http_start()/http_wait() drive several
 * at once (streams). Every request has limits: a deadline, a body size, and a longest silence.
 * Proxies come from the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY) as libcurl does it; redirects are not followed (a
 * token must not wander). TLS is only started for https. SIGPIPE: libcurl shields its own writes.
 */
#ifndef HTTP_H
#define HTTP_H

#include "buf.h"
#include "compat.h"

struct err;
struct http;
struct http_call;

#define HTTP_BODY_MAX (64u * 1024 * 1024) /* bytes of an answer that is held in memory */
#define HTTP_EXTRA_MAX 1008		  /* further descriptors of one http_wait() */
#define HTTP_HEAD_MAX 65536		  /* bytes of header lines kept */

struct http_settings {
	const char *unix_path;		 /* NULL: TCP */
	const char *cacert, *cert, *key; /* NULL: the system's */
	int64_t connect_timeout_ms;	 /* 0: 10 s */
	const char *user_agent;
};

/* A piece of the body as it arrives (only when the status is 2xx; other bodies are held). False ends the request
 * (answer.aborted); the caller knows why. */
typedef bool http_body_cb(const char *bytes, size_t n, void *payload);

struct http_request {
	const char *method;	    /* "GET" */
	const char *url;	    /* complete */
	const char *const *headers; /* "name: value" lines, NULL-ended; NULL: none */
	const char *body;	    /* NULL: none */
	size_t body_len;
	int64_t deadline;      /* clock.h; DEADLINE_NONE allowed for streams */
	int64_t silence_ms;    /* longest time without a byte, 0: no limit */
	size_t body_max;       /* bytes of the answer; 0: HTTP_BODY_MAX; ignored with body_cb */
	http_body_cb *body_cb; /* NULL: the body is held in answer->body */
	void *payload;
};

struct http_answer {
	int status; /* 0: none came */
	struct buf body;
	struct buf content_type; /* without parameters, lower case */
	struct buf retry_after;	 /* the header as sent, "" without */
	struct buf head;	 /* all header lines, each ended by LF */
	bool aborted;		 /* by body_cb */
	bool sent;		 /* the request may have reached the server: it is not safe to repeat blindly */
};

struct http *http_new(const struct http_settings *settings, bool tls);
void http_free(struct http *http); /* accepts NULL; ends calls that still run */

/* True: an answer with any status came. False: err is filled: STATUS_UNREACHABLE (resolve, connect, TLS), STATUS_TIMEOUT,
 * STATUS_PROTOCOL (not HTTP, cut off, too large). err says why only ("connection refused"); the caller says what and where.
 * A request that body_cb ended is true, with aborted set. */
bool http_run(struct http *http, const struct http_request *request, struct http_answer *answer, struct err *err) USE_RESULT;

void http_answer_release(struct http_answer *answer);

/* ---- several at once */

/* Starts a request; everything in it is copied but body_cb's payload. Never fails: errors come with the end. */
struct http_call *http_start(struct http *http, const struct http_request *request);

/* Waits until something happened, at most to the deadline, or until one of the extra descriptors is readable or
 * hung up; runs body callbacks. extra may be NULL; extra[i].revents is set; one that is negative is passed over. At most HTTP_EXTRA_MAX. */
struct pollfd;
bool http_wait(struct http *http, struct pollfd *extra, unsigned n_extra, int64_t deadline, struct err *err) USE_RESULT;

/* Has it ended? Then *ret_ok and err are as from http_run(). The answer is borrowed from the call. */
bool http_done(struct http_call *call, bool *ret_ok, struct err *err);
const struct http_answer *http_call_answer(const struct http_call *call); /* status and head are there once they came */
void http_end(struct http_call *call);					  /* ends it when it still runs, and frees it; accepts NULL */

/* The value of a header in an answer's head, trimmed; false when absent. Appends. */
bool http_header(const struct http_answer *answer, const char *name, struct buf *to);

/* When it may be asked again, by Retry-After in seconds: wall clock, milliseconds; 0: it does not say, or names more than a year. */
int64_t http_retry_at(const struct http_answer *answer, int64_t now_ms);

#endif
