/* judge.c - who asks, and may they? In the words of the Compass contract. */
#include "compat.h"

#include <string.h>
#include <strings.h>

#include "auth/internal.h"
#include "blank.h"
#include "clock.h"
#include "http/server.h"
#include "http/ws.h"

/* ---- the token that a request brings: the first hit decides, right or wrong */

static bool
bearer(const char *header, struct buf *to)
{
	const char *s = header;
	size_t n;

	if (!s || strncasecmp(s, "bearer", 6) || (s[6] != ' ' && s[6] != '\t'))
		return false;
	s += 6;
	n = strlen(s);
	blank_trim(&s, &n, BLANK_JSON);
	buf_add(to, s, n);
	return n > 0;
}

static bool
brought_token(const struct auth *auth, const struct request *request, struct buf *to)
{
	const char *header, *path = request_path(request);
	size_t n;

	if (bearer(request_header(request, "authorization"), to))
		return true;
	header = request_header(request, "x-clarity-token");
	if (header) {
		n = strlen(header);
		blank_trim(&header, &n, BLANK_JSON);
		buf_add(to, header, n);
		if (n)
			return true;
	}
	if (auth->settings.query_token)
		return request_query(request, "token", to);
	return request_peer(request) != PEER_REMOTE && (!strcmp(path, "/events") || !strcmp(path, "/api/events")) &&
	    request_query(request, "token", to);
}

static struct principal *
of_token(struct auth *auth, const struct buf *token)
{
	unsigned char digest[SHA256_BYTES];

	sha256(token->s, token->len, digest);
	if (auth->has_token && sha256_equal(digest, auth->digest))
		return auth->operator_;
	return principals_find(auth, token->s, token->len);
}

enum caller
caller_find(struct auth *auth, struct request *request, struct principal **ret)
{
	struct buf token = BUF_INIT;
	bool brought, idle;

	*ret = NULL;
	principals_look(auth);
	brought = brought_token(auth, request, &token);
	if (brought && auth_needs_token(auth))
		*ret = of_token(auth, &token);
	buf_release(&token);
	if (*ret) {
		principal_ref(*ret);
		return CALLER_KNOWN;
	}
	if (!brought || !auth_needs_token(auth)) {
		*ret = auth_session_find(auth, request, &idle);
		if (*ret)
			return CALLER_KNOWN;
		if (!auth_needs_token(auth)) {
			*ret = principal_ref(auth->local);
			return CALLER_KNOWN;
		}
		if (idle)
			return CALLER_IDLE;
	}
	return CALLER_UNKNOWN;
}

static void
drop_note(void *note)
{
	principal_unref(note);
}

void
caller_note(struct request *request, struct principal *principal)
{
	request_set_note(request, principal_ref(principal), drop_note);
}

const struct principal *
auth_caller(const struct request *request)
{
	return request_note(request);
}

bool
caller_rate(struct auth *auth, struct principal *principal, unsigned *ret_seconds)
{
	struct principal *base = principal->base ? principal->base : principal;
	int64_t wait;

	if (!auth->settings.rate || base == auth->local)
		return true;
	if (bucket_take(&base->bucket, auth->settings.rate, auth->settings.burst, clock_monotonic_ms(), &wait))
		return true;
	*ret_seconds = (unsigned)((wait + 999) / 1000);
	return false;
}

/* ---- the verdict */

static struct principal *
no(struct auth_verdict *verdict, int status, const char *code, const char *message)
{
	*verdict = (struct auth_verdict){ .status = status, .code = code, .message = message };
	return NULL;
}

static bool
changes_state(const struct request *request)
{
	const char *method = request_method(request);

	return (strcmp(method, "GET") && strcmp(method, "HEAD") && strcmp(method, "OPTIONS")) || ws_asked(request);
}

bool
auth_judge_origin(struct auth *auth, struct request *request, struct auth_verdict *ret)
{
	struct buf token = BUF_INIT;
	bool brought = brought_token(auth, request, &token);
	enum names_origin origin;

	buf_release(&token);
	memset(ret, 0, sizeof *ret);
	if (!brought && auth_has_cookie(request)) {
		origin = changes_state(request) ? names_own_origin(auth, request) : ORIGIN_GOOD;
		if (origin == ORIGIN_MISSING)
			no(ret, 403, "CSRF_ORIGIN_REQUIRED", "Origin header is required for state-changing requests");
		else if (origin == ORIGIN_WRONG)
			no(ret, 403, "CSRF_ORIGIN_DENIED", "Cross-origin state-changing requests are not allowed");
	} else if (!names_origin(auth, request, brought && auth_needs_token(auth)))
		no(ret, 403, "CSRF_ORIGIN_DENIED", "Cross-origin requests are not allowed");
	return !ret->status;
}

struct principal *
auth_judge(struct auth *auth, struct request *request, unsigned scopes, struct auth_verdict *ret)
{
	struct principal *principal;
	unsigned seconds;
	enum caller caller;

	memset(ret, 0, sizeof *ret);
	caller = caller_find(auth, request, &principal);
	if (principal)
		caller_note(request, principal);
	if (!auth_needs_token(auth) && request_peer(request) == PEER_REMOTE)
		no(ret, 403, "FORBIDDEN", "Callers from other machines need a token");
	else if (!names_host(auth, request))
		no(ret, 403, "FORBIDDEN", "This host name is not allowed");
	else if (!auth_judge_origin(auth, request, ret))
		; /* it says why */
	else if (caller == CALLER_IDLE)
		no(ret, 401, "SESSION_IDLE_TIMEOUT", "Session expired due to inactivity");
	else if (caller == CALLER_UNKNOWN)
		no(ret, 401, "UNAUTHORIZED", "Authentication required");
	else if (!caller_rate(auth, principal, &seconds)) {
		no(ret, 429, "RATE_LIMITED", "Too many requests");
		ret->retry_after = seconds;
	} else if (!principal_may(principal, scopes))
		no(ret, 403, "FORBIDDEN",
		    scopes & AUTH_ADMIN	      ? "The token lacks the scope admin"
			: scopes & AUTH_WRITE ? "The token lacks the scope write"
					      : "The token lacks the scope read");
	if (!ret->status)
		return principal;
	principal_unref(principal);
	return NULL;
}
