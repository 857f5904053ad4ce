/* own.c - the daemon's own routes: its health, its contract, its numbers */
#include "compat.h"

#include <string.h>

#include "auth/auth.h"
#include "http/server.h"
#include "observe.h"
#include "openapi.h"
#include "own.h"
#include "routes.h"

static void
get_health(const struct own *own, struct request *request)
{
	static const char healthy[] = "{\n  \"status\": \"ok\"\n}\n";

	(void)own;
	request_reply(request, 200, "application/json; charset=utf-8", NULL, healthy, sizeof healthy - 1);
}

static void
get_openapi(const struct own *own, struct request *request)
{
	(void)own;
	request_reply(request, 200, "application/json; charset=utf-8", NULL, openapi, openapi_len);
}

static void
get_metrics(const struct own *own, struct request *request)
{
	observe_metrics(own->observe, request);
}

bool
own_handle(const struct own *own, struct request *request)
{
#define ROUTE(method, path, handler, scope) { method, path, handler, scope },
	static const struct {
		const char *method, *path;
		void (*handler)(const struct own *own, struct request *request);
		unsigned scope;
	} routes[] = { GATEWAY_ROUTES(ROUTE) };
#undef ROUTE
	const char *method = request_method(request);
	size_t i;

	for (i = 0; i < ARRAY_LEN(routes); i++) {
		if (strcmp(routes[i].path, request_path(request)) != 0)
			continue;
		request_set_route(request, routes[i].path);
		if (routes[i].scope && !auth_admit(own->auth, request))
			return true;
		if (!strcmp(method, routes[i].method) || !strcmp(method, "HEAD"))
			routes[i].handler(own, request);
		else
			request_reply_error(request, 405, (const char *const[]){ "allow", "GET, HEAD", NULL }, "method not allowed");
		return true;
	}
	return false;
}
