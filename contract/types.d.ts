// Made from contract/openapi.json by contract/generate; do not edit.

/** UTC with milliseconds. */
export type Time = string;
/** How bad an event is. */
export type Level = "info" | "warn" | "error";
/** The last three are final. */
export type RunStatus = "queued" | "running" | "waiting" | "completed" | "failed" | "cancelled";
/** What started a run. */
export type Trigger = "timer" | "event" | "api" | "a2a" | "unknown";
/** Who speaks. */
export type Role = "user" | "assistant" | "system";
/** What a service does. */
export type Lifecycle = "REGISTERED" | "STARTING" | "RUNNING" | "STOPPING" | "STOPPED" | "CRASHED" | "QUARANTINED";
/** How a service is. */
export type Health = "UNKNOWN" | "HEALTHY" | "DEGRADED" | "TIMEOUT" | "UNAUTHORIZED" | "UNREACHABLE";
/** How an agent answers. */
export type ChatMode = "auto" | "echo" | "disabled";
/** One recorded event; agent-event(5). */
export type Event = { seq: number; at: Time; kind: string; serviceId?: string; level: Level; message: string; data?: Record<string, unknown> };
/** A run, as its events tell it. */
export type Run = { runId: string; agent: string; serviceId?: string; trigger: Trigger; triggerContext?: Record<string, unknown>; causationId?: string; correlationId?: string; parentRunId?: string; fromAgentId?: string; status: RunStatus; startedAt?: Time; updatedAt: Time; completedAt?: Time; waitingReason?: string; failureReason?: string; stepCount: number; handoffCount: number; toolCallCount: number; llmCallCount: number; eventCount: number; currentStepId?: string; lastEventKind: string; lastEventMessage: string; usage?: Usage };
/** The tokens that the turns of a run on a runtime have cost, as far as the runtime tells; the cached ones are part of the input, those of reasoning part of the output. */
export type Usage = { inputTokens: number; cachedInputTokens: number; outputTokens: number; reasoningOutputTokens: number; totalTokens: number };
/** What a manifest says about an agent; agent-manifest(5). */
export type Agent = { agentId: string; name: string; role: string; objective: string; triggers: Array<"timer" | "event" | "api" | "a2a">; hitl?: boolean; inputs: Array<string>; outputs: Array<string>; dependsOn: Array<string>; handoffTargets: Array<string>; allowedMcpTools: Array<string>; allowedLlmProviders: Array<string>; llmProviders: Array<string>; version?: string; chat?: { mode?: ChatMode; provider?: "openai" | "anthropic" | "echo"; handlerTool?: string; model?: string; apiKeyEnv?: string; timeoutMs?: number; historyEnabled?: boolean; historyMaxTurns?: number; historyMaxChars?: number }; timer?: { schedules: Array<{ scheduleId: string; scheduleExpr: string; enabled?: boolean }>; serial?: boolean; handlerTool?: string }; a2a: { enabled: boolean; compliant: boolean; protocol?: string; ingestPath?: "/api/a2a/messages"; acceptedMessageKinds?: Array<string>; emitsMessageKinds?: Array<string>; maxPayloadBytes?: number } };
/** A service of the registry; with agent when it is one. */
export type Service = { serviceId: string; displayName?: string; sourceFile: string; module: string; serviceType: "agent" | "mcp"; originType: "command" | "local_wasm" | "remote_mcp" | "runtime"; lifecycle: Lifecycle; health: Health; enabled: boolean; autostart: boolean; uptimeSeconds: number; restartCount: number; createdAt: Time; updatedAt: Time; policy: { restart: { mode: "never" | "on-failure" | "always"; maxRestarts: number; windowSeconds: number; [member: string]: unknown } }; interface: InterfaceCounts | null; agent?: Agent };
export type InterfaceCounts = { interfaceRevision?: string; introspectedAt?: Time; tools: number; resources: number; prompts: number };
export type Registry = { count: number; items: Array<Service>; lastUpdated: Time };
export type Ok = { ok: true };
/** Oldest first; after and more only in answers to ?after=. */
export type EventList = { items: Array<Event>; after?: number; more?: boolean };
export type RunEventList = { runId: string; items: Array<Event>; after?: number; more?: boolean };
/** The one that changed last comes first. */
export type RunList = { items: Array<Run> };
export type EventPost = { kind: string; level?: Level; message?: string; service_id?: string; runId?: string; run_id?: string; stepId?: string; step_id?: string; agent?: string; data?: Record<string, unknown>; [member: string]: unknown };
/** The first of message, text and input that says something is the message. */
export type MessagePost = { message?: string; text?: string; input?: string; role?: string; serviceId?: string; service_id?: string; agent?: string; [member: string]: unknown };
export type HitlPost = { message?: string; text?: string; input?: string; kind?: string; serviceId?: string; service_id?: string; agent?: string; [member: string]: unknown };
export type MessageAnswer = { ok: true; runId: string; role: Role; kind: string; runtime_chat_execution_queued: boolean; message_truncated: boolean; message_redacted: boolean; serviceId?: string; agent?: string; seq: number };
export type HitlAnswer = { ok: true; runId: string; kind: string; runtime_chat_execution_queued: boolean; message_truncated: boolean; message_redacted: boolean; serviceId?: string; agent?: string; seq: number };
export type CancelPost = { reason?: string; [member: string]: unknown };
export type CancelAnswer = { ok: true; runId: string; status: "cancelling" | "cancelled"; dropped: number; serviceId?: string; agent?: string; seq: number };
/** Every refusal of /api and of the broker; runId and status where a run's state is the reason. */
export type Error = { error: string; runId?: string; status?: string };
export type Status = { runtime: { version: string; pid: number; uptimeSeconds: number }; gateway: { listen: string; mcpPath: "/mcp"; healthy: boolean }; systemTools: { count: number; items: Array<unknown>; runtime: { count: number; items: Array<unknown> }; clarity: { count: number; items: Array<unknown> } }; summary: { total: number; mcpServices: number; agentServices: number; running: number; runningMcp: number; runningAgent: number; degraded: number; stopped: number; quarantined: number; localMcp: number; remoteMcp: number; localAgent: number; remoteAgent: number; local: number; remote: number }; agents: { totalRuns: number; running: number; waiting: number; completed: number; failed: number; cancelled: number }; services: Array<ServiceSummary>; lastUpdated: Time };
export type Healthy = { status: "ok" };
export type Question = { key: string; question: string; timestamp: number; pid?: number; ageSeconds: number };
export type QuestionState = { key: string; safeKey: string; status: "missing" | "pending" | "answered"; response?: string; timestamp?: number };
export type QuestionPost = { key: string; question: string; timestamp?: number; pid?: number; [member: string]: unknown };
export type QuestionAsked = { key: string; safeKey: string; path: string; fresh: true };
export type AnswerPost = { key: string; response: string; timestamp?: number; [member: string]: unknown };
export type Answered = { key: string; safeKey: string; path: string };
export type CancelQuestion = { key: string; timestamp?: number; [member: string]: unknown };
export type CancelledQuestion = { key: string; safeKey: string; removed: boolean };
export type QuestionNews = { type: "new_question" | "answered" | "removed"; key: string; timestamp?: number };
/** Where the turns of a thread run. */
export type ExecutionMode = "cloud" | "local";
/** Without one, cloud means dynamic_sessions and local means desktop_local. */
export type ExecutionHost = "dynamic_sessions" | "desktop_local";
/** Of threads and of turns. */
export type ThreadStatus = "idle" | "inProgress" | "completed" | "interrupted" | "error";
/** Which threads a list has. */
export type ThreadState = "regular" | "archived" | "all";
/** What runs the turns. */
export type RuntimeProvider = "dynamic_sessions" | "local_process" | "local_docker" | "mock";
/** How the runtime's account is logged in. */
export type AuthMode = "apikey" | "chatgpt" | "chatgptAuthTokens";
/** How to log in; chatgptDeviceCode (a code that is typed in elsewhere) where the runtime has it. */
export type LoginType = "chatgpt" | "apiKey" | "chatgptAuthTokens" | "chatgptDeviceCode";
/** What the gateway itself writes into a thread; uploads may have any other method. */
export type ThreadMethod = "thread.started" | "thread.modeSwitched" | "turn.started" | "item.started" | "item.delta" | "item.completed" | "item.output" | "item.reasoning" | "item.plan" | "turn.plan" | "turn.diff" | "turn.usage" | "runtime.metadata" | "approval.requested" | "approval.resolved" | "turn.completed" | "error";
/** What the runtime's stream tells. */
export type RuntimeMethod = "account/updated" | "account/login/completed" | "account/rateLimits/updated" | "mcpServer/oauthLogin/completed";
/** What a runtime asks for. */
export type ApprovalKind = "command" | "file" | "permissions" | "question" | "other";
/** The answer to an approval. */
export type ApprovalDecision = "accept" | "acceptForSession" | "decline" | "cancel";
/** An approval is answered once. */
export type ApprovalStatus = "pending" | "resolved";
/** What resolved it. */
export type ApprovalResolution = "answered" | "policy" | "timeout" | "withdrawn";
/** Every refusal of /v1: these two members, always. */
export type Problem = { code: string; message: string };
export type Thread = { threadId: string; workspaceId: string; workspaceSlug: string; executionMode: ExecutionMode; executionHost: ExecutionHost; status: ThreadStatus; cloudSessionIdentifier: string | null; title: string | null; archived: boolean; approvals?: ApprovalRules; cwd?: string; createdAt: Time; updatedAt: Time; modeSwitchedAt: Time | null };
export type ThreadAnswer = { thread: Thread };
/** The one that changed last comes first. */
export type ThreadList = { threads: Array<Thread> };
export type ThreadPost = { workspaceSlug: string; executionMode?: ExecutionMode; executionHost?: ExecutionHost; title?: string; approvals?: ApprovalRules | null; cwd?: string; [member: string]: unknown };
export type ThreadPatch = { title?: string; archived?: boolean; approvals?: ApprovalRules | null; [member: string]: unknown };
export type ModePatch = { executionMode: ExecutionMode; executionHost?: ExecutionHost; [member: string]: unknown };
/** Why a turn failed or was interrupted. */
export type TurnError = { message: string; code?: TurnErrorCode; hint?: string; retryAt?: Time };
export type Turn = { turnId: string; threadId: string; parentTurnId: string | null; sourceTurnId: string | null; clientRequestId: string | null; status: ThreadStatus; executionMode: ExecutionMode; executionHost: ExecutionHost; input: { text: string }; output: TurnText | null; error: TurnError | null; startedAt: Time; completedAt: Time | null };
export type TurnText = { text: string };
export type TurnPost = { text: string; clientRequestId?: string; parentTurnId?: string; sourceTurnId?: string; executionMode?: ExecutionMode; executionHost?: ExecutionHost; model?: string; approvalPolicy?: string; sandboxPolicy?: unknown; effort?: string; personality?: string; [member: string]: unknown };
/** A turn that failed is an answer too: turn.status is error then. */
export type TurnAnswer = { turn: Turn; outputText: string | null };
export type InterruptAnswer = { turn: Turn };
export type ThreadEvent = { cursor: number; threadId: string; turnId: string | null; method: ThreadMethod | string; payload: unknown; createdAt: Time; uploadedBy?: string };
/** Oldest first; the last cursor asks for what follows. */
export type ThreadEventList = { events: Array<ThreadEvent> };
/** A frame of a thread's WebSocket; type and method are equal. */
export type ThreadFrame = { type: string; method: string; cursor: number; payload: unknown; threadId: string; turnId: string | null; createdAt: Time; uploadedBy?: string };
/** A frame of the runtime's WebSocket; payload and params are equal. */
export type RuntimeFrame = { type: RuntimeMethod; method: RuntimeMethod; cursor: number; payload: unknown; params: unknown; createdAt: Time };
export type EventsBatchPost = { events: Array<{ turnId?: string; method: string; payload?: unknown; [member: string]: unknown }>; [member: string]: unknown };
export type EventsBatchAnswer = { accepted: number };
export type Capabilities = { interactiveAuth: boolean; supportsChatgptManaged: boolean; supportsApiKey: boolean; supportsChatgptAuthTokens: boolean; supportsRateLimits: boolean; supportsRuntimeStream: boolean };
export type AccountReadPost = { refreshToken?: boolean; [member: string]: unknown };
export type Account = { type?: string; email?: string | null; name?: string | null; planType?: string | null; label?: string | null; [member: string]: unknown };
export type AccountAnswer = { provider: RuntimeProvider; capabilities: Capabilities; authMode: AuthMode | null; requiresOpenaiAuth: boolean; account: Account | null };
export type LoginPost = { type: "chatgpt"; [member: string]: unknown } | { type: "apiKey"; apiKey: string; [member: string]: unknown } | { type: "chatgptAuthTokens"; accessToken: string; chatgptAccountId: string; chatgptPlanType?: string | null; [member: string]: unknown } | { type: "chatgptDeviceCode"; [member: string]: unknown };
export type LoginAnswer = { type: LoginType; loginId: string | null; authUrl: string | null; userCode?: string };
export type LoginCancelPost = { loginId: string; [member: string]: unknown };
export type LoginCancelAnswer = { status?: string };
export type Empty = Record<string, never>;
export type RateLimitWindow = { usedPercent: number; windowDurationMins?: number | null; resetsAt?: number | null; [member: string]: unknown };
export type RateLimits = { limitId?: string | null; limitName?: string | null; primary?: RateLimitWindow | null; secondary?: RateLimitWindow | null; credits?: unknown; planType?: string | null; [member: string]: unknown };
export type RateLimitsAnswer = { rateLimits: RateLimits | null; rateLimitsByLimitId: Record<string, RateLimits | null> | null };
export type Approval = { approvalId: string; threadId: string; turnId: string; itemId: string | null; kind: ApprovalKind; status: ApprovalStatus; params: Record<string, unknown>; decision: ApprovalDecision | null; resolution: ApprovalResolution | null; reason: string | null; resolvedBy: string | null; requestedAt: Time; expiresAt: Time | null; resolvedAt: Time | null };
export type ApprovalList = { approvals: Array<Approval> };
export type ApprovalPost = { decision: ApprovalDecision; reason?: string; answers?: Record<string, unknown>; result?: unknown; [member: string]: unknown };
export type ApprovalAnswer = { approval: Approval };
export type A2aCapability = { serviceId: string; displayName?: string; lifecycle: Lifecycle; health: Health; agentId: string; name: string; role: string; protocol?: string; compliant: boolean; ingestPath: "/api/a2a/messages"; acceptedMessageKinds: Array<string>; emitsMessageKinds: Array<string>; maxPayloadBytes?: number };
export type A2aCapabilities = { protocol: "clarity.a2a.v1"; ingestPath: "/api/a2a/messages"; count: number; items: Array<A2aCapability>; lastUpdated: Time };
/** What one agent tells another. */
export type A2aKind = "handoff.request" | "handoff.accepted" | "handoff.rejected" | "handoff.completed";
/** A message from one agent to another; every member also under its name in snake case. */
export type A2aEnvelope = { protocol: "clarity.a2a.v1"; kind: A2aKind; messageId: string; sentAt: string; from: { agentId: string; serviceId?: string; [member: string]: unknown }; to: { agentId: string; serviceId?: string; [member: string]: unknown }; context: { runId: string; parentRunId: string; handoffReason: string; correlationId?: string; causationId?: string; [member: string]: unknown }; [member: string]: unknown };
export type A2aAnswer = { ok: true; accepted: true; protocol: "clarity.a2a.v1"; messageId: string; kind: A2aKind; runId: string; serviceId: string; agentId: string; recordedKinds: Array<string> };
/** agent-manifest(5). */
export type Manifest = Record<string, unknown>;
export type ServiceSummary = { serviceId: string; displayName?: string; sourceFile: string; module: string; serviceType: "agent" | "mcp"; agent: Record<string, unknown> | null; originType: "command" | "local_wasm" | "remote_mcp" | "runtime"; lifecycle: Lifecycle; health: Health; uptimeSeconds: number; restartCount: number; policy: { restart: { mode: "never" | "on-failure" | "always"; maxRestarts: number; windowSeconds: number; [member: string]: unknown }; remote: { timeoutMs?: number; allowedTools: Array<string>; maxPayloadBytes?: number; maxConcurrency?: number } | null }; interface: InterfaceCounts | null };
export type ServiceList = { items: Array<ServiceSummary> };
export type ServiceRuntime = { lifecycle: Lifecycle; health: Health; enabled: boolean; autostart: boolean; uptimeSeconds: number; restartCount: number; lastError?: string; lastHeartbeatAt?: Time };
/** What a service offers. */
export type Interface = { interfaceRevision: string; introspectedAt: Time; tools: Array<unknown>; resources: Array<unknown>; prompts: Array<unknown> };
export type ServiceRecord = { manifest: Manifest; runtime: ServiceRuntime; interfaceSnapshot?: Interface };
export type ServiceAnswer = { service: ServiceRecord };
export type ServiceInterface = { serviceId: string; interfaceRevision: string | null; introspectedAt: Time | null; tools: Array<unknown>; resources: Array<unknown>; prompts: Array<unknown> };
export type ServiceLogs = { serviceId: string; lines: Array<string> };
export type ServiceEvents = { serviceId: string; items: Array<Event> };
export type ServiceDetails = { serviceId: string; summary: ServiceSummary; service: ServiceRecord; interface: { interfaceRevision: string | null; introspectedAt: Time | null; tools: Array<unknown>; resources: Array<unknown>; prompts: Array<unknown> }; logs: Array<string>; events: Array<Event>; recentCalls: Array<{ at: Time; message: string; data?: Record<string, unknown> }> };
/** A JSON-RPC 2.0 request; without an id a notification. Methods: initialize, ping, tools/list, tools/call, resources/list, prompts/list. */
export type McpRequest = { jsonrpc: "2.0"; id?: string | number | null; method: string; params?: Record<string, unknown> };
/** Its answer: a result or an error. */
export type McpAnswer = { jsonrpc: "2.0"; id: string | number | null; result?: Record<string, unknown>; error?: { code: number; message: string } };
export type ApplyPost = { manifest: Manifest; [member: string]: unknown };
export type RemovePost = { cleanup_artifacts?: boolean; [member: string]: unknown };
export type RemoveAnswer = { removed: true; artifactRemoved: boolean; serviceId: string };
export type IntrospectAnswer = { interface: Interface };
/** Who asks, and what they may do. */
export type Caller = { user: { id: string }; workspaces: Array<{ slug: string }>; everywhere: boolean; activeWorkspaceSlug: string | null; personalWorkspaceSlug: string | null; scopes: Array<"read" | "write" | "admin">; expiresAt: string | null };
/** Who answers an approval without a person: the first rule that fits, else default when its time has passed. */
export type ApprovalRules = { rules?: Array<{ kind?: ApprovalKind; command?: string; decision: ApprovalDecision; [member: string]: unknown }>; timeoutSeconds?: number; default?: ApprovalDecision; [member: string]: unknown };
/** Why a turn ended so; in turn.error.code. */
export type TurnErrorCode = "AGENT_RUNTIME_UNAVAILABLE" | "AGENT_RUNTIME_TOKEN_UNAVAILABLE" | "AGENT_RUNTIME_TOKEN_REFUSED" | "AGENT_RUNTIME_POOL_UNREACHABLE" | "AGENT_RUNTIME_POOL_NOT_FOUND" | "AGENT_RUNTIME_POOL_BUSY" | "AGENT_RUNTIME_ENGINE_MISSING" | "AGENT_RUNTIME_IMAGE_MISSING" | "AGENT_RUNTIME_CONTAINER_FAILED" | "AGENT_RUNTIME_AUTH_REQUIRED" | "AGENT_RUNTIME_MISSING" | "AGENT_RUNTIME_VERSION" | "AGENT_RUNTIME_CONFIG" | "AGENT_RUNTIME_RATE_LIMITED" | "AGENT_MODEL_UNAVAILABLE" | "AGENT_TURN_TIMEOUT" | "AGENT_TURN_INTERRUPTED" | "AGENT_GATEWAY_RESTARTED" | "RUNTIME_EXECUTION_FAILED";
export type Deleted = { deleted: true };
/** Which approvals a list has. */
export type ApprovalListState = "pending" | "resolved" | "all";
export type HealthTime = { status: "ok"; timestamp: Time };
export type Ping = { ok: true; service: "api" };

export type Code =
	| "AGENT_APPROVAL_NOT_FOUND"
	| "AGENT_APPROVAL_RESOLVED"
	| "AGENT_CLOUD_MODE_DISABLED"
	| "AGENT_EVENT_RESERVED"
	| "AGENT_GATEWAY_DISABLED"
	| "AGENT_LOCAL_MODE_DISABLED"
	| "AGENT_MODE_SWITCH_DISABLED"
	| "AGENT_PARENT_TURN_NOT_FOUND"
	| "AGENT_RUNTIME_AUTH_REQUIRED"
	| "AGENT_RUNTIME_CONFIG"
	| "AGENT_RUNTIME_CONTAINER_FAILED"
	| "AGENT_RUNTIME_ENGINE_MISSING"
	| "AGENT_RUNTIME_IMAGE_MISSING"
	| "AGENT_RUNTIME_MISSING"
	| "AGENT_RUNTIME_POOL_BUSY"
	| "AGENT_RUNTIME_POOL_NOT_FOUND"
	| "AGENT_RUNTIME_POOL_UNREACHABLE"
	| "AGENT_RUNTIME_PROVIDER_UNSUPPORTED"
	| "AGENT_RUNTIME_TOKEN_REFUSED"
	| "AGENT_RUNTIME_TOKEN_UNAVAILABLE"
	| "AGENT_RUNTIME_UNAVAILABLE"
	| "AGENT_RUNTIME_VERSION"
	| "AGENT_SOURCE_TURN_NOT_FOUND"
	| "AGENT_STORE_UNAVAILABLE"
	| "AGENT_THREAD_BUSY"
	| "AGENT_THREAD_ENDED"
	| "AGENT_THREAD_IS_RUN"
	| "AGENT_THREAD_NOT_FOUND"
	| "AGENT_TURN_INTERRUPT_CONFLICT"
	| "AGENT_TURN_NOT_FOUND"
	| "CSRF_ORIGIN_DENIED"
	| "CSRF_ORIGIN_REQUIRED"
	| "FORBIDDEN"
	| "IDEMPOTENCY_KEY_REUSED"
	| "INTERNAL_SERVER_ERROR"
	| "INVALID_JSON"
	| "INVALID_REQUEST"
	| "NOT_FOUND"
	| "PAYLOAD_TOO_LARGE"
	| "RATE_LIMITED"
	| "RUNTIME_ACCOUNT_READ_FAILED"
	| "RUNTIME_AUTH_LOGIN_CANCEL_FAILED"
	| "RUNTIME_AUTH_LOGIN_FAILED"
	| "RUNTIME_AUTH_LOGOUT_FAILED"
	| "RUNTIME_BOOTSTRAP_FAILED"
	| "RUNTIME_RATE_LIMITS_READ_FAILED"
	| "SESSION_IDLE_TIMEOUT"
	| "UNAUTHORIZED"
	| "UNSUPPORTED_MEDIA_TYPE"
	| "UPGRADE_REQUIRED"
	| "WORKSPACE_FORBIDDEN"
	| "WS_UPGRADE_REJECTED";

/** method, path, path and query parameters, body, and the answers by status (a stream: its events or frames). */
export interface Operations {
	/** Is it there? */
	getHealth: { method: "GET"; path: "/healthz"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: Healthy } };
	/** This document. */
	getOpenapi: { method: "GET"; path: "/openapi.json"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: Record<string, unknown> } };
	/** What the gateway does, in figures for Prometheus. */
	getMetrics: { method: "GET"; path: "/metrics"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: string; 401: Error; 403: Error; 429: Error } };
	/** The agents. */
	getRegistry: { method: "GET"; path: "/api/agents/registry"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: Registry; 401: Error; 403: Error; 429: Error } };
	/** Record one event. */
	postEvent: { method: "POST"; path: "/api/agents/events"; in: Record<string, never>; query: Record<string, never>; body: EventPost; answers: { 200: Ok; 400: Error; 401: Error; 403: Error; 409: Error; 413: Error; 429: Error; 503: Error } };
	/** The newest events of all runs, or those after a cursor. */
	listEvents: { method: "GET"; path: "/api/agents/events"; in: Record<string, never>; query: { limit?: number; after?: number }; body: undefined; answers: { 200: EventList; 400: Error; 401: Error; 403: Error; 410: Error; 429: Error; 503: Error } };
	/** The runs. */
	listRuns: { method: "GET"; path: "/api/agents/runs"; in: Record<string, never>; query: { limit?: number }; body: undefined; answers: { 200: RunList; 401: Error; 403: Error; 429: Error; 503: Error } };
	/** The events of a run; a run that nobody knows has none. */
	listRunEvents: { method: "GET"; path: "/api/agents/runs/{id}/events"; in: { id: string }; query: { limit?: number; after?: number; deltas?: boolean }; body: undefined; answers: { 200: RunEventList; 400: Error; 401: Error; 403: Error; 410: Error; 429: Error; 503: Error } };
	/** The events of a run, then each new one. */
	streamRun: { method: "GET"; path: "/api/agents/runs/{id}/events/stream"; in: { id: string }; query: { limit?: number; after?: number; deltas?: boolean }; body: undefined; answers: { 200: Event; 400: Error; 401: Error; 403: Error; 410: Error; 429: Error; 503: Error } };
	/** Say something to a run. */
	postMessage: { method: "POST"; path: "/api/agents/runs/{id}/messages"; in: { id: string }; query: Record<string, never>; body: MessagePost; answers: { 200: MessageAnswer; 400: Error; 401: Error; 403: Error; 409: Error; 413: Error; 429: Error; 503: Error } };
	/** Say something to a run as its operator. */
	postHitl: { method: "POST"; path: "/api/agents/runs/{id}/hitl"; in: { id: string }; query: Record<string, never>; body: HitlPost; answers: { 200: HitlAnswer; 400: Error; 401: Error; 403: Error; 409: Error; 413: Error; 429: Error; 503: Error } };
	/** End a run. */
	postCancel: { method: "POST"; path: "/api/agents/runs/{id}/cancel"; in: { id: string }; query: Record<string, never>; body: CancelPost; answers: { 202: CancelAnswer; 400: Error; 401: Error; 403: Error; 404: Error; 409: Error; 413: Error; 429: Error; 503: Error } };
	/** The newest 100 events of any kind, then each new one. */
	streamAll: { method: "GET"; path: "/api/events"; in: Record<string, never>; query: { after?: number }; body: undefined; answers: { 200: Event; 400: Error; 401: Error; 403: Error; 410: Error; 429: Error; 503: Error } };
	/** The newest events of any kind. */
	listAudit: { method: "GET"; path: "/api/audit"; in: Record<string, never>; query: { limit?: number; after?: number }; body: undefined; answers: { 200: EventList; 400: Error; 401: Error; 403: Error; 410: Error; 429: Error; 503: Error } };
	/** The gateway, its services and runs in numbers. */
	getStatus: { method: "GET"; path: "/api/status"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: Status; 401: Error; 403: Error; 429: Error; 503: Error } };
	/** The agents that take messages of other agents. */
	getA2a: { method: "GET"; path: "/api/a2a/capabilities"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: A2aCapabilities; 401: Error; 403: Error; 429: Error } };
	/** Hand a run over. */
	postA2a: { method: "POST"; path: "/api/a2a/messages"; in: Record<string, never>; query: Record<string, never>; body: A2aEnvelope; answers: { 202: A2aAnswer; 400: Error; 401: Error; 403: Error; 404: Error; 409: Error; 413: Error; 429: Error; 503: Error } };
	/** The tools of the remote services that run, as one Model Context Protocol server; a tool is called NAMESPACE__NAME. */
	postMcp: { method: "POST"; path: "/mcp"; in: Record<string, never>; query: Record<string, never>; body: McpRequest; answers: { 200: McpAnswer; 202: undefined; 400: McpAnswer; 401: Error; 403: Error; 413: Error; 429: Error } };
	/** The services, agents or not. */
	listServices: { method: "GET"; path: "/api/services"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: ServiceList; 401: Error; 403: Error; 429: Error } };
	/** Register a service, or change it. */
	applyService: { method: "POST"; path: "/api/services/apply"; in: Record<string, never>; query: Record<string, never>; body: ApplyPost; answers: { 200: ServiceAnswer; 400: Error; 401: Error; 403: Error; 409: Error; 413: Error; 429: Error; 503: Error } };
	/** A service. */
	getService: { method: "GET"; path: "/api/services/{id}"; in: { id: string }; query: Record<string, never>; body: undefined; answers: { 200: ServiceAnswer; 400: Error; 401: Error; 403: Error; 404: Error; 429: Error } };
	/** Forget a service. */
	removeService: { method: "DELETE"; path: "/api/services/{id}"; in: { id: string }; query: Record<string, never>; body: RemovePost; answers: { 200: RemoveAnswer; 400: Error; 401: Error; 403: Error; 404: Error; 409: Error; 413: Error; 429: Error; 503: Error } };
	/** What a service offers. */
	getServiceInterface: { method: "GET"; path: "/api/services/{id}/interface"; in: { id: string }; query: Record<string, never>; body: undefined; answers: { 200: ServiceInterface; 400: Error; 401: Error; 403: Error; 404: Error; 429: Error } };
	/** What happened to a service, as lines. */
	getServiceLogs: { method: "GET"; path: "/api/services/{id}/logs"; in: { id: string }; query: { limit?: number }; body: undefined; answers: { 200: ServiceLogs; 400: Error; 401: Error; 403: Error; 404: Error; 429: Error; 503: Error } };
	/** The events of a service. */
	getServiceEvents: { method: "GET"; path: "/api/services/{id}/events"; in: { id: string }; query: { limit?: number }; body: undefined; answers: { 200: ServiceEvents; 400: Error; 401: Error; 403: Error; 404: Error; 429: Error; 503: Error } };
	/** All of that at once. */
	getServiceDetails: { method: "GET"; path: "/api/services/{id}/details"; in: { id: string }; query: { log_limit?: number; event_limit?: number; call_limit?: number }; body: undefined; answers: { 200: ServiceDetails; 400: Error; 401: Error; 403: Error; 404: Error; 429: Error; 503: Error } };
	/** Start a service. */
	startService: { method: "POST"; path: "/api/services/{id}/start"; in: { id: string }; query: Record<string, never>; body: undefined; answers: { 200: ServiceAnswer; 400: Error; 401: Error; 403: Error; 404: Error; 409: Error; 413: Error; 429: Error; 502: Error; 503: Error } };
	/** Stop a service. */
	stopService: { method: "POST"; path: "/api/services/{id}/stop"; in: { id: string }; query: Record<string, never>; body: undefined; answers: { 200: ServiceAnswer; 400: Error; 401: Error; 403: Error; 404: Error; 409: Error; 413: Error; 429: Error; 502: Error; 503: Error } };
	/** Stop and start a service. */
	restartService: { method: "POST"; path: "/api/services/{id}/restart"; in: { id: string }; query: Record<string, never>; body: undefined; answers: { 200: ServiceAnswer; 400: Error; 401: Error; 403: Error; 404: Error; 409: Error; 413: Error; 429: Error; 502: Error; 503: Error } };
	/** Ask a service what it offers. */
	introspectService: { method: "POST"; path: "/api/services/{id}/introspect"; in: { id: string }; query: Record<string, never>; body: undefined; answers: { 200: IntrospectAnswer; 400: Error; 401: Error; 403: Error; 404: Error; 409: Error; 413: Error; 429: Error; 502: Error; 503: Error } };
	/** Trust a service again. */
	unquarantineService: { method: "POST"; path: "/api/services/{id}/unquarantine"; in: { id: string }; query: Record<string, never>; body: undefined; answers: { 200: ServiceAnswer; 400: Error; 401: Error; 403: Error; 404: Error; 409: Error; 413: Error; 429: Error; 502: Error; 503: Error } };
	/** Exchange a token for the cookie __Host-compass_session. */
	openAuthSession: { method: "POST"; path: "/v1/auth/session"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 201: Caller; 401: Problem; 403: Problem; 429: Problem; 503: Problem } };
	/** Close the session, and take the cookie away. */
	closeAuthSession: { method: "DELETE"; path: "/v1/auth/session"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 204: undefined; 403: Problem; 503: Problem } };
	/** Who am I? */
	getAuthMe: { method: "GET"; path: "/v1/auth/me"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: Caller; 401: Problem; 403: Problem; 429: Problem; 503: Problem } };
	/** The questions without an answer. */
	listQuestions: { method: "GET"; path: "/questions"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: Array<Question>; 401: Error; 403: Error; 429: Error; 503: Error } };
	/** Ask a question. */
	postQuestion: { method: "POST"; path: "/questions"; in: Record<string, never>; query: Record<string, never>; body: QuestionPost; answers: { 200: QuestionAsked; 400: Error; 401: Error; 403: Error; 409: Error; 413: Error; 429: Error; 503: Error } };
	/** What became of a question. */
	getQuestion: { method: "GET"; path: "/questions/{key}"; in: { key: string }; query: Record<string, never>; body: undefined; answers: { 200: QuestionState; 400: Error; 401: Error; 403: Error; 409: Error; 429: Error; 503: Error } };
	/** Answer a question. */
	postAnswer: { method: "POST"; path: "/answer"; in: Record<string, never>; query: Record<string, never>; body: AnswerPost; answers: { 200: Answered; 400: Error; 401: Error; 403: Error; 404: Error; 409: Error; 413: Error; 429: Error; 503: Error } };
	/** Withdraw a question. */
	postCancelQuestion: { method: "POST"; path: "/cancel"; in: Record<string, never>; query: Record<string, never>; body: CancelQuestion; answers: { 200: CancelledQuestion; 400: Error; 401: Error; 403: Error; 409: Error; 413: Error; 429: Error; 503: Error } };
	/** What happens to questions. */
	streamQuestions: { method: "GET"; path: "/events"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: QuestionNews; 401: Error; 403: Error; 429: Error; 503: Error } };
	/** The runtime's account. */
	postAgentRuntimeAccountRead: { method: "POST"; path: "/v1/agent/runtime/account/read"; in: Record<string, never>; query: Record<string, never>; body: AccountReadPost; answers: { 200: AccountAnswer; 400: Problem; 401: Problem; 403: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** Log the runtime in. */
	postAgentRuntimeAccountLoginStart: { method: "POST"; path: "/v1/agent/runtime/account/login/start"; in: Record<string, never>; query: Record<string, never>; body: LoginPost; answers: { 200: LoginAnswer; 400: Problem; 401: Problem; 403: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** Give a login up. */
	postAgentRuntimeAccountLoginCancel: { method: "POST"; path: "/v1/agent/runtime/account/login/cancel"; in: Record<string, never>; query: Record<string, never>; body: LoginCancelPost; answers: { 200: LoginCancelAnswer; 400: Problem; 401: Problem; 403: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** Log the runtime out. */
	postAgentRuntimeAccountLogout: { method: "POST"; path: "/v1/agent/runtime/account/logout"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: Empty; 400: Problem; 401: Problem; 403: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** How much of the account is used up. */
	postAgentRuntimeAccountRateLimitsRead: { method: "POST"; path: "/v1/agent/runtime/account/rate-limits/read"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: RateLimitsAnswer; 400: Problem; 401: Problem; 403: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** What happens to the runtime's account, as a WebSocket. */
	getAgentRuntimeStream: { method: "GET"; path: "/v1/agent/runtime/stream"; in: Record<string, never>; query: { cursor?: number }; body: undefined; answers: { 101: RuntimeFrame; 400: Problem; 401: Problem; 403: Problem; 405: "Invalid HTTP method"; 413: Problem; 415: Problem; 426: Problem; 429: Problem; 503: Problem } };
	/** The threads of a workspace. */
	listAgentThreads: { method: "GET"; path: "/v1/agent/threads"; in: Record<string, never>; query: { workspaceSlug: string; state?: ThreadState; limit?: number }; body: undefined; answers: { 200: ThreadList; 304: undefined; 400: Problem; 401: Problem; 403: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** Create a thread. */
	createAgentThread: { method: "POST"; path: "/v1/agent/threads"; in: Record<string, never>; query: Record<string, never>; body: ThreadPost; answers: { 201: ThreadAnswer; 400: Problem; 401: Problem; 403: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** A thread. */
	getAgentThread: { method: "GET"; path: "/v1/agent/threads/{threadId}"; in: { threadId: string }; query: Record<string, never>; body: undefined; answers: { 200: ThreadAnswer; 304: undefined; 400: Problem; 401: Problem; 403: Problem; 404: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** Change a thread's title or rules, or archive it. */
	patchAgentThread: { method: "PATCH"; path: "/v1/agent/threads/{threadId}"; in: { threadId: string }; query: Record<string, never>; body: ThreadPatch; answers: { 200: ThreadAnswer; 400: Problem; 401: Problem; 403: Problem; 404: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** Delete a thread with its turns, events and approvals. */
	deleteAgentThread: { method: "DELETE"; path: "/v1/agent/threads/{threadId}"; in: { threadId: string }; query: Record<string, never>; body: undefined; answers: { 200: Deleted; 400: Problem; 401: Problem; 403: Problem; 404: Problem; 409: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** Change where a thread's turns run. */
	patchAgentThreadMode: { method: "PATCH"; path: "/v1/agent/threads/{threadId}/mode"; in: { threadId: string }; query: Record<string, never>; body: ModePatch; answers: { 200: ThreadAnswer; 400: Problem; 401: Problem; 403: Problem; 404: Problem; 409: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** Start a turn and wait for its end. */
	createAgentTurn: { method: "POST"; path: "/v1/agent/threads/{threadId}/turns"; in: { threadId: string }; query: { wait?: boolean }; body: TurnPost; answers: { 200: TurnAnswer; 202: TurnAnswer; 400: Problem; 401: Problem; 403: Problem; 404: Problem; 409: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** A turn. */
	getAgentTurn: { method: "GET"; path: "/v1/agent/threads/{threadId}/turns/{turnId}"; in: { threadId: string; turnId: string }; query: Record<string, never>; body: undefined; answers: { 200: TurnAnswer; 304: undefined; 400: Problem; 401: Problem; 403: Problem; 404: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** Interrupt a turn. */
	interruptAgentTurn: { method: "POST"; path: "/v1/agent/threads/{threadId}/turns/{turnId}/interrupt"; in: { threadId: string; turnId: string }; query: Record<string, never>; body: undefined; answers: { 200: InterruptAnswer; 400: Problem; 401: Problem; 403: Problem; 404: Problem; 409: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** Record events of a thread. */
	appendAgentThreadEventsBatch: { method: "POST"; path: "/v1/agent/threads/{threadId}/events:batch"; in: { threadId: string }; query: Record<string, never>; body: EventsBatchPost; answers: { 200: EventsBatchAnswer; 400: Problem; 401: Problem; 403: Problem; 404: Problem; 409: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** The events of a thread. */
	listAgentThreadEvents: { method: "GET"; path: "/v1/agent/threads/{threadId}/events"; in: { threadId: string }; query: { cursor?: number; limit?: number }; body: undefined; answers: { 200: ThreadEventList; 304: undefined; 400: Problem; 401: Problem; 403: Problem; 404: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** The events of a thread after a cursor, then each new one, as a WebSocket. */
	streamAgentThreadEvents: { method: "GET"; path: "/v1/agent/threads/{threadId}/stream"; in: { threadId: string }; query: { cursor?: number }; body: undefined; answers: { 101: ThreadFrame; 400: Problem; 401: Problem; 403: Problem; 405: "Invalid HTTP method"; 413: Problem; 415: Problem; 426: Problem; 429: Problem; 503: Problem } };
	/** What the runtime asks of a thread's people. */
	listAgentThreadApprovals: { method: "GET"; path: "/v1/agent/threads/{threadId}/approvals"; in: { threadId: string }; query: { status?: ApprovalListState }; body: undefined; answers: { 200: ApprovalList; 304: undefined; 400: Problem; 401: Problem; 403: Problem; 404: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** An approval. */
	getAgentThreadApproval: { method: "GET"; path: "/v1/agent/threads/{threadId}/approvals/{approvalId}"; in: { threadId: string; approvalId: string }; query: Record<string, never>; body: undefined; answers: { 200: ApprovalAnswer; 304: undefined; 400: Problem; 401: Problem; 403: Problem; 404: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** Answer it. */
	resolveAgentThreadApproval: { method: "POST"; path: "/v1/agent/threads/{threadId}/approvals/{approvalId}"; in: { threadId: string; approvalId: string }; query: Record<string, never>; body: ApprovalPost; answers: { 200: ApprovalAnswer; 400: Problem; 401: Problem; 403: Problem; 404: Problem; 409: Problem; 413: Problem; 415: Problem; 429: Problem; 500: Problem; 503: Problem } };
	/** Is it there, in the words of a Compass API? */
	getCompassHealth: { method: "GET"; path: "/health"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: HealthTime; 304: undefined } };
	/** Is it there? */
	getPing: { method: "GET"; path: "/v1/ping"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: Ping; 304: undefined } };
	/** The page. */
	getPage: { method: "GET"; path: "/"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: unknown; 304: undefined } };
	/** The page. */
	getStatusPage: { method: "GET"; path: "/status"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: unknown; 304: undefined } };
	/** A part of the page. */
	getStyle: { method: "GET"; path: "/console.css"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: unknown; 304: undefined } };
	/** A part of the page. */
	getScript: { method: "GET"; path: "/console.js"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: unknown; 304: undefined } };
	/** A part of the page. */
	getIcon: { method: "GET"; path: "/favicon.svg"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: unknown; 304: undefined } };
	/** A part of the page. */
	getIconIco: { method: "GET"; path: "/favicon.ico"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: unknown; 304: undefined } };
	/** A part of the page. */
	getIconPng: { method: "GET"; path: "/favicon.png"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: unknown; 304: undefined } };
	/** A part of the page. */
	getTouchIcon: { method: "GET"; path: "/apple-touch-icon.png"; in: Record<string, never>; query: Record<string, never>; body: undefined; answers: { 200: unknown; 304: undefined } };
}
