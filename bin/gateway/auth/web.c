/* web.c - /v1/auth: a token is exchanged for a cookie session, which says who it is and can be closed */
#include "compat.h"

#include <stdio.h>
#include <string.h>

#include "auth/internal.h"
#include "clock.h"
#include "err.h"
#include "http/server.h"

/* Every answer here: named as the request is, kept by nobody, with at most one more header. */
static void
answer(struct request *request, int status, const char *name, const char *value, const struct buf *body)
{
	const char *headers[] = { "access-control-allow-origin", "*", "cache-control", "no-store", "x-request-id", request_id(request),
		name, value, NULL };

	request_reply(request, status, body->len ? "application/json; charset=utf-8" : NULL, headers, body->s, body->len);
}

static void
refuse(struct request *request, const struct auth_verdict *verdict)
{
	struct buf body = BUF_INIT;
	char seconds[16];

	buf_addch(&body, '{');
	jtext_add_string(&body, "code", verdict->code, strlen(verdict->code));
	jtext_add_string(&body, "message", verdict->message, strlen(verdict->message));
	buf_addch(&body, '}');
	snprintf(seconds, sizeof seconds, "%u", verdict->retry_after);
	if (verdict->status == 401)
		answer(request, 401, "www-authenticate", "Bearer", &body);
	else
		answer(request, verdict->status, verdict->retry_after ? "retry-after" : NULL, seconds, &body);
	buf_release(&body);
}

/* {"user":{"id"},"workspaces":[{"slug"}],"everywhere":bool,"activeWorkspaceSlug","personalWorkspaceSlug","scopes":[...],"expiresAt"} */
static void
describe(const struct principal *principal, int64_t expires_ms, struct buf *to)
{
	struct buf text = BUF_INIT;
	const char *slug;
	size_t i;

	buf_addstr(to, "{\"user\":{");
	jtext_add_string(to, "id", principal_user(principal), strlen(principal_user(principal)));
	buf_addstr(to, "},\"workspaces\":[");
	for (i = 0; i < principal_workspaces(principal); i++) {
		slug = principal_workspace(principal, i);
		buf_addstr(to, i ? ",{" : "{");
		jtext_add_string(to, "slug", slug, strlen(slug));
		buf_addch(to, '}');
	}
	buf_addch(to, ']');
	jtext_add_bool(to, "everywhere", principal_everywhere(principal));
	if (principal_workspaces(principal))
		jtext_add_string(to, "activeWorkspaceSlug", principal_workspace(principal, 0), strlen(principal_workspace(principal, 0)));
	else
		jtext_add_raw(to, "activeWorkspaceSlug", "null", 4);
	jtext_add_raw(to, "personalWorkspaceSlug", "null", 4);
	token_add_scopes(&text, (principal->base ? principal->base : principal)->scopes);
	jtext_add_raw(to, "scopes", text.s, text.len);
	buf_reset(&text);
	if (principal->base && principal->base->expires_ms < expires_ms)
		expires_ms = principal->base->expires_ms;
	if (expires_ms == TOKEN_NEVER)
		jtext_add_raw(to, "expiresAt", "null", 4);
	else {
		clock_add_iso(&text, expires_ms);
		jtext_add_string(to, "expiresAt", text.s, text.len);
	}
	buf_addch(to, '}');
	buf_release(&text);
}

static void
open_session(struct auth *auth, struct request *request, struct principal *principal)
{
	struct auth_verdict full = { .status = 429, .code = "RATE_LIMITED", .message = "Too many sessions are open", .retry_after = 60 };
	struct principal *base = principal->base ? principal->base : principal;
	int64_t until = clock_wall_ms() + auth->settings.session_ms;
	struct buf cookie = BUF_INIT, body = BUF_INIT;
	struct err err = ERR_INIT;

	if (!auth_session_open(auth, principal, &cookie, &err))
		refuse(request, &full);
	else {
		describe(principal, until < base->expires_ms ? until : base->expires_ms, &body);
		answer(request, 201, "set-cookie", cookie.s, &body);
		memset(cookie.s, 0, cookie.len);
	}
	buf_release(&cookie);
	buf_release(&body);
}

/* Closing what is not open is done already. */
static void
close_session(struct auth *auth, struct request *request)
{
	struct buf cookie = BUF_INIT, nothing = BUF_INIT;
	struct principal *principal;
	bool idle;

	principal = auth_session_find(auth, request, &idle);
	if (principal)
		caller_note(request, principal);
	principal_unref(principal);
	auth_session_close(auth, request, &cookie);
	answer(request, 204, "set-cookie", cookie.s, &nothing);
	buf_release(&cookie);
}

bool
auth_handle(struct auth *auth, struct request *request)
{
	const char *path = request_path(request), *method = request_method(request);
	bool session = !strcmp(path, "/v1/auth/session"), me = !strcmp(path, "/v1/auth/me");
	struct auth_verdict verdict;
	struct principal *principal;
	struct buf body = BUF_INIT;

	if (session || me)
		request_set_route(request, session ? "/v1/auth/session" : "/v1/auth/me");
	if (session && !strcmp(method, "DELETE")) {
		if (auth_judge_origin(auth, request, &verdict))
			close_session(auth, request);
		else
			refuse(request, &verdict);
		return true;
	}
	if (!(session && !strcmp(method, "POST")) && !(me && (!strcmp(method, "GET") || !strcmp(method, "HEAD"))))
		return false;
	principal = auth_judge(auth, request, 0, &verdict);
	if (!principal)
		refuse(request, &verdict);
	else if (session)
		open_session(auth, request, principal);
	else {
		describe(principal, principal->expires_ms, &body);
		answer(request, 200, NULL, NULL, &body);
	}
	principal_unref(principal);
	buf_release(&body);
	return true;
}
