/* rules.c - is a manifest right? The contract's rules, in its order and with its texts
 *
 * Clarity contract section 12. A rule that fails ends the check; unknown members are kept.
 */
#include "compat.h"

#include <string.h>
#include <strings.h>

#include "agents/internal.h"
#include "err.h"
#include "num.h"
#include "status.h"

static bool wrong(struct err *err, const char *fmt, ...) PRINTF(2, 3);

static bool
wrong(struct err *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	err_vset(err, STATUS_CONFIG, fmt, args);
	va_end(args);
	return err_prefix(err, "invalid manifest");
}

/* ---- small rules. `where` is the path of the object, with its dot. */

static bool
is_object(struct span object, const char *key, struct span *ret)
{
	return jtext_get(object, key, ret) && jtext_type(*ret) == JTEXT_OBJECT;
}

static bool
is_filled(struct span value)
{
	struct buf text = BUF_INIT;
	bool filled = jtext_string(value, &text) && text.s[strspn(text.s, " \t\r\n")] && !memchr(text.s, '\0', text.len);

	buf_release(&text);
	return filled;
}

static bool
need_string(struct span object, const char *where, const char *key, struct err *err)
{
	struct span value;

	if (jtext_get(object, key, &value) && is_filled(value))
		return true;
	return wrong(err, "%s%s must be a non-empty string", where, key);
}

static bool
may_string(struct span object, const char *where, const char *key, struct err *err)
{
	struct span value;

	return !jtext_get(object, key, &value) || is_filled(value) ||
	    wrong(err, "%s%s must be a non-empty string when provided", where, key);
}

static bool
is_bool(struct span value)
{
	return jtext_type(value) == JTEXT_TRUE || jtext_type(value) == JTEXT_FALSE;
}

static bool
may_bool(struct span object, const char *where, const char *key, struct err *err)
{
	struct span value;

	return !jtext_get(object, key, &value) || is_bool(value) || wrong(err, "%s%s must be a boolean when provided", where, key);
}

static bool
may_range(struct span object, const char *where, const char *key, int64_t min, int64_t max, struct err *err)
{
	struct span value;
	int64_t n;

	if (!jtext_get(object, key, &value) || (jtext_i64(value, &n) && n >= min && n <= max))
		return true;
	return wrong(err, "%s%s must be an integer between %lld and %lld when provided", where, key, (long long)min, (long long)max);
}

static bool
is_one_of(struct span value, const char *const *words)
{
	for (; *words; words++)
		if (jtext_is_string(value, *words))
			return true;
	return false;
}

#define ONE_OF(value, ...) is_one_of(value, (const char *const[]){ __VA_ARGS__, NULL })

static bool
may_strings(struct span object, const char *where, const char *key, struct err *err)
{
	struct span value, item;
	size_t pos = 0;
	bool ok;

	if (!jtext_get(object, key, &value))
		return true;
	ok = jtext_type(value) == JTEXT_ARRAY;
	while (ok && jtext_each(value, &pos, NULL, &item))
		ok = is_filled(item);
	return ok || wrong(err, "%s%s must be an array of strings when provided", where, key);
}

static bool
may_positive(struct span object, const char *where, const char *key, struct err *err)
{
	struct span value;
	int64_t n;

	return !jtext_get(object, key, &value) || (jtext_i64(value, &n) && n > 0) ||
	    wrong(err, "%s%s must be a positive integer when provided", where, key);
}

/* ---- the agent */

static bool
check_triggers(struct span agent, struct err *err)
{
	struct span triggers, item;
	size_t pos = 0;

	if (!jtext_get(agent, "triggers", &triggers) || jtext_type(triggers) != JTEXT_ARRAY || !jtext_each(triggers, &pos, NULL, &item))
		return wrong(err, "metadata.agent.triggers must be a non-empty array");
	for (pos = 0; jtext_each(triggers, &pos, NULL, &item);)
		if (!ONE_OF(item, "timer", "event", "api", "a2a"))
			return wrong(err, "metadata.agent.triggers must only include timer|event|api|a2a");
	return true;
}

static bool
has_trigger(struct span agent, const char *name)
{
	struct span triggers, item;
	size_t pos = 0;

	if (!jtext_get(agent, "triggers", &triggers))
		return false;
	while (jtext_each(triggers, &pos, NULL, &item))
		if (jtext_is_string(item, name))
			return true;
	return false;
}

/* "every 5 min": contract section 10 */
bool
schedule_period(const char *expr, int64_t *ret_ms)
{
	static const struct {
		const char *names;
		int64_t ms;
	} units[] = {
		{ " ms millisecond milliseconds ", 1 },
		{ " s sec secs second seconds ", 1000 },
		{ " m min mins minute minutes ", 60000 },
		{ " h hr hrs hour hours ", 3600000 },
	};
	char word[3][16] = { "", "", "" };
	struct buf name = BUF_INIT;
	uint64_t n;
	size_t i, k;
	bool ok = false;

	for (i = 0; i < 3; i++) {
		expr += strspn(expr, " \t");
		k = strcspn(expr, " \t");
		if (!k || k >= sizeof word[i])
			return false;
		memcpy(word[i], expr, k);
		expr += k;
		for (k = 0; word[i][k]; k++)
			if (word[i][k] >= 'A' && word[i][k] <= 'Z')
				word[i][k] = (char)(word[i][k] + 'a' - 'A');
	}
	if (expr[strspn(expr, " \t")] || strcmp(word[0], "every") || !num_u64(word[1], strlen(word[1]), &n))
		return false;
	buf_addf(&name, " %s ", word[2]);
	for (i = 0; i < ARRAY_LEN(units) && !ok; i++)
		if (strstr(units[i].names, name.s)) {
			*ret_ms = n > (uint64_t)(SCHEDULE_MAX_MS / units[i].ms) ? SCHEDULE_MAX_MS : (int64_t)n * units[i].ms;
			ok = true;
		}
	buf_release(&name);
	return ok;
}

/* Under either of two names. */
static bool
get_either(struct span object, const char *a, const char *b, struct span *ret)
{
	return jtext_get(object, a, ret) || jtext_get(object, b, ret);
}

static bool
check_schedule(struct span item, struct buf *seen, struct err *err)
{
	static const char where[] = "metadata.agent.timer.schedules[].";
	struct span id, expr;
	struct buf text = BUF_INIT, mark = BUF_INIT;
	int64_t period;
	bool ok = false;

	if (jtext_type(item) != JTEXT_OBJECT)
		return wrong(err, "metadata.agent.timer.schedules must only include objects");
	if (!get_either(item, "scheduleId", "id", &id) || !is_filled(id))
		return wrong(err, "%sscheduleId must be a non-empty string", where);
	if (!get_either(item, "scheduleExpr", "expr", &expr) || !is_filled(expr))
		return wrong(err, "%sscheduleExpr must be a non-empty string", where);
	jtext_string(expr, &text);
	if (!schedule_period(text.s, &period)) {
		wrong(err, "%sscheduleExpr must look like 'every <n> <unit>'", where);
		goto out;
	}
	/* ids are unique: seen is "\n" id "\n" ... */
	buf_addch(&mark, '\n');
	jtext_string(id, &mark);
	buf_addch(&mark, '\n');
	if (strstr(seen->s, mark.s)) {
		wrong(err, "metadata.agent.timer.schedules must have unique scheduleId values");
		goto out;
	}
	buf_add(seen, mark.s, mark.len);
	ok = may_bool(item, where, "enabled", err) && may_string(item, where, "message", err);
out:
	buf_release(&text);
	buf_release(&mark);
	return ok;
}

static bool
check_timer(struct span agent, struct err *err)
{
	struct span timer, schedules, item;
	struct buf seen = BUF_INIT;
	size_t pos = 0;
	bool ok = true;

	if (!jtext_get(agent, "timer", &timer)) {
		if (has_trigger(agent, "timer"))
			return wrong(err, "metadata.agent.timer is required when metadata.agent.triggers includes 'timer'");
		return true;
	}
	if (jtext_type(timer) != JTEXT_OBJECT)
		return wrong(err, "metadata.agent.timer must be an object");
	if (!jtext_get(timer, "schedules", &schedules) || jtext_type(schedules) != JTEXT_ARRAY || !jtext_each(schedules, &pos, NULL, &item))
		return wrong(err, "metadata.agent.timer.schedules must be a non-empty array");
	for (pos = 0; ok && jtext_each(schedules, &pos, NULL, &item);)
		ok = check_schedule(item, &seen, err);
	buf_release(&seen);
	return ok && may_bool(timer, "metadata.agent.timer.", "serial", err) &&
	    may_string(timer, "metadata.agent.timer.", "handlerTool", err);
}

static bool
check_kinds(struct span a2a, const char *key, struct err *err)
{
	struct span kinds, item;
	size_t pos = 0;

	if (!jtext_get(a2a, key, &kinds))
		return true;
	if (jtext_type(kinds) != JTEXT_ARRAY || !jtext_each(kinds, &pos, NULL, &item))
		return wrong(err, "metadata.agent.a2a.%s must be a non-empty array of strings when provided", key);
	for (pos = 0; jtext_each(kinds, &pos, NULL, &item);)
		if (jtext_type(item) != JTEXT_STRING)
			return wrong(err, "metadata.agent.a2a.%s must be a non-empty array of strings when provided", key);
		else if (!ONE_OF(item, "handoff.request", "handoff.accepted", "handoff.rejected", "handoff.completed"))
			return wrong(err,
			    "metadata.agent.a2a message kinds must be handoff.request|handoff.accepted|handoff.rejected|handoff.completed");
	return true;
}

static bool
check_a2a(struct span agent, struct err *err)
{
	struct span a2a, value;

	if (!jtext_get(agent, "a2a", &a2a)) {
		if (has_trigger(agent, "a2a"))
			return wrong(err, "metadata.agent.a2a is required when metadata.agent.triggers includes 'a2a'");
		return true;
	}
	if (jtext_type(a2a) != JTEXT_OBJECT)
		return wrong(err, "metadata.agent.a2a must be an object");
	if (!jtext_get(a2a, "protocol", &value) || !jtext_is_string(value, "clarity.a2a.v1"))
		return wrong(err, "metadata.agent.a2a.protocol must be 'clarity.a2a.v1'");
	return check_kinds(a2a, "acceptedMessageKinds", err) && check_kinds(a2a, "emitsMessageKinds", err) &&
	    may_range(a2a, "metadata.agent.a2a.", "maxPayloadBytes", 128, 10485760, err);
}

static bool
is_variable_name(struct span value)
{
	struct buf name = BUF_INIT;
	bool ok;

	ok = jtext_string(value, &name) && name.len && !(name.s[0] >= '0' && name.s[0] <= '9') &&
	    strspn(name.s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == name.len;
	buf_release(&name);
	return ok;
}

static bool
check_chat(struct span agent, struct err *err)
{
	static const char where[] = "metadata.agent.chat.";
	struct span chat, value;

	if (!jtext_get(agent, "chat", &chat))
		return true;
	if (jtext_type(chat) != JTEXT_OBJECT)
		return wrong(err, "metadata.agent.chat must be an object");
	if (jtext_get(chat, "mode", &value) && !ONE_OF(value, "auto", "echo", "disabled"))
		return wrong(err, "metadata.agent.chat.mode must be one of auto|echo|disabled");
	if (jtext_get(chat, "provider", &value) && !ONE_OF(value, "openai", "anthropic", "echo"))
		return wrong(err, "metadata.agent.chat.provider must be one of openai|anthropic|echo");
	if (!may_string(chat, where, "handlerTool", err) || !may_string(chat, where, "handler_tool", err) ||
	    !may_string(chat, where, "model", err))
		return false;
	if (jtext_get(chat, "apiKeyEnv", &value) && !is_variable_name(value))
		return wrong(err, "metadata.agent.chat.apiKeyEnv must be an environment variable name");
	return may_range(chat, where, "timeoutMs", 1000, 120000, err) && may_bool(chat, where, "historyEnabled", err) &&
	    may_range(chat, where, "historyMaxTurns", 1, 200, err) && may_range(chat, where, "historyMaxChars", 256, 200000, err);
}

static bool
check_agent(struct span agent, struct err *err)
{
	static const char *const texts[] = { "agentId", "name", "role", "objective" };
	static const char *const lists[] = { "inputs", "outputs", "dependsOn", "handoffTargets", "allowedMcpTools", "allowedLlmProviders",
		"llmProviders" };
	static const char where[] = "metadata.agent.";
	size_t i;

	if (jtext_type(agent) != JTEXT_OBJECT)
		return wrong(err, "metadata.agent must be an object");
	for (i = 0; i < ARRAY_LEN(texts); i++)
		if (!need_string(agent, where, texts[i], err))
			return false;
	if (!check_triggers(agent, err) || !may_bool(agent, where, "hitl", err) || !check_timer(agent, err) || !check_a2a(agent, err))
		return false;
	for (i = 0; i < ARRAY_LEN(lists); i++)
		if (!may_strings(agent, where, lists[i], err))
			return false;
	return may_string(agent, where, "version", err) && check_chat(agent, err);
}

/* ---- where it runs */

static bool
check_argv(struct span origin, struct err *err)
{
	struct span argv, item;
	size_t pos = 0, n = 0;

	if (!jtext_get(origin, "command", &argv) || jtext_type(argv) != JTEXT_ARRAY)
		return wrong(err, "spec.origin.command must be a non-empty array of strings");
	for (; jtext_each(argv, &pos, NULL, &item); n++)
		if (jtext_type(item) != JTEXT_STRING || (!n && !is_filled(item)))
			return wrong(err, "spec.origin.command must be a non-empty array of strings");
	if (!n || n > AGENT_ARGV_MAX)
		return wrong(err, "spec.origin.command must have 1 to %d words", AGENT_ARGV_MAX);
	return true;
}

static bool
check_command(struct span origin, struct err *err)
{
	struct span value;

	if (!check_argv(origin, err))
		return false;
	if (jtext_get(origin, "mode", &value) && !ONE_OF(value, "message", "long-lived"))
		return wrong(err, "spec.origin.mode must be 'message' or 'long-lived'");
	return may_range(origin, "spec.origin.", "timeoutMs", 100, 3600000, err) &&
	    may_range(origin, "spec.origin.", "maxConcurrency", 1, AGENT_PROGRAMS_MAX, err) &&
	    may_string(origin, "spec.origin.", "workingDirectory", err);
}

/* Who answers the approvals of a thread. */
static bool
check_approvals(struct span approvals, struct err *err)
{
	static const char where[] = "spec.origin.approvals.";
	struct span rules, rule, value;
	size_t pos = 0;

	if (jtext_type(approvals) != JTEXT_OBJECT)
		return wrong(err, "spec.origin.approvals must be an object");
	if (jtext_get(approvals, "rules", &rules)) {
		if (jtext_type(rules) != JTEXT_ARRAY)
			return wrong(err, "%srules must be an array", where);
		while (jtext_each(rules, &pos, NULL, &rule))
			if (!jtext_get(rule, "decision", &value) || !ONE_OF(value, "accept", "acceptForSession", "decline", "cancel"))
				return wrong(err, "%srules must have a decision each, accept|acceptForSession|decline|cancel", where);
			else if (jtext_get(rule, "kind", &value) && !ONE_OF(value, "command", "file", "permissions", "question", "other"))
				return wrong(err, "%srules must be of a kind command|file|permissions|question|other", where);
	}
	if (jtext_get(approvals, "default", &value) && !ONE_OF(value, "accept", "acceptForSession", "decline", "cancel"))
		return wrong(err, "%sdefault must be accept|acceptForSession|decline|cancel", where);
	return may_range(approvals, where, "timeoutSeconds", 1, 604800, err);
}

static bool
check_runtime(struct span origin, struct err *err)
{
	static const char *const texts[] = { "model", "systemPrompt", "cwd", "effort", "personality", "workspace", "workingDirectory" };
	static const char where[] = "spec.origin.";
	struct span value;
	size_t i;

	if (jtext_get(origin, "command", &value) && !check_argv(origin, err))
		return false;
	for (i = 0; i < ARRAY_LEN(texts); i++)
		if (!may_string(origin, where, texts[i], err))
			return false;
	if (jtext_get(origin, "systemPrompt", &value) && value.n > AGENT_SYSTEM_MAX)
		return wrong(err, "spec.origin.systemPrompt must be at most %u bytes", AGENT_SYSTEM_MAX);
	if (jtext_get(origin, "sandbox", &value) && jtext_type(value) != JTEXT_OBJECT &&
	    !ONE_OF(value, "read-only", "workspace-write", "danger-full-access"))
		return wrong(err, "spec.origin.sandbox must be read-only|workspace-write|danger-full-access or an object");
	if (jtext_get(origin, "approvalPolicy", &value) && jtext_type(value) != JTEXT_OBJECT && !is_filled(value))
		return wrong(err, "spec.origin.approvalPolicy must be a non-empty string or an object");
	if (jtext_get(origin, "approvals", &value) && !check_approvals(value, err))
		return false;
	return may_range(origin, where, "timeoutMs", 100, 86400000, err);
}

bool
endpoint_host(const char *url, struct buf *ret)
{
	const char *at = url, *end;
	uint64_t port;
	size_t n;

	for (; *at; at++)
		if (*at < '!' || *at > '~' || strchr("\\\"<>^`{|}#", *at))
			return false;
	at = !strncasecmp(url, "http://", 7) ? url + 7 : !strncasecmp(url, "https://", 8) ? url + 8 : "";
	if (*at == '[')
		n = strspn(at + 1, "0123456789abcdefABCDEF:.") + 2;
	else
		n = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
	if (!n || n > 255 || (*at == '[' && (n < 4 || at[n - 1] != ']')))
		return false;
	end = at + n;
	buf_add(ret, at, n);
	for (n = 0; n < ret->len; n++)
		if (ret->s[n] >= 'A' && ret->s[n] <= 'Z')
			ret->s[n] = (char)(ret->s[n] + 'a' - 'A');
	if (*end == ':') {
		n = strspn(++end, "0123456789");
		if (!num_u64(end, n, &port) || !port || port > 65535)
			return false;
		end += n;
	}
	return !*end || *end == '/' || *end == '?';
}

static bool
check_remote(struct span origin, struct err *err)
{
	static const char where[] = "remote_mcp ";
	struct buf url = BUF_INIT, host = BUF_INIT;
	struct span value;
	bool ok;

	if (!jtext_get(origin, "endpoint", &value) || !is_filled(value))
		return wrong(err, "remote_mcp origin requires endpoint");
	jtext_string(value, &url);
	ok = endpoint_host(url.s, &host);
	buf_release(&url);
	buf_release(&host);
	if (!ok)
		return wrong(err, "remote_mcp endpoint must be a valid http(s) URL");
	if (!jtext_get(origin, "transport", &value) || !ONE_OF(value, "streamable_http", "sse_http"))
		return wrong(err, "remote_mcp transport must be streamable_http | sse_http");
	return may_string(origin, where, "authRef", err) && may_positive(origin, where, "timeoutMs", err) &&
	    may_positive(origin, where, "maxPayloadBytes", err) && may_positive(origin, where, "maxConcurrency", err) &&
	    may_strings(origin, where, "allowedTools", err);
}

static bool
check_origin(struct span spec, struct err *err)
{
	struct span origin, type, value;

	if (!is_object(spec, "origin", &origin))
		return wrong(err, "spec.origin is required");
	if (!jtext_get(origin, "type", &type) || !ONE_OF(type, "local_wasm", "remote_mcp", "command", "runtime"))
		return wrong(err, "spec.origin.type must be 'local_wasm', 'remote_mcp', 'command' or 'runtime'");
	if (jtext_is_string(type, "runtime"))
		return check_runtime(origin, err);
	if (jtext_is_string(type, "command"))
		return check_command(origin, err);
	if (jtext_is_string(type, "remote_mcp"))
		return check_remote(origin, err);
	if (!jtext_get(origin, "wasmPath", &value) || !is_filled(value) || !jtext_get(origin, "entry", &value) || !is_filled(value))
		return wrong(err, "local_wasm origin requires wasmPath and entry");
	return true;
}

static bool
check_restart(struct span spec, struct err *err)
{
	struct span restart, value;
	int64_t n;

	if (!is_object(spec, "restartPolicy", &restart))
		return wrong(err, "spec.restartPolicy is required");
	if (!jtext_get(restart, "mode", &value) || !ONE_OF(value, "never", "on-failure", "always"))
		return wrong(err, "restartPolicy.mode must be never | on-failure | always");
	if (!jtext_get_i64(restart, "maxRestarts", &n) || n < 0)
		return wrong(err, "restartPolicy.maxRestarts must be an integer >= 0");
	if (!jtext_get_i64(restart, "windowSeconds", &n) || n <= 0)
		return wrong(err, "restartPolicy.windowSeconds must be a positive integer");
	return true;
}

static bool
check_spec(struct span manifest, struct err *err)
{
	struct span spec, enabled, autostart;

	if (!is_object(manifest, "spec", &spec))
		return wrong(err, "spec is required");
	if (!jtext_get(spec, "enabled", &enabled) || !is_bool(enabled) || !jtext_get(spec, "autostart", &autostart) || !is_bool(autostart))
		return wrong(err, "spec.enabled and spec.autostart must be booleans");
	return need_string(spec, "spec.", "policyRef", err) && may_string(spec, "spec.", "toolNamespace", err) &&
	    check_restart(spec, err) && check_origin(spec, err);
}

bool
manifest_check(struct span manifest, struct err *err)
{
	struct span metadata, value, agent;

	if (jtext_type(manifest) != JTEXT_OBJECT)
		return wrong(err, "expected object");
	if (!jtext_get(manifest, "apiVersion", &value) || !jtext_is_string(value, "clarity.runtime/v1"))
		return wrong(err, "apiVersion must be 'clarity.runtime/v1'");
	if (!jtext_get(manifest, "kind", &value) || !jtext_is_string(value, "MCPService"))
		return wrong(err, "kind must be 'MCPService'");
	if (!is_object(manifest, "metadata", &metadata))
		return wrong(err, "metadata is required");
	if (!need_string(metadata, "metadata.", "sourceFile", err) || !need_string(metadata, "metadata.", "module", err) ||
	    !may_string(metadata, "metadata.", "serviceId", err) || !may_string(metadata, "metadata.", "displayName", err))
		return false;
	if (!jtext_get(metadata, "serviceType", &value) || !ONE_OF(value, "mcp", "agent"))
		return wrong(err, "metadata.serviceType must be 'mcp' or 'agent'");
	if (jtext_get(metadata, "agent", &agent)) {
		if (!check_agent(agent, err))
			return false;
	} else if (jtext_is_string(value, "agent"))
		return wrong(err, "metadata.agent must be an object");
	return check_spec(manifest, err);
}
