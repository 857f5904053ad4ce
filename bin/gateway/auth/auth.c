/* auth.c - may this request come in? (Clarity contract section 3) */
#include "compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/internal.h"
#include "blank.h"
#include "buf.h"
#include "err.h"
#include "http/server.h"
#include "sha256.h"
#include "status.h"
#include "utf8.h"
#include "xalloc.h"

#define TOKEN_MAX 65536 /* bytes of the file */

static bool
set_token(struct auth *auth, const char *text, size_t len, const char *where, struct err *err)
{
	size_t i;

	blank_trim(&text, &len, BLANK_JSON);
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
	if (ok) {
		memcpy(auth->digest, fresh.digest, sizeof auth->digest);
		auth->has_token = fresh.has_token;
	}
	return ok && principals_refresh(auth, true, err);
}

struct auth *
auth_new(const struct auth_settings *settings, struct err *err)
{
	struct auth *auth = xcalloc(1, sizeof *auth);

	auth->settings = *settings;
	auth->sessions_fd = -1;
	if (!auth->settings.session_ms)
		auth->settings.session_ms = AUTH_SESSION_MS;
	if (!auth->settings.session_idle_ms)
		auth->settings.session_idle_ms = AUTH_SESSION_IDLE_MS;
	auth->local = principal_new("local", TOKEN_ALL);
	auth->operator_ = principal_new("operator", TOKEN_ALL);
	if (!auth_reload(auth, err)) {
		auth_free(auth);
		return NULL;
	}
	return auth;
}

void
auth_free(struct auth *auth)
{
	if (!auth)
		return;
	sessions_free(auth);
	principals_free(auth);
	free(auth);
}

bool
auth_has_token(const struct auth *auth)
{
	return auth_needs_token(auth);
}

bool
auth_needs_token(const struct auth *auth)
{
	return auth->has_token || auth->has_tokens;
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

/* ---- may it come in? In the words of the Clarity contract. */

static bool
names_fit(const struct auth *auth, struct request *request)
{
	const char *host = request_header(request, "host"), *origin = request_header(request, "origin");
	struct buf safe = BUF_INIT;

	if (!names_host(auth, request)) {
		utf8_safe(&safe, host, strlen(host), UTF8_SAFE_LINE);
		request_reply_error(request, 403, NULL, "forbidden: host '%s' is not allowed", safe.s);
	} else if (!names_origin(auth, request, false)) {
		utf8_safe(&safe, origin, strlen(origin), UTF8_SAFE_LINE);
		request_reply_error(request, 403, NULL, "forbidden: origin '%s' is not allowed", safe.s);
	} else
		return true;
	buf_release(&safe);
	return false;
}

/* This surface knows no workspaces: who is confined to some sees nothing of it. */
static bool
may(struct auth *auth, struct request *request, struct principal *principal)
{
	const char *method = request_method(request);
	bool reads = !strcmp(method, "GET") || !strcmp(method, "HEAD") || !strcmp(method, "OPTIONS");
	char seconds_text[16];
	unsigned seconds;

	if (!caller_rate(auth, principal, &seconds)) {
		snprintf(seconds_text, sizeof seconds_text, "%u", seconds);
		request_reply_error(request, 429, (const char *const[]){ "retry-after", seconds_text, NULL }, "too many requests");
	} else if (!principal_may(principal, reads ? AUTH_READ : AUTH_WRITE))
		request_reply_error(request, 403, NULL, "forbidden: the token has not the scope '%s'", reads ? "read" : "write");
	else if (!principal_everywhere(principal))
		request_reply_error(request, 403, NULL, "forbidden: the token is good for its workspaces only, and there are none here");
	else
		return true;
	return false;
}

bool
auth_admit(struct auth *auth, struct request *request)
{
	static const char *const challenge[] = { "www-authenticate", "Bearer", NULL };
	struct auth_verdict verdict;
	struct principal *principal;
	bool good;

	if (caller_find(auth, request, &principal) != CALLER_KNOWN) {
		request_reply_error(request, 401, challenge, "unauthorized");
		return false;
	}
	caller_note(request, principal);
	good = true;
	if (!auth_needs_token(auth) && request_peer(request) == PEER_REMOTE) {
		request_reply_error(request, 403, NULL, "forbidden: configure CLARITYD_AUTH_TOKEN for non-loopback access");
		good = false;
	} else if (principal->session && !auth_judge_origin(auth, request, &verdict)) {
		request_reply_error(request, verdict.status, NULL, "forbidden: %s", verdict.message);
		good = false;
	} else
		good = (principal->session || names_fit(auth, request)) && may(auth, request, principal);
	principal_unref(principal);
	return good;
}
