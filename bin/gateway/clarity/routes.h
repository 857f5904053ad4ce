/* Made from contract/openapi.json by contract/generate; do not edit. */
/* clang-format off */
#ifndef CLARITY_ROUTES_H
#define CLARITY_ROUTES_H

/* ROUTE(method, path, handler, scope): ":name" takes one segment, percent-decoded; scope is one of enum auth_scope, 0: anybody's. */
#define CLARITY_ROUTES(ROUTE) \
	ROUTE("GET", "/api/agents/registry", get_registry, AUTH_READ) \
	ROUTE("POST", "/api/agents/events", post_event, AUTH_WRITE) \
	ROUTE("GET", "/api/agents/events", list_events, AUTH_READ) \
	ROUTE("GET", "/api/agents/runs", list_runs, AUTH_READ) \
	ROUTE("GET", "/api/agents/runs/:id/events", list_run_events, AUTH_READ) \
	ROUTE("GET", "/api/agents/runs/:id/events/stream", stream_run, AUTH_READ) \
	ROUTE("POST", "/api/agents/runs/:id/messages", post_message, AUTH_WRITE) \
	ROUTE("POST", "/api/agents/runs/:id/hitl", post_hitl, AUTH_WRITE) \
	ROUTE("POST", "/api/agents/runs/:id/cancel", post_cancel, AUTH_WRITE) \
	ROUTE("GET", "/api/events", stream_all, AUTH_READ) \
	ROUTE("GET", "/api/audit", list_audit, AUTH_READ) \
	ROUTE("GET", "/api/status", get_status, AUTH_READ) \
	ROUTE("GET", "/api/a2a/capabilities", get_a2a, AUTH_READ) \
	ROUTE("POST", "/api/a2a/messages", post_a2a, AUTH_WRITE) \
	ROUTE("POST", "/mcp", post_mcp, AUTH_WRITE) \
	ROUTE("GET", "/api/services", list_services, AUTH_READ) \
	ROUTE("POST", "/api/services/apply", apply_service, AUTH_ADMIN) \
	ROUTE("GET", "/api/services/:id", get_service, AUTH_READ) \
	ROUTE("DELETE", "/api/services/:id", remove_service, AUTH_ADMIN) \
	ROUTE("GET", "/api/services/:id/interface", get_service_interface, AUTH_READ) \
	ROUTE("GET", "/api/services/:id/logs", get_service_logs, AUTH_READ) \
	ROUTE("GET", "/api/services/:id/events", get_service_events, AUTH_READ) \
	ROUTE("GET", "/api/services/:id/details", get_service_details, AUTH_READ) \
	ROUTE("POST", "/api/services/:id/start", start_service, AUTH_ADMIN) \
	ROUTE("POST", "/api/services/:id/stop", stop_service, AUTH_ADMIN) \
	ROUTE("POST", "/api/services/:id/restart", restart_service, AUTH_ADMIN) \
	ROUTE("POST", "/api/services/:id/introspect", introspect_service, AUTH_WRITE) \
	ROUTE("POST", "/api/services/:id/unquarantine", unquarantine_service, AUTH_ADMIN)

#endif
