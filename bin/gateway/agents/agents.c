/* agents.c - the set of agents, and the registry item that shows one */
#include "compat.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agents/internal.h"
#include "clock.h"
#include "err.h"
#include "status.h"
#include "xalloc.h"

struct agents {
	struct agent **list;
	size_t n;
	struct agent *of_threads; /* AGENT_THREADS */
};

void
agents_free(struct agents *agents)
{
	size_t i;

	if (!agents)
		return;
	for (i = 0; i < agents->n; i++)
		agent_unref(agents->list[i]);
	agent_unref(agents->of_threads);
	free(agents->list);
	free(agents);
}

static struct agent *
make_of_threads(void)
{
	static const char manifest[] =
	    "{\"apiVersion\":\"clarity.runtime/v1\",\"kind\":\"MCPService\",\"metadata\":{\"sourceFile\":\"runtime\",\"module\":\"runtime\",\"serviceId\":"
	    "\"" AGENT_THREADS
	    "\",\"serviceType\":\"agent\",\"agent\":{\"agentId\":\"runtime\",\"name\":\"runtime\",\"role\":\"assistant\","
	    "\"objective\":\"threads\",\"triggers\":[\"api\"]}},\"spec\":{\"origin\":{\"type\":\"runtime\"},\"enabled\":true,\"autostart\":true,"
	    "\"restartPolicy\":{\"mode\":\"never\",\"maxRestarts\":0,\"windowSeconds\":60},\"policyRef\":\"default\"}}";
	struct agent *agent = NULL;
	struct err err = ERR_INIT;

	if (agent_parse(manifest, sizeof manifest - 1, "", &agent, &err))
		agent->state.lifecycle = LIFE_RUNNING;
	return agent;
}

static struct agent **
find(const struct agents *agents, struct span service)
{
	size_t i;

	for (i = 0; i < agents->n; i++)
		if (agents->list[i]->service.len == service.n && !memcmp(agents->list[i]->service.s, service.s, service.n))
			return &agents->list[i];
	return NULL;
}

/* A declared agent that needs no start is there as long as the gateway is. */
static void
set_first_state(struct agent *agent)
{
	bool runs = agent->enabled && (agent->origin == ORIGIN_COMMAND || agent->chat_mode == CHAT_ECHO);

	agent->state.lifecycle = runs ? LIFE_RUNNING : LIFE_REGISTERED;
	agent->state.health = runs ? HEALTH_HEALTHY : HEALTH_UNKNOWN;
	agent->state.since_ms = agent->created_ms;
}

static bool
load_file(struct agents *agents, const char *path, struct err *err)
{
	struct buf text = BUF_INIT;
	struct agent *agent;
	const struct agent *other;
	bool ok = buf_read_file(&text, path, MANIFEST_MAX, err) && agent_parse(text.s, text.len, path, &agent, err);

	buf_release(&text);
	if (!ok) {
		err->status = STATUS_CONFIG;
		return err_prefix(err, "unable to use '%s'", path);
	}
	other = agents_by_service(agents, span_of(&agent->service));
	agent->created_ms = agent->updated_ms = clock_wall_ms();
	set_first_state(agent);
	if (other)
		ok = err_set(
		    err, STATUS_CONFIG, "unable to use '%s': '%s' has the serviceId '%s' already", path, other->path.s, agent->service.s);
	else if (!agents_put(agents, agent))
		ok = err_set(err, STATUS_CONFIG, "unable to use '%s': more than %d agents", path, AGENTS_MAX);
	if (!ok)
		agent_unref(agent);
	return ok;
}

bool
agents_put(struct agents *agents, struct agent *agent)
{
	struct agent **at = find(agents, span_of(&agent->service));

	if (at) {
		struct agent_state fresh = agent->state;

		/* what it was doing it goes on doing; only the words about it are new */
		agent->created_ms = (*at)->created_ms;
		agent->state = (*at)->state;
		(*at)->state = fresh;
		agent_unref(*at);
		*at = agent;
		return true;
	}
	if (agents->n == AGENTS_MAX)
		return false;
	agents->list = xgrow(agents->list, agents->n, sizeof *agents->list);
	agents->list[agents->n++] = agent;
	return true;
}

void
agents_remove(struct agents *agents, struct span service)
{
	struct agent **at = find(agents, service);

	if (!at)
		return;
	agent_unref(*at);
	memmove(at, at + 1, (size_t)(agents->list + agents->n - (at + 1)) * sizeof *at);
	agents->n--;
}

struct agent_state *
agents_state(struct agents *agents, struct span service)
{
	struct agent **at = find(agents, service);

	return at ? &(*at)->state : NULL;
}

static int
is_manifest(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > 5 && entry->d_name[0] != '.' && !strcmp(entry->d_name + n - 5, ".json");
}

struct agents *
agents_load(const char *dir, void (*problem)(const struct err *err, void *payload), void *payload, struct err *err)
{
	struct agents *agents = xcalloc(1, sizeof *agents);
	struct dirent **names;
	struct buf path = BUF_INIT;
	struct err why = ERR_INIT;
	int n = scandir(dir, &names, is_manifest, alphasort), i;

	if (n < 0) {
		err_errno(err, STATUS_CONFIG, "unable to read the agents in '%s'", dir);
		free(agents);
		return NULL;
	}
	agents->of_threads = make_of_threads();
	for (i = 0; i < n; i++) {
		buf_reset(&path);
		buf_addf(&path, "%s/%s", dir, names[i]->d_name);
		if (!load_file(agents, path.s, &why))
			problem(&why, payload);
		free(names[i]);
	}
	free(names);
	buf_release(&path);
	return agents;
}

size_t
agents_count(const struct agents *agents)
{
	return agents->n;
}

const struct agent *
agents_at(const struct agents *agents, size_t i)
{
	return agents->list[i];
}

const struct agent *
agents_by_service(const struct agents *agents, struct span service)
{
	struct agent **at = find(agents, service);

	if (!at && service.n == strlen(AGENT_THREADS) && !memcmp(service.s, AGENT_THREADS, service.n))
		return agents->of_threads;
	return at ? *at : NULL;
}

static bool
same_name(const struct buf *name, struct span want)
{
	return name->len == want.n && want.n && !strncasecmp(name->s, want.s, want.n);
}

/* One that runs is preferred. */
const struct agent *
agents_by_name(const struct agents *agents, struct span want)
{
	const struct agent *found = NULL;
	size_t i;

	for (i = 0; i < agents->n; i++) {
		const struct agent *agent = agents->list[i];

		if (!agent->is_agent ||
		    !(same_name(&agent->agent_id, want) || same_name(&agent->name, want) || same_name(&agent->module, want)))
			continue;
		if (agent->state.lifecycle == LIFE_RUNNING)
			return agent;
		if (!found)
			found = agent;
	}
	return found;
}

/* ---- words */

const char *
lifecycle_text(enum lifecycle lifecycle)
{
	static const char *const texts[] = { [LIFE_REGISTERED] = "REGISTERED",
		[LIFE_STARTING] = "STARTING",
		[LIFE_RUNNING] = "RUNNING",
		[LIFE_STOPPING] = "STOPPING",
		[LIFE_STOPPED] = "STOPPED",
		[LIFE_CRASHED] = "CRASHED",
		[LIFE_QUARANTINED] = "QUARANTINED" };
	_Static_assert(ARRAY_LEN(texts) == LIFE_COUNT, "a word for each");

	return texts[lifecycle];
}

const char *
health_text(enum health health)
{
	static const char *const texts[] = { [HEALTH_UNKNOWN] = "UNKNOWN", [HEALTH_HEALTHY] = "HEALTHY", [HEALTH_DEGRADED] = "DEGRADED" };
	_Static_assert(ARRAY_LEN(texts) == HEALTH_COUNT, "a word for each");

	return texts[health];
}

const char *
agent_origin_text(const struct agent *agent)
{
	static const char *const texts[] = { [ORIGIN_LOCAL_WASM] = "local_wasm",
		[ORIGIN_REMOTE_MCP] = "remote_mcp",
		[ORIGIN_COMMAND] = "command",
		[ORIGIN_RUNTIME] = "runtime" };

	return texts[agent->origin];
}

int64_t
agent_uptime_s(const struct agent *agent, int64_t now_ms)
{
	return agent->state.lifecycle == LIFE_RUNNING && now_ms > agent->state.since_ms ? (now_ms - agent->state.since_ms) / 1000 : 0;
}

bool
agent_allows_tool(const struct agent *agent, const char *tool)
{
	struct span manifest = { agent->manifest.s, agent->manifest.len }, spec, origin, tools, item;
	size_t pos = 0;
	bool any = false;

	if (!jtext_get(manifest, "spec", &spec) || !jtext_get(spec, "origin", &origin) || !jtext_get(origin, "allowedTools", &tools))
		return true;
	for (; jtext_each(tools, &pos, NULL, &item); any = true)
		if (jtext_is_string(item, tool))
			return true;
	return !any;
}

/* ---- the registry item (contract section 6.1) */

static void
add_value(struct buf *to, const char *key, struct span value)
{
	buf_addf(to, "%s\"%s\":", to->s[to->len - 1] == '{' || to->s[to->len - 1] == '[' ? "" : ",", key);
	jtext_compact(to, value);
}

static void
add_lists(struct buf *to, struct span declared)
{
	static const char *const lists[] = { "inputs", "outputs", "dependsOn", "handoffTargets", "allowedMcpTools", "allowedLlmProviders",
		"llmProviders" };
	struct span value;
	size_t i;

	for (i = 0; i < ARRAY_LEN(lists); i++)
		add_value(to, lists[i], jtext_get(declared, lists[i], &value) ? value : (struct span){ "[]", 2 });
}

static void
add_chat(struct buf *to, struct span declared)
{
	static const char *const members[] = { "mode", "provider", "handlerTool", "model", "apiKeyEnv", "timeoutMs", "historyEnabled",
		"historyMaxTurns", "historyMaxChars" };
	struct buf chat = BUF_INIT;
	struct span given, value;
	size_t i;

	if (!jtext_get(declared, "chat", &given))
		return;
	buf_addch(&chat, '{');
	for (i = 0; i < ARRAY_LEN(members); i++)
		if (jtext_get(given, members[i], &value) || (i == 2 && jtext_get(given, "handler_tool", &value)))
			add_value(&chat, members[i], value);
	buf_addch(&chat, '}');
	if (chat.len > 2)
		jtext_add_raw(to, "chat", chat.s, chat.len);
	buf_release(&chat);
}

static void
add_timer(struct buf *to, struct span declared)
{
	struct span timer, schedules, item, value;
	size_t pos = 0;

	if (!jtext_get(declared, "timer", &timer) || !jtext_get(timer, "schedules", &schedules))
		return;
	buf_addstr(to, ",\"timer\":{\"schedules\":[");
	while (jtext_each(schedules, &pos, NULL, &item)) {
		if (to->s[to->len - 1] == '}')
			buf_addch(to, ',');
		buf_addch(to, '{');
		if (jtext_get(item, "scheduleId", &value) || jtext_get(item, "id", &value))
			add_value(to, "scheduleId", value);
		if (jtext_get(item, "scheduleExpr", &value) || jtext_get(item, "expr", &value))
			add_value(to, "scheduleExpr", value);
		if (jtext_get(item, "enabled", &value))
			add_value(to, "enabled", value);
		buf_addch(to, '}');
	}
	buf_addch(to, ']');
	if (jtext_get(timer, "serial", &value))
		add_value(to, "serial", value);
	if (jtext_get(timer, "handlerTool", &value))
		add_value(to, "handlerTool", value);
	buf_addch(to, '}');
}

static void
add_a2a(struct buf *to, const struct agent *agent, struct span declared)
{
	static const char all[] = "[\"handoff.request\",\"handoff.accepted\",\"handoff.rejected\",\"handoff.completed\"]";
	struct span a2a, value, every = { all, sizeof all - 1 };

	if (!(agent->triggers & TRIGGER_A2A) || !jtext_get(declared, "a2a", &a2a)) {
		buf_addstr(to, ",\"a2a\":{\"enabled\":false,\"compliant\":false}");
		return;
	}
	jtext_get(a2a, "protocol", &value);
	buf_addf(to, ",\"a2a\":{\"enabled\":true,\"compliant\":%s", jtext_is_string(value, "clarity.a2a.v1") ? "true" : "false");
	add_value(to, "protocol", value);
	buf_addstr(to, ",\"ingestPath\":\"/api/a2a/messages\"");
	add_value(to, "acceptedMessageKinds", jtext_get(a2a, "acceptedMessageKinds", &value) ? value : every);
	add_value(to, "emitsMessageKinds", jtext_get(a2a, "emitsMessageKinds", &value) ? value : every);
	if (jtext_get(a2a, "maxPayloadBytes", &value))
		add_value(to, "maxPayloadBytes", value);
	buf_addch(to, '}');
}

static void
add_agent(struct buf *to, const struct agent *agent, struct span metadata)
{
	struct span declared, value;

	jtext_get(metadata, "agent", &declared);
	buf_addstr(to, ",\"agent\":{");
	jtext_add_buf(to, "agentId", &agent->agent_id);
	jtext_add_buf(to, "name", &agent->name);
	jtext_add_buf(to, "role", &agent->role);
	jtext_add_buf(to, "objective", &agent->objective);
	jtext_get(declared, "triggers", &value);
	add_value(to, "triggers", value);
	if (jtext_get(declared, "hitl", &value))
		add_value(to, "hitl", value);
	add_lists(to, declared);
	if (jtext_get(declared, "version", &value) && jtext_type(value) == JTEXT_STRING)
		add_value(to, "version", value);
	add_chat(to, declared);
	add_timer(to, declared);
	add_a2a(to, agent, declared);
	buf_addch(to, '}');
}

static int64_t
count(struct span snapshot, const char *key)
{
	struct span list, item;
	size_t pos = 0;
	int64_t n = 0;

	if (jtext_get(snapshot, key, &list))
		while (jtext_each(list, &pos, NULL, &item))
			n++;
	return n;
}

void
agent_add_interface_counts(const struct agent *agent, struct buf *to)
{
	struct span snapshot = { agent->state.interface.s, agent->state.interface.len }, value;

	if (!snapshot.n) {
		jtext_add_null(to, "interface");
		return;
	}
	jtext_add_raw(to, "interface", "{", 1);
	if (jtext_get(snapshot, "interfaceRevision", &value))
		add_value(to, "interfaceRevision", value);
	if (jtext_get(snapshot, "introspectedAt", &value))
		add_value(to, "introspectedAt", value);
	jtext_add_i64(to, "tools", count(snapshot, "tools"));
	jtext_add_i64(to, "resources", count(snapshot, "resources"));
	jtext_add_i64(to, "prompts", count(snapshot, "prompts"));
	buf_addch(to, '}');
}

void
agent_item(const struct agent *agent, int64_t now_ms, struct buf *to)
{
	struct span manifest = { agent->manifest.s, agent->manifest.len }, metadata, spec, value;

	jtext_get(manifest, "metadata", &metadata);
	jtext_get(manifest, "spec", &spec);
	buf_addch(to, '{');
	jtext_add_buf(to, "serviceId", &agent->service);
	jtext_add_filled(to, "displayName", &agent->display_name);
	jtext_add_buf(to, "sourceFile", &agent->source_file);
	jtext_add_buf(to, "module", &agent->module);
	jtext_add_text(to, "serviceType", agent->is_agent ? "agent" : "mcp");
	jtext_add_text(to, "originType", agent_origin_text(agent));
	jtext_add_text(to, "lifecycle", lifecycle_text(agent->state.lifecycle));
	jtext_add_text(to, "health", health_text(agent->state.health));
	jtext_add_bool(to, "enabled", agent->enabled);
	jtext_add_bool(to, "autostart", agent->autostart);
	jtext_add_i64(to, "uptimeSeconds", agent_uptime_s(agent, now_ms));
	jtext_add_i64(to, "restartCount", agent->state.restarts);
	jtext_add_time(to, "createdAt", agent->created_ms);
	jtext_add_time(to, "updatedAt", agent->updated_ms);
	jtext_get(spec, "restartPolicy", &value);
	buf_addstr(to, ",\"policy\":{");
	add_value(to, "restart", value);
	buf_addch(to, '}');
	agent_add_interface_counts(agent, to);
	if (jtext_get(metadata, "agent", &value))
		add_agent(to, agent, metadata);
	buf_addch(to, '}');
}
