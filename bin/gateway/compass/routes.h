/* Made from contract/openapi.json by contract/generate; do not edit. */
/* clang-format off */
#ifndef COMPASS_ROUTES_H
#define COMPASS_ROUTES_H

/* ROUTE(method, path, handler, scope): ":name" takes one segment, percent-decoded; scope is one of enum auth_scope, 0: anybody's.
 * A WebSocket has no handler. */
#define COMPASS_ROUTES(ROUTE) \
	ROUTE("POST", "/v1/agent/runtime/account/read", account_read, AUTH_ADMIN) \
	ROUTE("POST", "/v1/agent/runtime/account/login/start", account_login, AUTH_ADMIN) \
	ROUTE("POST", "/v1/agent/runtime/account/login/cancel", account_cancel, AUTH_ADMIN) \
	ROUTE("POST", "/v1/agent/runtime/account/logout", account_logout, AUTH_ADMIN) \
	ROUTE("POST", "/v1/agent/runtime/account/rate-limits/read", account_limits, AUTH_ADMIN) \
	ROUTE("GET", "/v1/agent/runtime/stream", NULL, AUTH_ADMIN) \
	ROUTE("GET", "/v1/agent/threads", threads_list, AUTH_READ) \
	ROUTE("POST", "/v1/agent/threads", threads_create, AUTH_WRITE) \
	ROUTE("GET", "/v1/agent/threads/:threadId", threads_get, AUTH_READ) \
	ROUTE("PATCH", "/v1/agent/threads/:threadId", threads_patch, AUTH_WRITE) \
	ROUTE("DELETE", "/v1/agent/threads/:threadId", threads_delete, AUTH_WRITE) \
	ROUTE("PATCH", "/v1/agent/threads/:threadId/mode", threads_mode, AUTH_WRITE) \
	ROUTE("POST", "/v1/agent/threads/:threadId/turns", turns_start, AUTH_WRITE) \
	ROUTE("GET", "/v1/agent/threads/:threadId/turns/:turnId", turns_get, AUTH_READ) \
	ROUTE("POST", "/v1/agent/threads/:threadId/turns/:turnId/interrupt", turns_interrupt, AUTH_WRITE) \
	ROUTE("POST", "/v1/agent/threads/:threadId/events:batch", events_batch, AUTH_WRITE) \
	ROUTE("GET", "/v1/agent/threads/:threadId/events", events_list, AUTH_READ) \
	ROUTE("GET", "/v1/agent/threads/:threadId/stream", NULL, AUTH_READ) \
	ROUTE("GET", "/v1/agent/threads/:threadId/approvals", approvals_list, AUTH_READ) \
	ROUTE("GET", "/v1/agent/threads/:threadId/approvals/:approvalId", approvals_get, AUTH_READ) \
	ROUTE("POST", "/v1/agent/threads/:threadId/approvals/:approvalId", approvals_answer, AUTH_WRITE) \
	ROUTE("GET", "/health", base_health, 0) \
	ROUTE("GET", "/v1/ping", base_ping, 0)

#endif
