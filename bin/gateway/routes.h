/* Made from contract/openapi.json by contract/generate; do not edit. */
/* clang-format off */
#ifndef GATEWAY_ROUTES_H
#define GATEWAY_ROUTES_H

/* ROUTE(method, path, handler, scope): ":name" takes one segment, percent-decoded; scope is one of enum auth_scope, 0: anybody's. */
#define GATEWAY_ROUTES(ROUTE) \
	ROUTE("GET", "/healthz", get_health, 0) \
	ROUTE("GET", "/openapi.json", get_openapi, 0) \
	ROUTE("GET", "/metrics", get_metrics, AUTH_READ)

#endif
