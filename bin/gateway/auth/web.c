/* web.c - /v1/auth: a token is exchanged for a cookie session, which says who it is and can be closed */
#include "compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/internal.h"
#include "auth/routes.h"
#include "err.h"
#include "http/server.h"
#include "xalloc.h"

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
	jtext_add_text(&body, "code", verdict->code);
	jtext_add_text(&body, "message", verdict->message);
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
	jtext_add_text(to, "id", principal_user(principal));
	buf_addstr(to, "},\"workspaces\":[");
	for (i = 0; i < principal_workspaces(principal); i++) {
		slug = principal_workspace(principal, i);
		buf_addstr(to, i ? ",{" : "{");
		jtext_add_text(to, "slug", slug);
		buf_addch(to, '}');
	}
	buf_addch(to, ']');
	jtext_add_bool(to, "everywhere", principal_everywhere(principal));
	if (principal_workspaces(principal))
		jtext_add_text(to, "activeWorkspaceSlug", principal_workspace(principal, 0));
	else
		jtext_add_null(to, "activeWorkspaceSlug");
	jtext_add_null(to, "personalWorkspaceSlug");
	token_add_scopes(&text, (principal->base ? principal->base : principal)->scopes);
	jtext_add_raw(to, "scopes", text.s, text.len);
	if (principal->base && principal->base->expires_ms < expires_ms)
		expires_ms = principal->base->expires_ms;
	if (expires_ms == TOKEN_NEVER)
		jtext_add_null(to, "expiresAt");
	else
		jtext_add_time(to, "expiresAt", expires_ms);
	buf_addch(to, '}');
	buf_release(&text);
}

/* The caller, a new reference; NULL: refused. */
static struct principal *
judge(struct auth *auth, struct request *request)
{
	struct auth_verdict verdict;
	struct principal *principal = auth_judge(auth, request, 0, &verdict);

	if (!principal)
		refuse(request, &verdict);
	return principal;
}

/* An answer that waits until the other gateways can know of it. */
struct deed {
	struct auth *auth;
	struct request *request;
	struct principal *opened; /* NULL: closed */
	struct buf cookie, body;
};

static struct deed *
deed_new(struct auth *auth, struct request *request)
{
	struct deed *deed = xcalloc(1, sizeof *deed);

	deed->auth = auth;
	deed->request = request;
	buf_init(&deed->cookie);
	buf_init(&deed->body);
	return deed;
}

static void
deed_free(struct deed *deed)
{
	if (deed->cookie.len)
		memset(deed->cookie.s, 0, deed->cookie.len);
	principal_unref(deed->opened);
	buf_release(&deed->cookie);
	buf_release(&deed->body);
	free(deed);
}

static void
on_put(const struct err *err, void *payload)
{
	struct auth_verdict unable = {
		.status = 503, .code = "AGENT_STORE_UNAVAILABLE", .message = "Unable to store the session", .retry_after = 1
	};
	struct deed *deed = payload;

	if (err) {
		if (deed->opened)
			session_drop(deed->auth, deed->opened);
		refuse(deed->request, &unable);
	} else
		answer(deed->request, deed->opened ? 201 : 204, "set-cookie", deed->cookie.s, &deed->body);
	deed_free(deed);
}

static void
open_session(struct auth *auth, struct request *request)
{
	struct auth_verdict full = { .status = 429, .code = "RATE_LIMITED", .message = "Too many sessions are open", .retry_after = 60 };
	struct principal *principal = judge(auth, request), *opened;
	struct err err = ERR_INIT;
	struct deed *deed;

	if (!principal)
		return;
	deed = deed_new(auth, request);
	opened = auth_session_open(auth, principal, &deed->cookie, &err);
	if (!opened) {
		refuse(request, &full);
		deed_free(deed);
	} else {
		deed->opened = principal_ref(opened);
		describe(opened, opened->expires_ms, &deed->body);
		session_keep(auth, opened, on_put, deed);
	}
	principal_unref(principal);
}

/* Closing what is not open is done already. */
static void
close_session(struct auth *auth, struct request *request)
{
	struct auth_verdict verdict;
	struct principal *principal;
	struct deed *deed;
	bool idle;

	if (!auth_judge_origin(auth, request, &verdict)) {
		refuse(request, &verdict);
		return;
	}
	principal = auth_session_find(auth, request, &idle);
	if (principal)
		caller_note(request, principal);
	principal_unref(principal);
	deed = deed_new(auth, request);
	auth_session_close(auth, request, &deed->cookie);
	session_lose(auth, request, on_put, deed);
}

static void
tell_session(struct auth *auth, struct request *request)
{
	struct principal *principal = judge(auth, request);
	struct buf body = BUF_INIT;

	if (!principal)
		return;
	describe(principal, principal->expires_ms, &body);
	answer(request, 200, NULL, NULL, &body);
	principal_unref(principal);
	buf_release(&body);
}

bool
auth_handle(struct auth *auth, struct request *request)
{
#define ROUTE(method, path, handler, scope) { method, path, handler },
	static const struct {
		const char *method, *path;
		void (*handler)(struct auth *auth, struct request *request);
	} routes[] = { AUTH_ROUTES(ROUTE) };
#undef ROUTE
	const char *method = request_method(request);
	size_t i;

	if (!strcmp(method, "HEAD"))
		method = "GET";
	for (i = 0; i < ARRAY_LEN(routes); i++)
		if (!strcmp(routes[i].path, request_path(request)) && !strcmp(routes[i].method, method)) {
			request_set_route(request, routes[i].path);
			routes[i].handler(auth, request);
			return true;
		}
	return false;
}
