/* fault.c - what goes wrong with a runtime, and what is said of it */
#include "compat.h"

#include <string.h>

#include "buf.h"
#include "fault.h"
#include "jtext.h"

#define UNAVAILABLE "AGENT_RUNTIME_UNAVAILABLE"
#define EXECUTION_FAILED "RUNTIME_EXECUTION_FAILED"

static const struct {
	const char *code, *hint;
} faults[] = {
	[RUNTIME_FAULT_NONE] = { UNAVAILABLE, "set what the message names, or choose another with AGENT_RUNTIME_PROVIDER" },
	[RUNTIME_FAULT_START] = { UNAVAILABLE, "run the runtime's command by hand to see what it lacks; agent-doctor looks at the rest" },
	[RUNTIME_FAULT_MISSING] = { "AGENT_RUNTIME_MISSING",
	    "install codex (./bootstrap --with-codex), or name another runtime with --runtime or CODEX_APP_SERVER_COMMAND" },
	[RUNTIME_FAULT_VERSION] = { "AGENT_RUNTIME_VERSION",
	    "install a newer one (./bootstrap --with-codex), or name it with CODEX_APP_SERVER_COMMAND" },
	[RUNTIME_FAULT_CONFIG] = { "AGENT_RUNTIME_CONFIG",
	    "mend the configuration that the message names; nothing needs to be started again" },
	[RUNTIME_FAULT_PAUSED] = { UNAVAILABLE, "mend what the message says; it is started again by itself" },
	[RUNTIME_FAULT_GONE] = { UNAVAILABLE, "ask again: it is started anew, and the conversation goes on" },
	[RUNTIME_FAULT_PROTOCOL] = { UNAVAILABLE, "see that the command speaks agent-runtime(7) on its standard output, and nothing else" },
	[RUNTIME_FAULT_TIMEOUT] = { UNAVAILABLE, "ask again; a runtime that stays silent is ended and started anew" },
	[RUNTIME_FAULT_TURN_TIMEOUT] = { "AGENT_TURN_TIMEOUT", "ask for less, or give turns more time (agent-gateway --turn-timeout)" },
	[RUNTIME_FAULT_REFUSED] = { EXECUTION_FAILED, "" },
	[RUNTIME_FAULT_NO_THREAD] = { EXECUTION_FAILED, "" },
	[RUNTIME_FAULT_TURN] = { EXECUTION_FAILED, "" },
	[RUNTIME_FAULT_AUTH] = { "AGENT_RUNTIME_AUTH_REQUIRED",
	    "log in with agent-account-login, or give the runtime a key: AGENT_RUNTIME_API_KEY_FILE, behind a session host OPENAI_API_KEY there" },
	[RUNTIME_FAULT_LIMIT] = { "AGENT_RUNTIME_RATE_LIMITED",
	    "--wait-for-limit waits until it is over; agent-account-limits shows the limits of a ChatGPT account, the provider's page those of a key" },
	[RUNTIME_FAULT_MODEL] = { "AGENT_MODEL_UNAVAILABLE", "try again later" },
	[RUNTIME_FAULT_BUSY] = { UNAVAILABLE, "ask again when other turns are over" },
	[RUNTIME_FAULT_INPUT] = { EXECUTION_FAILED, "" },
	[RUNTIME_FAULT_STOPPING] = { UNAVAILABLE, "ask again when the gateway is back" },
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

const char *
fault_hint_of_code(const char *code)
{
	if (!strcmp(code, UNAVAILABLE))
		return "see that the session host runs and has room; AGENT_RUNTIME_REQUEST_TIMEOUT_MS is how long it may take";
	if (!strcmp(code, "AGENT_RUNTIME_TOKEN_UNAVAILABLE"))
		return "give a token in DYNAMIC_SESSIONS_BEARER_TOKEN_FILE (for a session host in AGENT_RUNTIME_ENDPOINT_TOKEN_FILE), or let the "
		       "platform set IDENTITY_ENDPOINT and IDENTITY_HEADER";
	return "";
}

enum runtime_fault
fault_of_code(const char *code)
{
	size_t i;

	if (!strcmp(code, UNAVAILABLE) || !strcmp(code, EXECUTION_FAILED))
		return RUNTIME_FAULT_NONE;
	for (i = 0; i < ARRAY_LEN(faults); i++)
		if (!strcmp(faults[i].code, code))
			return (enum runtime_fault)i;
	return RUNTIME_FAULT_NONE;
}

void
fault_add(struct buf *to, const char *message, const char *code, const char *hint, int64_t retry_at_ms)
{
	buf_addch(to, '{');
	jtext_add_text(to, "message", message);
	if (code && *code)
		jtext_add_text(to, "code", code);
	if (hint && *hint)
		jtext_add_text(to, "hint", hint);
	if (retry_at_ms)
		jtext_add_time(to, "retryAt", retry_at_ms);
	buf_addch(to, '}');
}
