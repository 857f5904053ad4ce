/* Made from contract/openapi.json by contract/generate; do not edit. */
/* clang-format off */
#ifndef CONTRACT_ENUMS_H
#define CONTRACT_ENUMS_H

/* ITEM(name, text) for each value of an enum of the contract. */
/* How bad an event is. */
#define LEVEL(ITEM) \
	ITEM(LEVEL_INFO, "info") \
	ITEM(LEVEL_WARN, "warn") \
	ITEM(LEVEL_ERROR, "error")

/* The last three are final. */
#define RUN_STATUS(ITEM) \
	ITEM(RUN_STATUS_QUEUED, "queued") \
	ITEM(RUN_STATUS_RUNNING, "running") \
	ITEM(RUN_STATUS_WAITING, "waiting") \
	ITEM(RUN_STATUS_COMPLETED, "completed") \
	ITEM(RUN_STATUS_FAILED, "failed") \
	ITEM(RUN_STATUS_CANCELLED, "cancelled")

/* What started a run. */
#define TRIGGER(ITEM) \
	ITEM(TRIGGER_TIMER, "timer") \
	ITEM(TRIGGER_EVENT, "event") \
	ITEM(TRIGGER_API, "api") \
	ITEM(TRIGGER_A2A, "a2a") \
	ITEM(TRIGGER_UNKNOWN, "unknown")

/* Who speaks. */
#define ROLE(ITEM) \
	ITEM(ROLE_USER, "user") \
	ITEM(ROLE_ASSISTANT, "assistant") \
	ITEM(ROLE_SYSTEM, "system")

/* What a service does. */
#define LIFECYCLE(ITEM) \
	ITEM(LIFECYCLE_REGISTERED, "REGISTERED") \
	ITEM(LIFECYCLE_STARTING, "STARTING") \
	ITEM(LIFECYCLE_RUNNING, "RUNNING") \
	ITEM(LIFECYCLE_STOPPING, "STOPPING") \
	ITEM(LIFECYCLE_STOPPED, "STOPPED") \
	ITEM(LIFECYCLE_CRASHED, "CRASHED") \
	ITEM(LIFECYCLE_QUARANTINED, "QUARANTINED")

/* How a service is. */
#define HEALTH(ITEM) \
	ITEM(HEALTH_UNKNOWN, "UNKNOWN") \
	ITEM(HEALTH_HEALTHY, "HEALTHY") \
	ITEM(HEALTH_DEGRADED, "DEGRADED") \
	ITEM(HEALTH_TIMEOUT, "TIMEOUT") \
	ITEM(HEALTH_UNAUTHORIZED, "UNAUTHORIZED") \
	ITEM(HEALTH_UNREACHABLE, "UNREACHABLE")

/* How an agent answers. */
#define CHAT_MODE(ITEM) \
	ITEM(CHAT_MODE_AUTO, "auto") \
	ITEM(CHAT_MODE_ECHO, "echo") \
	ITEM(CHAT_MODE_DISABLED, "disabled")

/* Where the turns of a thread run. */
#define EXECUTION_MODE(ITEM) \
	ITEM(EXECUTION_MODE_CLOUD, "cloud") \
	ITEM(EXECUTION_MODE_LOCAL, "local")

/* Without one, cloud means dynamic_sessions and local means desktop_local. */
#define EXECUTION_HOST(ITEM) \
	ITEM(EXECUTION_HOST_DYNAMIC_SESSIONS, "dynamic_sessions") \
	ITEM(EXECUTION_HOST_DESKTOP_LOCAL, "desktop_local")

/* Of threads and of turns. */
#define THREAD_STATUS(ITEM) \
	ITEM(THREAD_STATUS_IDLE, "idle") \
	ITEM(THREAD_STATUS_IN_PROGRESS, "inProgress") \
	ITEM(THREAD_STATUS_COMPLETED, "completed") \
	ITEM(THREAD_STATUS_INTERRUPTED, "interrupted") \
	ITEM(THREAD_STATUS_ERROR, "error")

/* Which threads a list has. */
#define THREAD_STATE(ITEM) \
	ITEM(THREAD_STATE_REGULAR, "regular") \
	ITEM(THREAD_STATE_ARCHIVED, "archived") \
	ITEM(THREAD_STATE_ALL, "all")

/* What runs the turns. */
#define RUNTIME_PROVIDER(ITEM) \
	ITEM(RUNTIME_PROVIDER_DYNAMIC_SESSIONS, "dynamic_sessions") \
	ITEM(RUNTIME_PROVIDER_LOCAL_PROCESS, "local_process") \
	ITEM(RUNTIME_PROVIDER_LOCAL_DOCKER, "local_docker") \
	ITEM(RUNTIME_PROVIDER_MOCK, "mock")

/* How the runtime's account is logged in. */
#define AUTH_MODE(ITEM) \
	ITEM(AUTH_MODE_APIKEY, "apikey") \
	ITEM(AUTH_MODE_CHATGPT, "chatgpt") \
	ITEM(AUTH_MODE_CHATGPT_AUTH_TOKENS, "chatgptAuthTokens")

/* How to log in. */
#define LOGIN_TYPE(ITEM) \
	ITEM(LOGIN_TYPE_CHATGPT, "chatgpt") \
	ITEM(LOGIN_TYPE_API_KEY, "apiKey") \
	ITEM(LOGIN_TYPE_CHATGPT_AUTH_TOKENS, "chatgptAuthTokens")

/* What the gateway itself writes into a thread; uploads may have any other method. */
#define THREAD_METHOD(ITEM) \
	ITEM(THREAD_METHOD_THREAD_STARTED, "thread.started") \
	ITEM(THREAD_METHOD_THREAD_MODE_SWITCHED, "thread.modeSwitched") \
	ITEM(THREAD_METHOD_TURN_STARTED, "turn.started") \
	ITEM(THREAD_METHOD_ITEM_STARTED, "item.started") \
	ITEM(THREAD_METHOD_ITEM_DELTA, "item.delta") \
	ITEM(THREAD_METHOD_ITEM_COMPLETED, "item.completed") \
	ITEM(THREAD_METHOD_ITEM_OUTPUT, "item.output") \
	ITEM(THREAD_METHOD_ITEM_REASONING, "item.reasoning") \
	ITEM(THREAD_METHOD_ITEM_PLAN, "item.plan") \
	ITEM(THREAD_METHOD_TURN_PLAN, "turn.plan") \
	ITEM(THREAD_METHOD_TURN_DIFF, "turn.diff") \
	ITEM(THREAD_METHOD_TURN_USAGE, "turn.usage") \
	ITEM(THREAD_METHOD_RUNTIME_METADATA, "runtime.metadata") \
	ITEM(THREAD_METHOD_APPROVAL_REQUESTED, "approval.requested") \
	ITEM(THREAD_METHOD_APPROVAL_RESOLVED, "approval.resolved") \
	ITEM(THREAD_METHOD_TURN_COMPLETED, "turn.completed") \
	ITEM(THREAD_METHOD_ERROR, "error")

/* What the runtime's stream tells. */
#define RUNTIME_METHOD(ITEM) \
	ITEM(RUNTIME_METHOD_ACCOUNT_UPDATED, "account/updated") \
	ITEM(RUNTIME_METHOD_ACCOUNT_LOGIN_COMPLETED, "account/login/completed") \
	ITEM(RUNTIME_METHOD_ACCOUNT_RATE_LIMITS_UPDATED, "account/rateLimits/updated") \
	ITEM(RUNTIME_METHOD_MCP_SERVER_OAUTH_LOGIN_COMPLETED, "mcpServer/oauthLogin/completed")

/* What a runtime asks for. */
#define APPROVAL_KIND(ITEM) \
	ITEM(APPROVAL_KIND_COMMAND, "command") \
	ITEM(APPROVAL_KIND_FILE, "file") \
	ITEM(APPROVAL_KIND_PERMISSIONS, "permissions") \
	ITEM(APPROVAL_KIND_QUESTION, "question") \
	ITEM(APPROVAL_KIND_OTHER, "other")

/* The answer to an approval. */
#define APPROVAL_DECISION(ITEM) \
	ITEM(APPROVAL_DECISION_ACCEPT, "accept") \
	ITEM(APPROVAL_DECISION_ACCEPT_FOR_SESSION, "acceptForSession") \
	ITEM(APPROVAL_DECISION_DECLINE, "decline") \
	ITEM(APPROVAL_DECISION_CANCEL, "cancel")

/* An approval is answered once. */
#define APPROVAL_STATUS(ITEM) \
	ITEM(APPROVAL_STATUS_PENDING, "pending") \
	ITEM(APPROVAL_STATUS_RESOLVED, "resolved")

/* What resolved it. */
#define APPROVAL_RESOLUTION(ITEM) \
	ITEM(APPROVAL_RESOLUTION_ANSWERED, "answered") \
	ITEM(APPROVAL_RESOLUTION_POLICY, "policy") \
	ITEM(APPROVAL_RESOLUTION_TIMEOUT, "timeout") \
	ITEM(APPROVAL_RESOLUTION_WITHDRAWN, "withdrawn")

/* What one agent tells another. */
#define A2A_KIND(ITEM) \
	ITEM(A2A_KIND_HANDOFF_REQUEST, "handoff.request") \
	ITEM(A2A_KIND_HANDOFF_ACCEPTED, "handoff.accepted") \
	ITEM(A2A_KIND_HANDOFF_REJECTED, "handoff.rejected") \
	ITEM(A2A_KIND_HANDOFF_COMPLETED, "handoff.completed")

/* Why a turn ended so; in turn.error.code. */
#define TURN_ERROR_CODE(ITEM) \
	ITEM(TURN_ERROR_CODE_AGENT_RUNTIME_UNAVAILABLE, "AGENT_RUNTIME_UNAVAILABLE") \
	ITEM(TURN_ERROR_CODE_AGENT_RUNTIME_AUTH_REQUIRED, "AGENT_RUNTIME_AUTH_REQUIRED") \
	ITEM(TURN_ERROR_CODE_AGENT_TURN_TIMEOUT, "AGENT_TURN_TIMEOUT") \
	ITEM(TURN_ERROR_CODE_AGENT_TURN_INTERRUPTED, "AGENT_TURN_INTERRUPTED") \
	ITEM(TURN_ERROR_CODE_AGENT_GATEWAY_RESTARTED, "AGENT_GATEWAY_RESTARTED") \
	ITEM(TURN_ERROR_CODE_RUNTIME_EXECUTION_FAILED, "RUNTIME_EXECUTION_FAILED")

/* Which approvals a list has. */
#define APPROVAL_LIST_STATE(ITEM) \
	ITEM(APPROVAL_LIST_STATE_PENDING, "pending") \
	ITEM(APPROVAL_LIST_STATE_RESOLVED, "resolved") \
	ITEM(APPROVAL_LIST_STATE_ALL, "all")

#endif
