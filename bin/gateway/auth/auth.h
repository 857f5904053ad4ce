/* auth.h - the door of auth/: may this request come in?
 *
 * Clarity contract section 3, plus what it lacks: a Host and Origin check against DNS rebinding and cross-site posts.
 *  - Token configured: Authorization: Bearer (scheme in any case) wins over x-clarity-token, which wins over ?token= (only on
 *    /events and /api/events, only from loopback). Compared in constant time. Failure: 401 and www-authenticate: Bearer.
 *  - No token: loopback and unix peers only, others 403. The Host header, when there is one, must name localhost, a loopback
 *    address, or a name given with allow_host; else 403 "forbidden: host 'evil.example' is not allowed".
 *  - Origin, when present, must have the same host and port as Host, or be allowed; else 403 (both with and without token).
 * Tokens come from a file (one token, trimmed) or the environment; only their SHA-256 stays in memory.
 */
#ifndef AUTH_H
#define AUTH_H

#include "compat.h"

struct auth;
struct err;
struct request;

struct auth_settings {
	const char *token_file;		 /* NULL: CLARITYD_AUTH_TOKEN, else CLARITY_API_TOKEN (contract: an empty first one ends the search) */
	const char *const *allow_hosts;	 /* NULL-ended; NULL: none */
};

/* Errors: STATUS_CONFIG (file unreadable, empty, or a token with blanks or control characters inside). */
struct auth *auth_new(const struct auth_settings *settings, struct err *err);
bool auth_reload(struct auth *auth, struct err *err) USE_RESULT; /* SIGHUP: reads the file again; keeps the old token on failure */
void auth_free(struct auth *auth);
bool auth_has_token(const struct auth *auth);

/* Is this path one that needs a caller (contract section 3)? */
bool auth_guards(const char *path);

/* True: go on. False: it has been answered. */
bool auth_admit(const struct auth *auth, struct request *request) USE_RESULT;

#endif
