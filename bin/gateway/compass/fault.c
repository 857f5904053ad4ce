/* fault.c - what is said of a runtime's failures */
#include "compat.h"

#include <string.h>

#include "clock.h"
#include "compass/fault.h"

static const struct {
	const char *code, *hint;
} faults[] = {
	[RUNTIME_FAULT_NONE] = { "AGENT_RUNTIME_UNAVAILABLE", "" },
	[RUNTIME_FAULT_START] = { "AGENT_RUNTIME_UNAVAILABLE", "" },
	[RUNTIME_FAULT_MISSING] = { "AGENT_RUNTIME_MISSING",
	    "install codex (./bootstrap --with-codex), or name another runtime with --runtime or CODEX_APP_SERVER_COMMAND" },
	[RUNTIME_FAULT_VERSION] = { "AGENT_RUNTIME_VERSION",
	    "install a newer one (./bootstrap --with-codex), or name it with CODEX_APP_SERVER_COMMAND" },
	[RUNTIME_FAULT_CONFIG] = { "AGENT_RUNTIME_CONFIG",
	    "mend the configuration that the message names; nothing needs to be started again" },
	[RUNTIME_FAULT_PAUSED] = { "AGENT_RUNTIME_UNAVAILABLE", "" },
	[RUNTIME_FAULT_GONE] = { "AGENT_RUNTIME_UNAVAILABLE", "" },
	[RUNTIME_FAULT_PROTOCOL] = { "AGENT_RUNTIME_UNAVAILABLE", "" },
	[RUNTIME_FAULT_TIMEOUT] = { "AGENT_RUNTIME_UNAVAILABLE", "" },
	[RUNTIME_FAULT_TURN_TIMEOUT] = { "AGENT_TURN_TIMEOUT", "" },
	[RUNTIME_FAULT_REFUSED] = { "RUNTIME_EXECUTION_FAILED", "" },
	[RUNTIME_FAULT_NO_THREAD] = { "RUNTIME_EXECUTION_FAILED", "" },
	[RUNTIME_FAULT_TURN] = { "RUNTIME_EXECUTION_FAILED", "" },
	[RUNTIME_FAULT_AUTH] = { "AGENT_RUNTIME_AUTH_REQUIRED",
	    "log in with agent-account-login, or give the gateway a key (AGENT_RUNTIME_API_KEY_FILE)" },
	[RUNTIME_FAULT_LIMIT] = { "AGENT_RUNTIME_RATE_LIMITED",
	    "agent-account-limits shows the limits; agent-turn-start --wait-for-limit waits" },
	[RUNTIME_FAULT_MODEL] = { "AGENT_MODEL_UNAVAILABLE", "try again later" },
	[RUNTIME_FAULT_BUSY] = { "AGENT_RUNTIME_UNAVAILABLE", "" },
	[RUNTIME_FAULT_INPUT] = { "RUNTIME_EXECUTION_FAILED", "" },
	[RUNTIME_FAULT_STOPPING] = { "AGENT_RUNTIME_UNAVAILABLE", "" },
};
_Static_assert(ARRAY_LEN(faults) == RUNTIME_FAULT_STOPPING + 1, "a row for each fault");

const char *
fault_code(enum runtime_fault fault)
{
	return faults[fault].code;
}

const char *
fault_hint(enum runtime_fault fault)
{
	return faults[fault].hint;
}

/* The codes of the contract that a session host's end may bring; any other means that the turn could not be executed. */
static const char *
code_of_host(const char *code)
{
	static const char *const known[] = { "AGENT_RUNTIME_UNAVAILABLE", "AGENT_RUNTIME_AUTH_REQUIRED", "AGENT_RUNTIME_TOKEN_UNAVAILABLE",
		"AGENT_RUNTIME_TOKEN_REFUSED", "AGENT_RUNTIME_POOL_UNREACHABLE", "AGENT_RUNTIME_POOL_NOT_FOUND", "AGENT_RUNTIME_POOL_BUSY",
		"AGENT_RUNTIME_ENGINE_MISSING", "AGENT_RUNTIME_IMAGE_MISSING", "AGENT_RUNTIME_CONTAINER_FAILED" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(known); i++)
		if (!strcmp(code, known[i]))
			return known[i];
	return "RUNTIME_EXECUTION_FAILED";
}

void
fault_add(struct buf *to, const struct runtime_end *end)
{
	/* a host that says what the model did wrong says more than its code */
	bool told = end->info && *end->info && (end->fault == RUNTIME_FAULT_LIMIT || end->fault == RUNTIME_FAULT_MODEL);
	bool hosted = end->code && *end->code && !(told && !strcmp(end->code, "RUNTIME_EXECUTION_FAILED"));
	const char *code = hosted ? code_of_host(end->code) : fault_code(end->fault), *hint = hosted ? "" : fault_hint(end->fault);
	struct buf at = BUF_INIT;

	buf_addch(to, '{');
	jtext_add_string(to, "message", end->message, strlen(end->message));
	jtext_add_string(to, "code", code, strlen(code));
	if (*hint)
		jtext_add_string(to, "hint", hint, strlen(hint));
	if (end->retry_at_ms) {
		clock_add_iso(&at, end->retry_at_ms);
		jtext_add_string(to, "retryAt", at.s, at.len);
	}
	buf_addch(to, '}');
	buf_release(&at);
}
