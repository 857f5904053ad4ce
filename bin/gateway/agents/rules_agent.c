/* rules_agent.c - is what a manifest says of its agent right? Triggers, timers, handoffs, chat */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "agents/internal.h"
#include "agents/rule.h"
#include "hash.h"
#include "xalloc.h"

static bool
check_triggers(struct span agent, struct err *err)
{
	struct span triggers, item;
	size_t pos = 0;

	if (!jtext_get(agent, "triggers", &triggers) || jtext_type(triggers) != JTEXT_ARRAY || !jtext_each(triggers, &pos, NULL, &item))
		return rule_broken(err, "metadata.agent.triggers must be a non-empty array");
	for (pos = 0; jtext_each(triggers, &pos, NULL, &item);)
		if (!RULE_WORD(item, "timer", "event", "api", "a2a"))
			return rule_broken(err, "metadata.agent.triggers must only include timer|event|api|a2a");
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

/* Under either of two names. */
static bool
get_either(struct span object, const char *a, const char *b, struct span *ret)
{
	return jtext_get(object, a, ret) || jtext_get(object, b, ret);
}

/* The ids so far: their hashes in a table with more places than ids, and "\n" id "\n" of each, for when two hashes are the same. */
struct ids {
	uint64_t *hashes;
	size_t places;
	struct buf texts;
};

static void
ids_init(struct ids *ids, struct span list)
{
	size_t pos = 0, n = 0;

	while (jtext_each(list, &pos, NULL, &(struct span){ NULL, 0 }))
		n++;
	ids->places = 2 * n + 1;
	ids->hashes = xcalloc(ids->places, sizeof *ids->hashes);
	buf_init(&ids->texts);
}

static void
ids_release(struct ids *ids)
{
	free(ids->hashes);
	buf_release(&ids->texts);
}

/* False: it is there already. */
static bool
ids_add(struct ids *ids, struct span id)
{
	struct buf mark = BUF_INIT;
	uint64_t h;
	size_t at;
	bool is_new;

	buf_addch(&mark, '\n');
	jtext_string(id, &mark);
	buf_addch(&mark, '\n');
	h = hash(mark.s, mark.len) | 1; /* 0: a free place */
	for (at = h % ids->places; ids->hashes[at] && ids->hashes[at] != h;)
		at = (at + 1) % ids->places;
	is_new = !ids->hashes[at] || !strstr(ids->texts.s, mark.s);
	ids->hashes[at] = h;
	buf_add(&ids->texts, mark.s, mark.len);
	buf_release(&mark);
	return is_new;
}

static bool
check_schedule(struct span item, struct ids *seen, struct err *err)
{
	static const char where[] = "metadata.agent.timer.schedules[].";
	struct span id, expr;
	struct buf text = BUF_INIT;
	int64_t period;
	bool ok;

	if (jtext_type(item) != JTEXT_OBJECT)
		return rule_broken(err, "metadata.agent.timer.schedules must only include objects");
	if (!get_either(item, "scheduleId", "id", &id) || !rule_filled(id))
		return rule_broken(err, "%sscheduleId must be a non-empty string", where);
	if (!get_either(item, "scheduleExpr", "expr", &expr) || !rule_filled(expr))
		return rule_broken(err, "%sscheduleExpr must be a non-empty string", where);
	jtext_string(expr, &text);
	ok = schedule_period(text.s, &period);
	buf_release(&text);
	if (!ok)
		return rule_broken(err, "%sscheduleExpr must look like 'every <n> <unit>'", where);
	if (!ids_add(seen, id))
		return rule_broken(err, "metadata.agent.timer.schedules must have unique scheduleId values");
	return rule_may_bool(item, where, "enabled", err) && rule_may_string(item, where, "message", err);
}

static bool
check_timer(struct span agent, struct err *err)
{
	struct span timer, schedules, item;
	struct ids seen;
	size_t pos = 0;
	bool ok = true;

	if (!jtext_get(agent, "timer", &timer)) {
		if (has_trigger(agent, "timer"))
			return rule_broken(err, "metadata.agent.timer is required when metadata.agent.triggers includes 'timer'");
		return true;
	}
	if (jtext_type(timer) != JTEXT_OBJECT)
		return rule_broken(err, "metadata.agent.timer must be an object");
	if (!jtext_get(timer, "schedules", &schedules) || jtext_type(schedules) != JTEXT_ARRAY || !jtext_each(schedules, &pos, NULL, &item))
		return rule_broken(err, "metadata.agent.timer.schedules must be a non-empty array");
	ids_init(&seen, schedules);
	for (pos = 0; ok && jtext_each(schedules, &pos, NULL, &item);)
		ok = check_schedule(item, &seen, err);
	ids_release(&seen);
	return ok && rule_may_bool(timer, "metadata.agent.timer.", "serial", err) &&
	    rule_may_string(timer, "metadata.agent.timer.", "handlerTool", err);
}

static bool
check_kinds(struct span a2a, const char *key, struct err *err)
{
	struct span kinds, item;
	size_t pos = 0;

	if (!jtext_get(a2a, key, &kinds))
		return true;
	if (jtext_type(kinds) != JTEXT_ARRAY || !jtext_each(kinds, &pos, NULL, &item))
		return rule_broken(err, "metadata.agent.a2a.%s must be a non-empty array of strings when provided", key);
	for (pos = 0; jtext_each(kinds, &pos, NULL, &item);)
		if (jtext_type(item) != JTEXT_STRING)
			return rule_broken(err, "metadata.agent.a2a.%s must be a non-empty array of strings when provided", key);
		else if (!RULE_WORD(item, "handoff.request", "handoff.accepted", "handoff.rejected", "handoff.completed"))
			return rule_broken(err,
			    "metadata.agent.a2a message kinds must be handoff.request|handoff.accepted|handoff.rejected|handoff.completed");
	return true;
}

static bool
check_a2a(struct span agent, struct err *err)
{
	struct span a2a, value;

	if (!jtext_get(agent, "a2a", &a2a)) {
		if (has_trigger(agent, "a2a"))
			return rule_broken(err, "metadata.agent.a2a is required when metadata.agent.triggers includes 'a2a'");
		return true;
	}
	if (jtext_type(a2a) != JTEXT_OBJECT)
		return rule_broken(err, "metadata.agent.a2a must be an object");
	if (!jtext_get(a2a, "protocol", &value) || !jtext_is_string(value, "clarity.a2a.v1"))
		return rule_broken(err, "metadata.agent.a2a.protocol must be 'clarity.a2a.v1'");
	return check_kinds(a2a, "acceptedMessageKinds", err) && check_kinds(a2a, "emitsMessageKinds", err) &&
	    rule_may_range(a2a, "metadata.agent.a2a.", "maxPayloadBytes", 128, 10485760, err);
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
		return rule_broken(err, "metadata.agent.chat must be an object");
	if (jtext_get(chat, "mode", &value) && !RULE_WORD(value, "auto", "echo", "disabled"))
		return rule_broken(err, "metadata.agent.chat.mode must be one of auto|echo|disabled");
	if (jtext_get(chat, "provider", &value) && !RULE_WORD(value, "openai", "anthropic", "echo"))
		return rule_broken(err, "metadata.agent.chat.provider must be one of openai|anthropic|echo");
	if (!rule_may_string(chat, where, "handlerTool", err) || !rule_may_string(chat, where, "handler_tool", err) ||
	    !rule_may_string(chat, where, "model", err))
		return false;
	if (jtext_get(chat, "apiKeyEnv", &value) && !is_variable_name(value))
		return rule_broken(err, "metadata.agent.chat.apiKeyEnv must be an environment variable name");
	return rule_may_range(chat, where, "timeoutMs", 1000, 120000, err) && rule_may_bool(chat, where, "historyEnabled", err) &&
	    rule_may_range(chat, where, "historyMaxTurns", 1, 200, err) && rule_may_range(chat, where, "historyMaxChars", 256, 200000, err);
}

bool
rules_agent(struct span agent, struct err *err)
{
	static const char *const texts[] = { "agentId", "name", "role", "objective" };
	static const char *const lists[] = { "inputs", "outputs", "dependsOn", "handoffTargets", "allowedMcpTools", "allowedLlmProviders",
		"llmProviders" };
	static const char where[] = "metadata.agent.";
	size_t i;

	if (jtext_type(agent) != JTEXT_OBJECT)
		return rule_broken(err, "metadata.agent must be an object");
	for (i = 0; i < ARRAY_LEN(texts); i++)
		if (!rule_need_string(agent, where, texts[i], err))
			return false;
	if (!check_triggers(agent, err) || !rule_may_bool(agent, where, "hitl", err) || !check_timer(agent, err) || !check_a2a(agent, err))
		return false;
	for (i = 0; i < ARRAY_LEN(lists); i++)
		if (!rule_may_strings(agent, where, lists[i], err))
			return false;
	return rule_may_string(agent, where, "version", err) && check_chat(agent, err);
}
