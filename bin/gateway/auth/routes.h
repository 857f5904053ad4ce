/* Made from contract/openapi.json by contract/generate; do not edit. */
/* clang-format off */
#ifndef AUTH_ROUTES_H
#define AUTH_ROUTES_H

/* ROUTE(method, path, handler, scope): ":name" takes one segment, percent-decoded; scope is one of enum auth_scope, 0: anybody's. */
#define AUTH_ROUTES(ROUTE) \
	ROUTE("POST", "/v1/auth/session", open_session, 0) \
	ROUTE("DELETE", "/v1/auth/session", close_session, 0) \
	ROUTE("GET", "/v1/auth/me", tell_session, 0)

#endif
