/* rules_origin.c - is what a manifest says of where it runs right? */
#include "compat.h"

#include <string.h>
#include <strings.h>

#include "agents/internal.h"
#include "agents/rule.h"
#include "num.h"

static bool
check_argv(struct span origin, struct err *err)
{
	struct span argv, item;
	size_t pos = 0, n = 0;

	if (!jtext_get(origin, "command", &argv) || jtext_type(argv) != JTEXT_ARRAY)
		return rule_broken(err, "spec.origin.command must be a non-empty array of strings");
	for (; jtext_each(argv, &pos, NULL, &item); n++)
		if (jtext_type(item) != JTEXT_STRING || (!n && !rule_filled(item)))
			return rule_broken(err, "spec.origin.command must be a non-empty array of strings");
	if (!n || n > AGENT_ARGV_MAX)
		return rule_broken(err, "spec.origin.command must have 1 to %d words", AGENT_ARGV_MAX);
	return true;
}

static bool
check_command(struct span origin, struct err *err)
{
	struct span value;

	if (!check_argv(origin, err))
		return false;
	if (jtext_get(origin, "mode", &value) && !RULE_WORD(value, "message", "long-lived"))
		return rule_broken(err, "spec.origin.mode must be 'message' or 'long-lived'");
	return rule_may_range(origin, "spec.origin.", "timeoutMs", 100, 3600000, err) &&
	    rule_may_range(origin, "spec.origin.", "maxConcurrency", 1, AGENT_PROGRAMS_MAX, err) &&
	    rule_may_string(origin, "spec.origin.", "workingDirectory", err);
}

/* Who answers the approvals of a thread. */
static bool
check_approvals(struct span approvals, struct err *err)
{
	static const char where[] = "spec.origin.approvals.";
	struct span rules, rule, value;
	size_t pos = 0;

	if (jtext_type(approvals) != JTEXT_OBJECT)
		return rule_broken(err, "spec.origin.approvals must be an object");
	if (jtext_get(approvals, "rules", &rules)) {
		if (jtext_type(rules) != JTEXT_ARRAY)
			return rule_broken(err, "%srules must be an array", where);
		while (jtext_each(rules, &pos, NULL, &rule))
			if (!jtext_get(rule, "decision", &value) || !RULE_WORD(value, "accept", "acceptForSession", "decline", "cancel"))
				return rule_broken(err, "%srules must have a decision each, accept|acceptForSession|decline|cancel", where);
			else if (jtext_get(rule, "kind", &value) &&
			    !RULE_WORD(value, "command", "file", "permissions", "question", "other"))
				return rule_broken(err, "%srules must be of a kind command|file|permissions|question|other", where);
	}
	if (jtext_get(approvals, "default", &value) && !RULE_WORD(value, "accept", "acceptForSession", "decline", "cancel"))
		return rule_broken(err, "%sdefault must be accept|acceptForSession|decline|cancel", where);
	return rule_may_range(approvals, where, "timeoutSeconds", 1, 604800, err);
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
		if (!rule_may_string(origin, where, texts[i], err))
			return false;
	if (jtext_get(origin, "systemPrompt", &value) && value.n > AGENT_SYSTEM_MAX)
		return rule_broken(err, "spec.origin.systemPrompt must be at most %u bytes", AGENT_SYSTEM_MAX);
	if (jtext_get(origin, "sandbox", &value) && jtext_type(value) != JTEXT_OBJECT &&
	    !RULE_WORD(value, "read-only", "workspace-write", "danger-full-access"))
		return rule_broken(err, "spec.origin.sandbox must be read-only|workspace-write|danger-full-access or an object");
	if (jtext_get(origin, "approvalPolicy", &value) && jtext_type(value) != JTEXT_OBJECT && !rule_filled(value))
		return rule_broken(err, "spec.origin.approvalPolicy must be a non-empty string or an object");
	if (jtext_get(origin, "approvals", &value) && !check_approvals(value, err))
		return false;
	return rule_may_range(origin, where, "timeoutMs", 100, 86400000, err);
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

	if (!jtext_get(origin, "endpoint", &value) || !rule_filled(value))
		return rule_broken(err, "remote_mcp origin requires endpoint");
	jtext_string(value, &url);
	ok = endpoint_host(url.s, &host);
	buf_release(&url);
	buf_release(&host);
	if (!ok)
		return rule_broken(err, "remote_mcp endpoint must be a valid http(s) URL");
	if (!jtext_get(origin, "transport", &value) || !RULE_WORD(value, "streamable_http", "sse_http"))
		return rule_broken(err, "remote_mcp transport must be streamable_http | sse_http");
	return rule_may_string(origin, where, "authRef", err) && rule_may_positive(origin, where, "timeoutMs", err) &&
	    rule_may_positive(origin, where, "maxPayloadBytes", err) && rule_may_positive(origin, where, "maxConcurrency", err) &&
	    rule_may_strings(origin, where, "allowedTools", err);
}

bool
rules_origin(struct span spec, struct err *err)
{
	struct span origin, type, value;

	if (!rule_object(spec, "origin", &origin))
		return rule_broken(err, "spec.origin is required");
	if (!jtext_get(origin, "type", &type) || !RULE_WORD(type, "local_wasm", "remote_mcp", "command", "runtime"))
		return rule_broken(err, "spec.origin.type must be 'local_wasm', 'remote_mcp', 'command' or 'runtime'");
	if (jtext_is_string(type, "runtime"))
		return check_runtime(origin, err);
	if (jtext_is_string(type, "command"))
		return check_command(origin, err);
	if (jtext_is_string(type, "remote_mcp"))
		return check_remote(origin, err);
	if (!jtext_get(origin, "wasmPath", &value) || !rule_filled(value) || !jtext_get(origin, "entry", &value) || !rule_filled(value))
		return rule_broken(err, "local_wasm origin requires wasmPath and entry");
	return true;
}
