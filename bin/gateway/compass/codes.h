/* Made from contract/openapi.json by contract/generate; do not edit. */
/* clang-format off */
#ifndef COMPASS_CODES_H
#define COMPASS_CODES_H

/* CODE(name, status, code, message): message is NULL where what was found, or what somebody else says, is the message. */
#define COMPASS_CODES(CODE) \
	CODE(INVALID_REQUEST, 400, "INVALID_REQUEST", NULL) \
	CODE(INVALID_JSON, 400, "INVALID_JSON", "Malformed JSON request body") \
	CODE(INVALID_PATH, 400, "INVALID_REQUEST", "Malformed path") \
	CODE(INVALID_KEY, 400, "INVALID_REQUEST", "Idempotency-Key must be 1 to 255 visible ASCII characters") \
	CODE(PROVIDER_UNSUPPORTED, 400, "AGENT_RUNTIME_PROVIDER_UNSUPPORTED", "Interactive runtime authentication is unavailable for this runtime provider") \
	CODE(RUNTIME_AUTH_LOGIN_FAILED, 400, "RUNTIME_AUTH_LOGIN_FAILED", NULL) \
	CODE(RUNTIME_AUTH_LOGIN_CANCEL_FAILED, 400, "RUNTIME_AUTH_LOGIN_CANCEL_FAILED", NULL) \
	CODE(UNAUTHORIZED, 401, "UNAUTHORIZED", "Authentication required") \
	CODE(SESSION_IDLE_TIMEOUT, 401, "SESSION_IDLE_TIMEOUT", "Session expired due to inactivity") \
	CODE(RUNTIME_AUTH_REQUIRED, 401, "AGENT_RUNTIME_AUTH_REQUIRED", NULL) \
	CODE(FORBIDDEN, 403, "FORBIDDEN", NULL) \
	CODE(WORKSPACE_FORBIDDEN, 403, "WORKSPACE_FORBIDDEN", "You are not a member of this workspace") \
	CODE(EVENT_RESERVED, 403, "AGENT_EVENT_RESERVED", "Only the gateway writes this event") \
	CODE(CSRF_ORIGIN_REQUIRED, 403, "CSRF_ORIGIN_REQUIRED", "Origin header is required for state-changing requests") \
	CODE(CSRF_ORIGIN_DENIED, 403, "CSRF_ORIGIN_DENIED", "Cross-origin state-changing requests are not allowed") \
	CODE(NOT_FOUND, 404, "NOT_FOUND", "Route not found") \
	CODE(THREAD_NOT_FOUND, 404, "AGENT_THREAD_NOT_FOUND", "Thread not found") \
	CODE(TURN_NOT_FOUND, 404, "AGENT_TURN_NOT_FOUND", "Turn not found") \
	CODE(PARENT_NOT_FOUND, 404, "AGENT_PARENT_TURN_NOT_FOUND", "Parent turn not found") \
	CODE(SOURCE_NOT_FOUND, 404, "AGENT_SOURCE_TURN_NOT_FOUND", "Source turn not found") \
	CODE(APPROVAL_NOT_FOUND, 404, "AGENT_APPROVAL_NOT_FOUND", "Approval not found") \
	CODE(THREAD_BUSY, 409, "AGENT_THREAD_BUSY", "A turn is already in progress") \
	CODE(THREAD_IS_RUN, 409, "AGENT_THREAD_IS_RUN", "This thread is a run: send it a message") \
	CODE(SWITCH_BUSY, 409, "AGENT_THREAD_BUSY", "Cannot switch mode while a turn is in progress") \
	CODE(DELETE_BUSY, 409, "AGENT_THREAD_BUSY", "Cannot delete a thread while a turn is in progress") \
	CODE(INTERRUPT_CONFLICT, 409, "AGENT_TURN_INTERRUPT_CONFLICT", "Turn is not interruptible") \
	CODE(KEY_REUSED, 409, "IDEMPOTENCY_KEY_REUSED", "Idempotency key was used for another request") \
	CODE(APPROVAL_RESOLVED, 409, "AGENT_APPROVAL_RESOLVED", "Approval is already resolved") \
	CODE(BODY_TOO_LARGE, 413, "PAYLOAD_TOO_LARGE", "Request body is too large") \
	CODE(MEDIA_TYPE, 415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported charset or content encoding") \
	CODE(UPGRADE_REQUIRED, 426, "UPGRADE_REQUIRED", "Use websocket upgrade for this endpoint") \
	CODE(RATE_LIMITED, 429, "RATE_LIMITED", "Too many requests") \
	CODE(INTERNAL_SERVER_ERROR, 500, "INTERNAL_SERVER_ERROR", "Unexpected server error") \
	CODE(DISABLED, 503, "AGENT_GATEWAY_DISABLED", "Agent gateway is disabled") \
	CODE(CLOUD_DISABLED, 503, "AGENT_CLOUD_MODE_DISABLED", "Cloud mode is disabled") \
	CODE(LOCAL_DISABLED, 503, "AGENT_LOCAL_MODE_DISABLED", "Local mode is disabled") \
	CODE(SWITCH_DISABLED, 503, "AGENT_MODE_SWITCH_DISABLED", "Mode switching is disabled") \
	CODE(RUNTIME_UNAVAILABLE, 503, "AGENT_RUNTIME_UNAVAILABLE", "Runtime is unavailable") \
	CODE(RUNTIME_ACCOUNT_READ_FAILED, 503, "RUNTIME_ACCOUNT_READ_FAILED", NULL) \
	CODE(RUNTIME_AUTH_LOGOUT_FAILED, 503, "RUNTIME_AUTH_LOGOUT_FAILED", NULL) \
	CODE(RUNTIME_RATE_LIMITS_READ_FAILED, 503, "RUNTIME_RATE_LIMITS_READ_FAILED", NULL) \
	CODE(STORE, 503, "AGENT_STORE_UNAVAILABLE", "Unable to store") \
	CODE(WS_UPGRADE_REJECTED_401, 401, "WS_UPGRADE_REJECTED", "Authentication required") \
	CODE(WS_UPGRADE_REJECTED_403, 403, "WS_UPGRADE_REJECTED", "Agent stream access denied") \
	CODE(WS_UPGRADE_REJECTED_429, 429, "WS_UPGRADE_REJECTED", "Too many requests") \
	CODE(WS_UPGRADE_REJECTED_503, 503, "WS_UPGRADE_REJECTED", "Agent websocket is not configured")

#endif
