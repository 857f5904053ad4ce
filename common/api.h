/* api.h - the server: its address, the token, paths from segments, and what its answers mean
 *
 * Address: --url, else AGENT_RUNTIME_URL, else http://127.0.0.1:4707. "host:port" means http. "unix:/path" is a socket.
 * A trailing slash is dropped. Token: --token-file, else AGENT_RUNTIME_TOKEN, else CLARITY_RUNTIME_TOKEN; trimmed; empty is none.
 * A Compass API knows no tokens but a session cookie: --cookie-file, else AGENT_COOKIE_FILE. With it an Origin is sent: --origin, else
 * AGENT_ORIGIN, else the server's own.
 * Paths are given as segments, each percent-encoded, so that an id with "/" or ".." cannot change the path.
 */
#ifndef API_H
#define API_H

#include "address.h"
#include "buf.h"
#include "compat.h"
#include "http.h"

struct err;

struct api {
	struct address address;
	struct buf token;
	struct buf cookie;	      /* "__Host-compass_session=...", "" without */
	struct buf origin;	      /* "" when none is sent */
	const char *url, *token_file; /* options, borrowed */
	const char *cookie_file, *origin_given;
	const char *cacert, *cert, *key;
	bool wait_for_limit;		  /* see api_call() */
	void (*limit_met)(int64_t until); /* said before a wait until then, wall clock; NULL: it is waited without a word */
	const char *prefer;		  /* the Prefer header of each request, NULL: none; borrowed */
	int64_t timeout_ms;		  /* of the whole command, 0: none given */
	int64_t connect_timeout_ms;
	int64_t deadline; /* from timeout_ms, set by api_open() */
	struct http *http;
};

#define API_INIT                                                                                                                           \
	{                                                                                                                                  \
		.address = ADDRESS_INIT, .token = BUF_INIT, .cookie = BUF_INIT, .origin = BUF_INIT, .deadline = INT64_MAX                  \
	}
#define API_LIMIT_MS 60000			      /* so long a limit is waited for of which nobody knows when it is over */
#define API_LIMIT_MAX_MS (INT64_C(31) * 86400 * 1000) /* a later end is not waited for */
#define API_REQUEST_TIMEOUT_MS 30000		      /* one ordinary request, when --timeout says nothing */

/* Takes an option of OPT_API or OPT_COOKIE. False: not one of them (err->status OK), or a bad value (err filled). */
bool api_opt(struct api *api, int key, const char *arg, struct err *err) USE_RESULT;

/* After the options: address, token, connection handle. Sends nothing. */
bool api_open(struct api *api, struct err *err) USE_RESULT;
void api_release(struct api *api);

/* base + "/" + each segment percent-encoded, NULL-ended. A segment of "." or ".." is encoded too ("%2E%2E"). */
void api_path(const struct api *api, struct buf *url, const char *const *segments);
#define API_PATH(api, url, ...) api_path((api), (url), (const char *const[]){ __VA_ARGS__, NULL })
/* Appends "?name=value" or "&name=value", encoded. */
void api_query(struct buf *url, const char *name, const char *value);

/* One request. method "GET", "POST", "PATCH" or "DELETE"; json may be NULL; key (Idempotency-Key) may be NULL.
 * True: 2xx with a JSON body (checked to be one value) in answer->body. False: err says what, where and why, by the table:
 *   cannot resolve or connect, TLS 3 | 401, 403 4 | deadline, 408, 504 5 | 400, 413, 415, 422 6 | 404 1 | 409 14 | 410 15
 *   429, 503 75 (retry_at from Retry-After); 503 with a code that says switched off 9 | other status, HTML, not JSON, cut off 7
 * With wait_for_limit a 429 is waited for and asked again, as often as it comes, unless --timeout ends before.
 * `what` is the act, for messages: "post to run 'r1'". answer is filled also on failure and must be released. */
bool api_call(struct api *api, const char *method, const char *url, const struct buf *json, const char *key, const char *what,
    struct http_answer *answer, struct err *err) USE_RESULT;

/* A limit was met that is over then (0: nobody knows): waits. False: that is too far, or somebody wants to leave; err stays what it was. */
bool api_wait_for_limit(const struct api *api, int64_t until) USE_RESULT;

/* The headers for a request of one's own (streams): authorization, accept, extra. NULL-ended; free with api_headers_free(). */
char **api_headers(const struct api *api, const char *accept, const char *const *extra);
void api_headers_free(char **headers);

/* What an answer that is not 2xx, or not of the wanted type, means. Always false. */
bool api_fail(const struct api *api, const struct http_answer *answer, const char *what, struct err *err);

#endif
