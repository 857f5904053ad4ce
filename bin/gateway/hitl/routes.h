/* Made from contract/openapi.json by contract/generate; do not edit. */
/* clang-format off */
#ifndef HITL_ROUTES_H
#define HITL_ROUTES_H

/* ROUTE(method, path, handler, scope): ":name" takes one segment, percent-decoded; scope is one of enum auth_scope, 0: anybody's. */
#define HITL_ROUTES(ROUTE) \
	ROUTE("GET", "/questions", list_questions, AUTH_READ) \
	ROUTE("POST", "/questions", post_question, AUTH_WRITE) \
	ROUTE("GET", "/questions/:key", get_question, AUTH_READ) \
	ROUTE("POST", "/answer", post_answer, AUTH_WRITE) \
	ROUTE("POST", "/cancel", post_cancel_question, AUTH_WRITE) \
	ROUTE("GET", "/events", stream_questions, AUTH_READ)

#endif
