/* clarity.c - the routes: the table is made from contract/openapi.json */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "auth/auth.h"
#include "clarity/internal.h"
#include "clarity/routes.h"
#include "http/server.h"
#include "xalloc.h"

#define TICK_MS 500

#define ROUTE(method, path, handler, scope) { method, path, handler, scope },
static const struct route {
	const char *method, *path;
	handler_fn *handler;
	unsigned scope;
} routes[] = { CLARITY_ROUTES(ROUTE) };

enum match { MATCH_NO, MATCH_YES, MATCH_MALFORMED };

/* The path against a pattern; ":id" takes one segment, percent-decoded into run. */
static enum match
match(const char *pattern, const char *path, struct buf *run)
{
	while (*pattern && *path) {
		size_t n;

		if (*pattern != ':') {
			if (*pattern++ != *path++)
				return MATCH_NO;
			continue;
		}
		pattern += strcspn(pattern, "/");
		n = strcspn(path, "/");
		if (!n)
			return MATCH_NO;
		buf_reset(run);
		if (!server_decode_segment(path, n, run))
			return MATCH_MALFORMED;
		path += n;
	}
	return *pattern || *path ? MATCH_NO : MATCH_YES;
}

static bool
is_method(const struct route *route, const char *method)
{
	return !strcmp(route->method, method) || (!strcmp(method, "HEAD") && !strcmp(route->method, "GET"));
}

static void
refuse_method(struct request *request, const struct buf *allow)
{
	const char *const headers[] = { "allow", allow->s, NULL };

	request_reply_error(request, 405, headers, "method not allowed");
}

/* What changes the gateway itself is for those who may (auth/ has looked at reading and writing). */
static bool
is_allowed(const struct route *route, struct request *request)
{
	const struct principal *caller = auth_caller(request);

	if (!(route->scope & AUTH_ADMIN) || !caller || principal_may(caller, AUTH_ADMIN))
		return true;
	request_reply_error(request, 403, NULL, "forbidden: the token has not the scope 'admin'");
	return false;
}

bool
clarity_handle(struct clarity *clarity, struct request *request)
{
	struct buf run = BUF_INIT, allow = BUF_INIT;
	const struct route *found = NULL;
	bool malformed = false, known = true;
	size_t i;

	for (i = 0; i < ARRAY_LEN(routes) && !found && !malformed; i++) {
		switch (match(routes[i].path, request_path(request), &run)) {
		case MATCH_NO:
			break;
		case MATCH_MALFORMED:
			malformed = true;
			break;
		case MATCH_YES:
			if (is_method(&routes[i], request_method(request)))
				found = &routes[i];
			else
				buf_addf(&allow, "%s%s", allow.len ? ", " : "",
				    !strcmp(routes[i].method, "GET") ? "GET, HEAD" : routes[i].method);
		}
	}
	if (found)
		request_set_route(request, found->path);
	if (malformed)
		request_reply_error(request, 400, NULL, "URI malformed");
	else if (found && request_problem(request) == REQUEST_BODY_TOO_LARGE)
		request_reply_error(request, 413, NULL, "request body too large (>1048576 bytes)");
	else if (found) {
		if (is_allowed(found, request))
			found->handler(clarity, request, &run);
	} else if (allow.len)
		refuse_method(request, &allow);
	else
		known = false;
	buf_release(&run);
	buf_release(&allow);
	return known;
}

static void
on_tick(evutil_socket_t fd, short what, void *payload)
{
	(void)fd;
	(void)what;
	streams_tick(payload);
}

struct clarity *
clarity_new(const struct clarity_settings *settings)
{
	struct clarity *clarity = xcalloc(1, sizeof *clarity);
	struct timeval tick = { 0, TICK_MS * 1000 };

	clarity->settings = *settings;
	clarity->tick = event_new(settings->base, -1, EV_PERSIST, on_tick, clarity);
	event_add(clarity->tick, &tick);
	return clarity;
}

void
clarity_stop(struct clarity *clarity)
{
	streams_close(clarity);
}

void
clarity_free(struct clarity *clarity)
{
	if (!clarity)
		return;
	streams_close(clarity);
	event_free(clarity->tick);
	free(clarity);
}

struct asked *
asked_new(struct clarity *clarity, struct request *request, const struct buf *run)
{
	struct asked *asked = xcalloc(1, sizeof *asked);

	asked->clarity = clarity;
	asked->request = request;
	buf_init(&asked->run);
	buf_add(&asked->run, run->s, run->len);
	return asked;
}

void
asked_free(struct asked *asked)
{
	buf_release(&asked->run);
	free(asked);
}
