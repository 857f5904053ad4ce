/* auth.c - may this request come in? (Clarity contract section 3) */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/auth.h"
#include "buf.h"
#include "err.h"
#include "http/server.h"
#include "sha256.h"
#include "status.h"
#include "utf8.h"
#include "xalloc.h"

#define TOKEN_MAX 65536 /* bytes of the file */

struct auth {
	struct auth_settings settings;
	unsigned char digest[SHA256_BYTES];
	bool has_token;
};

static void
trim(const char **s, size_t *n)
{
	while (*n && strchr(" \t\r\n", **s)) {
		++*s;
		--*n;
	}
	while (*n && strchr(" \t\r\n", (*s)[*n - 1]))
		--*n;
}

static bool
set_token(struct auth *auth, const char *text, size_t len, const char *where, struct err *err)
{
	size_t i;

	trim(&text, &len);
	for (i = 0; i < len; i++)
		if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] == 0x7f)
			return err_set(err, STATUS_CONFIG, "unable to use the token of %s: it holds a blank or a control character", where);
	auth->has_token = len > 0;
	if (len)
		sha256(text, len, auth->digest);
	return true;
}

bool
auth_reload(struct auth *auth, struct err *err)
{
	struct auth fresh = { .settings = auth->settings };
	const char *name = "CLARITYD_AUTH_TOKEN", *value;
	struct buf text = BUF_INIT;
	bool ok;

	if (auth->settings.token_file) {
		ok = buf_read_file(&text, auth->settings.token_file, TOKEN_MAX, err);
		if (!ok) {
			err->status = STATUS_CONFIG;
			err_prefix(err, "unable to take the token");
		} else
			ok = set_token(&fresh, text.s, text.len, auth->settings.token_file, err);
		if (ok && !fresh.has_token)
			ok = err_set(err, STATUS_CONFIG, "unable to take the token: '%s' is empty", auth->settings.token_file);
		if (text.cap)
			memset(text.s, 0, text.cap);
		buf_release(&text);
	} else {
		if (auth->settings.variable)
			name = auth->settings.variable;
		value = getenv(name);
		if (!value && !auth->settings.variable) {
			name = "CLARITY_API_TOKEN";
			value = getenv(name);
		}
		ok = set_token(&fresh, value ? value : "", value ? strlen(value) : 0, name, err);
	}
	if (ok)
		*auth = fresh;
	return ok;
}

struct auth *
auth_new(const struct auth_settings *settings, struct err *err)
{
	struct auth *auth = xcalloc(1, sizeof *auth);

	auth->settings = *settings;
	if (!auth_reload(auth, err)) {
		free(auth);
		return NULL;
	}
	return auth;
}

void
auth_free(struct auth *auth)
{
	free(auth);
}

bool
auth_has_token(const struct auth *auth)
{
	return auth->has_token;
}

bool
auth_guards(const char *path)
{
	static const char *const exact[] = { "/mcp", "/questions", "/answer", "/cancel", "/events" };
	size_t i;

	if (!strncmp(path, "/api/", 5) || !strncmp(path, "/questions/", 11))
		return true;
	for (i = 0; i < ARRAY_LEN(exact); i++)
		if (!strcmp(path, exact[i]))
			return true;
	return false;
}

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
	trim(&s, &n);
	buf_add(to, s, n);
	return n > 0;
}

static bool
candidate(const struct auth *auth, const struct request *request, struct buf *to)
{
	const char *header, *path = request_path(request);
	size_t n;

	if (bearer(request_header(request, "authorization"), to))
		return true;
	header = request_header(request, "x-clarity-token");
	if (header) {
		n = strlen(header);
		trim(&header, &n);
		buf_add(to, header, n);
		if (n)
			return true;
	}
	if (auth->settings.query_token)
		return request_query(request, "token", to);
	return request_peer(request) != PEER_REMOTE && (!strcmp(path, "/events") || !strcmp(path, "/api/events")) && request_query(request, "token", to);
}

static bool
token_fits(const struct auth *auth, const struct request *request)
{
	unsigned char digest[SHA256_BYTES];
	struct buf token = BUF_INIT;
	bool fits = false;

	if (candidate(auth, request, &token)) {
		sha256(token.s, token.len, digest);
		fits = sha256_equal(digest, auth->digest);
	}
	buf_release(&token);
	return fits;
}

/* ---- the names that a browser brings */

/* Host of "host:port", "[::1]:80" or a bare one. */
static struct span
host_of(const char *s)
{
	const char *end = *s == '[' ? strchr(s, ']') : strchr(s, ':');

	if (*s == '[' && end)
		return (struct span){ s + 1, (size_t)(end - s) - 1 };
	return (struct span){ s, end ? (size_t)(end - s) : strlen(s) };
}

static bool
is_host(struct span host, const char *name)
{
	return host.n == strlen(name) && !strncasecmp(host.s, name, host.n);
}

static bool
host_allowed(const struct auth *auth, const char *header)
{
	struct span host = host_of(header);
	const char *const *allowed;
	size_t i, digits = 0;

	if (is_host(host, "localhost") || is_host(host, "::1"))
		return true;
	/* 127.0.0.0/8, in the usual spelling only */
	if (host.n >= 7 && !strncmp(host.s, "127.", 4)) {
		for (i = 0; i < host.n; i++)
			digits += (host.s[i] >= '0' && host.s[i] <= '9') || host.s[i] == '.';
		if (digits == host.n)
			return true;
	}
	for (allowed = auth->settings.allow_hosts; allowed && *allowed; allowed++)
		if (is_host(host, *allowed))
			return true;
	return false;
}

/* An Origin is the page's own address: it must be the one that the request goes to, or one that the operator allows. */
static bool
origin_allowed(const struct auth *auth, const char *origin, const char *host)
{
	const char *rest = strstr(origin, "://");
	const char *const *allowed;

	if (!rest)
		return false; /* "null" too */
	rest += 3;
	if (host && !strcasecmp(rest, host))
		return true;
	for (allowed = auth->settings.allow_hosts; allowed && *allowed; allowed++)
		if (is_host(host_of(rest), *allowed))
			return true;
	return false;
}

static bool
names_fit(const struct auth *auth, struct request *request)
{
	const char *host = request_header(request, "host"), *origin = request_header(request, "origin");
	struct buf safe = BUF_INIT;

	if (!auth->has_token && host && request_peer(request) != PEER_UNIX && !host_allowed(auth, host)) {
		utf8_safe(&safe, host, strlen(host), UTF8_SAFE_LINE);
		request_reply_error(request, 403, NULL, "forbidden: host '%s' is not allowed", safe.s);
	} else if (origin && !origin_allowed(auth, origin, host)) {
		utf8_safe(&safe, origin, strlen(origin), UTF8_SAFE_LINE);
		request_reply_error(request, 403, NULL, "forbidden: origin '%s' is not allowed", safe.s);
	} else
		return true;
	buf_release(&safe);
	return false;
}

bool
auth_admit(const struct auth *auth, struct request *request)
{
	static const char *const challenge[] = { "www-authenticate", "Bearer", NULL };

	if (!auth->has_token && request_peer(request) == PEER_REMOTE) {
		request_reply_error(request, 403, NULL, "forbidden: configure CLARITYD_AUTH_TOKEN for non-loopback access");
		return false;
	}
	if (auth->has_token && !token_fits(auth, request)) {
		request_reply_error(request, 401, challenge, "unauthorized");
		return false;
	}
	return names_fit(auth, request);
}
