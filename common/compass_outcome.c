/* compass_outcome.c - what the end of a turn comes to, by its object alone */
#include "compat.h"

#include "buf.h"
#include "clock.h"
#include "compass.h"
#include "status.h"

#define LIMITED "AGENT_RUNTIME_RATE_LIMITED"

int
compass_failure(struct span object)
{
	static const struct {
		const char *code;
		int status;
	} failures[] = { { "AGENT_RUNTIME_AUTH_REQUIRED", STATUS_DENIED }, { "AGENT_RUNTIME_MISSING", STATUS_CONFIG },
		{ "AGENT_RUNTIME_VERSION", STATUS_CONFIG }, { "AGENT_RUNTIME_CONFIG", STATUS_CONFIG }, { LIMITED, STATUS_RETRY },
		{ "AGENT_MODEL_UNAVAILABLE", STATUS_RETRY }, { "AGENT_RUNTIME_ENGINE_MISSING", STATUS_CONFIG },
		{ "AGENT_RUNTIME_IMAGE_MISSING", STATUS_CONFIG }, { "AGENT_RUNTIME_CONTAINER_FAILED", STATUS_CONFIG },
		{ "AGENT_RUNTIME_POOL_NOT_FOUND", STATUS_CONFIG }, { "AGENT_RUNTIME_TOKEN_UNAVAILABLE", STATUS_DENIED },
		{ "AGENT_RUNTIME_TOKEN_REFUSED", STATUS_DENIED }, { "AGENT_RUNTIME_POOL_UNREACHABLE", STATUS_RETRY },
		{ "AGENT_RUNTIME_POOL_BUSY", STATUS_RETRY } };
	struct span error, code;
	size_t i;

	if (jtext_get(object, "error", &error) && jtext_type(error) == JTEXT_OBJECT && jtext_get(error, "code", &code))
		for (i = 0; i < ARRAY_LEN(failures); i++)
			if (jtext_is_string(code, failures[i].code))
				return failures[i].status;
	return STATUS_FAILED;
}

int64_t
compass_limit(struct span object)
{
	struct buf at = BUF_INIT;
	struct span error, code;
	int64_t ms = 0;

	if (jtext_get(object, "error", &error) && jtext_type(error) == JTEXT_OBJECT && jtext_get(error, "code", &code) &&
	    jtext_is_string(code, LIMITED)) {
		if (!jtext_get_string(error, "retryAt", &at) || !clock_parse_iso(at.s, at.len, &ms))
			ms = -1;
	}
	buf_release(&at);
	return ms;
}

int
compass_outcome(struct span object)
{
	struct span status;

	if (!jtext_get(object, "status", &status))
		return -1;
	if (jtext_is_string(status, "completed"))
		return STATUS_OK;
	if (jtext_is_string(status, "error"))
		return compass_failure(object);
	if (jtext_is_string(status, "interrupted"))
		return STATUS_CANCELLED;
	return -1;
}
