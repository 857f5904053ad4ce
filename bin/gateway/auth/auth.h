/* auth.h - the door of auth/: may this request come in?
 *
 * Clarity contract section 3, plus what it lacks: a Host and Origin check against DNS rebinding and cross-site posts.
 *  - Token configured: Authorization: Bearer (scheme in any case) wins over x-clarity-token, which wins over ?token= (only on
 *    /events and /api/events, only from loopback). Compared in constant time. Failure: 401 and www-authenticate: Bearer.
 *  - No token: loopback and unix peers only, others 403. The Host header, when there is one, must name localhost, a loopback
 *    address, or a name given with allow_host; else 403 "forbidden: host 'evil.example' is not allowed".
 *  - Origin, when present, must have the same host and port as Host, or be allowed; else 403 (both with and without token).
 * The token comes from a file (one token, trimmed) or the environment; only its SHA-256 stays in memory. Beside it there may be a file of
 * tokens (token.h), each with a user, workspaces, scopes and an end: once it is there, nobody comes in without a token.
 */
#ifndef AUTH_H
#define AUTH_H

#include "compat.h"
#include "jtext.h"

struct auth;
struct buf;
struct err;
struct principal;
struct request;

struct auth_settings {
	const char *token_file; /* NULL: CLARITYD_AUTH_TOKEN, else CLARITY_API_TOKEN (contract: an empty first one ends the search) */
	const char *variable;	/* instead of those two */
	bool query_token;	/* ?token= counts on every path, from anywhere */
	const char *const *allow_hosts; /* NULL-ended; NULL: none */
	const char *tokens_file;	/* token.h; NULL: none. Looked at with every request, so a revoked token ends at once */
	const char
	    *web_origin; /* WEB_BASE_URL: the pages that may use tokens and cookies (NULL: AUTH_WEB_ORIGIN) and, when given, ask without */
	int64_t session_ms, session_idle_ms; /* 0: the defaults below */
	unsigned rate, burst;		     /* requests per second and at once of one principal (not local); rate 0: no limit */
	/* Told when the file of tokens has become wrong, when it is right again (no status), and when sessions cannot be kept; NULL: not. */
	void (*problem)(const struct err *err, void *payload);
	void *problem_payload;
};

#define AUTH_WEB_ORIGIN "http://localhost:3000"

/* Errors: STATUS_CONFIG (file unreadable, empty, or a token with blanks or control characters inside). */
struct auth *auth_new(const struct auth_settings *settings, struct err *err);
bool auth_reload(struct auth *auth, struct err *err) USE_RESULT; /* SIGHUP: reads the file again; keeps the old token on failure */
void auth_free(struct auth *auth);
bool auth_has_token(const struct auth *auth); /* must a caller bring one? */

/* Is this path one that needs a caller (contract section 3)? */
bool auth_guards(const char *path);

/* True: go on. False: it has been answered. */
bool auth_admit(struct auth *auth, struct request *request) USE_RESULT;

/* ---- principals: who asks
 *
 * A token of `agent-gateway-token` names a user, workspaces, scopes and an end; the token of --token-file is the user "operator", a
 * caller who needs no token the user "local", both with every workspace and scope. A cookie session is the principal of the token
 * that opened it. A principal is a snapshot with a count of references; it stays readable when its token has ended.
 */
enum auth_scope { AUTH_READ = 1, AUTH_WRITE = 2, AUTH_ADMIN = 4 };

struct principal *principal_ref(struct principal *principal);
void principal_unref(struct principal *principal); /* accepts NULL */
const char *principal_user(const struct principal *principal);
const char *principal_token(const struct principal *principal);		/* the token's id, "" for local and operator */
bool principal_may(const struct principal *principal, unsigned scopes); /* all of them */
bool principal_member(const struct principal *principal, const char *workspace, size_t n);
bool principal_everywhere(const struct principal *principal);	/* member of every workspace */
size_t principal_workspaces(const struct principal *principal); /* those that are named */
const char *principal_workspace(const struct principal *principal, size_t i);

/* False once the token is revoked (50 ms later at most) or past its end, or the session closed or past its: streams ask with their tick. */
bool auth_holds(struct auth *auth, const struct principal *principal);

/* Why not, in the words of the Compass contract section 3. */
struct auth_verdict {
	int status;		    /* 401, 403 or 429 */
	const char *code, *message; /* static */
	unsigned retry_after;	    /* seconds, 429 only */
};

/* The caller of a request: a new reference, or NULL and the verdict. In order: peer and names (FORBIDDEN), Origin (CSRF_ORIGIN_REQUIRED,
 * CSRF_ORIGIN_DENIED), credential (UNAUTHORIZED, SESSION_IDLE_TIMEOUT), rate (RATE_LIMITED), scopes (FORBIDDEN). A cookie counts where no
 * bearer token is given; with it, whatever changes state, and every WebSocket, must come from an allowed Origin. */
struct principal *auth_judge(struct auth *auth, struct request *request, unsigned scopes, struct auth_verdict *ret);

/* Only the rule about Origin, which the contract puts before everything else. False: *ret says why. */
bool auth_judge_origin(struct auth *auth, struct request *request, struct auth_verdict *ret) USE_RESULT;

/* Who it was that auth_judge() or auth_admit() found; NULL: nobody, or nobody looked. */
const struct principal *auth_caller(const struct request *request);

/* ---- cookie sessions (`__Host-compass_session`, 8 h, 1 h idle) */

#define AUTH_SESSION_MS (28800 * INT64_C(1000))
#define AUTH_SESSION_IDLE_MS (3600 * INT64_C(1000))
#define AUTH_SESSIONS_MAX 10000

/* Takes up the sessions that a gateway before this one has left in the file, and keeps them there from now on (hashes only). Call it once,
 * by the one gateway that owns the state. How long they were not used is counted anew. Errors: STATUS_CONFIG. */
bool auth_sessions_keep(struct auth *auth, const char *file, struct err *err) USE_RESULT;

/* Gateways that share a store share their sessions: instead of the file there is a shelf with a record for each, under a key made of the
 * cookie's hash. Another gateway's is taken from there with the first request that brings its cookie; whoever closes one removes its
 * record, which the others are told (auth_session_take() with SPAN_NONE). Its use is noted there now and then, and one that has slept here
 * may have been awake there. */
#define AUTH_SHELF_PREFIX "session/" /* of the keys; the hash follows */
enum auth_put { AUTH_PUT, AUTH_PUT_IF_THERE };
typedef void auth_put_cb(const struct err *err, void *deed); /* err NULL: it is done */
struct auth_shelf {
	/* record SPAN_NONE: removes it, and tells the others. done NULL: nobody wants to know. */
	void (*put)(const struct buf *key, struct span record, enum auth_put how, auth_put_cb *done, void *deed, void *payload);
	void *payload;
};
void auth_sessions_share(struct auth *auth, const struct auth_shelf *shelf);
/* True: the shelf is to be asked for *ret_key (appended) before the request is judged. */
bool auth_session_asks(struct auth *auth, const struct request *request, struct buf *ret_key) USE_RESULT;
/* What lies there under this key; SPAN_NONE: nothing (any more). */
void auth_session_take(struct auth *auth, struct span key, struct span record);

/* Appends the value of a Set-Cookie header. The session's principal, borrowed; NULL: err says why (too many sessions). It ends with the
 * given principal at the latest: who comes with a cookie gains no time. */
struct principal *auth_session_open(struct auth *auth, struct principal *principal, struct buf *ret_set_cookie, struct err *err) USE_RESULT;
/* Answers /v1/auth/session (POST: a token for a cookie; DELETE: it is closed) and GET /v1/auth/me. False: none of them. */
bool auth_handle(struct auth *auth, struct request *request) USE_RESULT;

/* The principal of the request's cookie, a new reference, or NULL; *ret_idle: it was there and slept too long. */
struct principal *auth_session_find(struct auth *auth, const struct request *request, bool *ret_idle);
/* Does the request bring a session's cookie, good or not? */
bool auth_has_cookie(const struct request *request);
/* Ends the request's session, if it has one; appends a Set-Cookie value that removes it. */
void auth_session_close(struct auth *auth, const struct request *request, struct buf *ret_set_cookie);

#endif
