/* Made from contract/openapi.json by contract/generate; do not edit. */
/* clang-format off */
#ifndef COMPASS_ROUTES_H
#define COMPASS_ROUTES_H

/* ROUTE(method, path, handler, scope): ":name" takes one segment, percent-decoded; scope is one of enum auth_scope, 0: anybody's. */
#define COMPASS_ROUTES(ROUTE) \
	ROUTE("POST", "/v1/agent/runtime/account/read", post_agent_runtime_account_read, AUTH_ADMIN) \
	ROUTE("POST", "/v1/agent/runtime/account/login/start", post_agent_runtime_account_login_start, AUTH_ADMIN) \
	ROUTE("POST", "/v1/agent/runtime/account/login/cancel", post_agent_runtime_account_login_cancel, AUTH_ADMIN) \
	ROUTE("POST", "/v1/agent/runtime/account/logout", post_agent_runtime_account_logout, AUTH_ADMIN) \
	ROUTE("POST", "/v1/agent/runtime/account/rate-limits/read", post_agent_runtime_account_rate_limits_read, AUTH_ADMIN) \
	ROUTE("GET", "/v1/agent/runtime/stream", get_agent_runtime_stream, AUTH_ADMIN) \
	ROUTE("GET", "/v1/agent/threads", list_agent_threads, AUTH_READ) \
	ROUTE("POST", "/v1/agent/threads", create_agent_thread, AUTH_WRITE) \
	ROUTE("GET", "/v1/agent/threads/:threadId", get_agent_thread, AUTH_READ) \
	ROUTE("PATCH", "/v1/agent/threads/:threadId", patch_agent_thread, AUTH_WRITE) \
	ROUTE("PATCH", "/v1/agent/threads/:threadId/mode", patch_agent_thread_mode, AUTH_WRITE) \
	ROUTE("POST", "/v1/agent/threads/:threadId/turns", create_agent_turn, AUTH_WRITE) \
	ROUTE("POST", "/v1/agent/threads/:threadId/turns/:turnId/interrupt", interrupt_agent_turn, AUTH_WRITE) \
	ROUTE("POST", "/v1/agent/threads/:threadId/events:batch", append_agent_thread_events_batch, AUTH_WRITE) \
	ROUTE("GET", "/v1/agent/threads/:threadId/events", list_agent_thread_events, AUTH_READ) \
	ROUTE("GET", "/v1/agent/threads/:threadId/stream", stream_agent_thread_events, AUTH_READ) \
	ROUTE("GET", "/v1/agent/threads/:threadId/approvals", list_agent_thread_approvals, AUTH_READ) \
	ROUTE("POST", "/v1/agent/threads/:threadId/approvals/:approvalId", resolve_agent_thread_approval, AUTH_WRITE)

/* Those of them that are WebSockets; without an upgrade they are 426. */
#define COMPASS_SOCKETS(ROUTE) \
	ROUTE("GET", "/v1/agent/runtime/stream", get_agent_runtime_stream, AUTH_ADMIN) \
	ROUTE("GET", "/v1/agent/threads/:threadId/stream", stream_agent_thread_events, AUTH_READ)

#endif
