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
};

void
agents_free(struct agents *agents)
{
	size_t i;

	if (!agents)
		return;
	for (i = 0; i < agents->n; i++)
		agent_free(agents->list[i]);
	free(agents->list);
	free(agents);
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
	other = agents_by_service(agents, (struct span){ agent->service.s, agent->service.len });
	if (other)
		ok = err_set(err, STATUS_CONFIG, "unable to use '%s': '%s' has the serviceId '%s' already", path, other->path.s, agent->service.s);
	else if (agents->n == AGENTS_MAX)
		ok = err_set(err, STATUS_CONFIG, "unable to use '%s': more than %d agents", path, AGENTS_MAX);
	if (!ok) {
		agent_free(agent);
		return false;
	}
	agent->created_ms = agent->updated_ms = clock_wall_ms();
	agents->list = xrealloc(agents->list, (agents->n + 1) * sizeof *agents->list);
	agents->list[agents->n++] = agent;
	return true;
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
	size_t i;

	for (i = 0; i < agents->n; i++)
		if (agents->list[i]->service.len == service.n && !memcmp(agents->list[i]->service.s, service.s, service.n))
			return agents->list[i];
	return NULL;
}

static bool
same_name(const struct buf *name, struct span want)
{
	return name->len == want.n && want.n && !strncasecmp(name->s, want.s, want.n);
}

const struct agent *
agents_by_name(const struct agents *agents, struct span want)
{
	size_t i;

	for (i = 0; i < agents->n; i++) {
		const struct agent *agent = agents->list[i];

		if (agent->is_agent && (same_name(&agent->agent_id, want) || same_name(&agent->name, want) || same_name(&agent->module, want)))
			return agent;
	}
	return NULL;
}

/* ---- the registry item (contract section 6.1) */

static void
add_time(struct buf *to, const char *key, int64_t ms)
{
	struct buf text = BUF_INIT;

	clock_add_iso(&text, ms);
	jtext_add_string(to, key, text.s, text.len);
	buf_release(&text);
}

static void
add_buf(struct buf *to, const char *key, const struct buf *text)
{
	jtext_add_string(to, key, text->s, text->len);
}

static void
add_value(struct buf *to, const char *key, struct span value)
{
	buf_addf(to, "%s\"%s\":", to->s[to->len - 1] == '{' || to->s[to->len - 1] == '[' ? "" : ",", key);
	jtext_compact(to, value);
}

static void
add_lists(struct buf *to, struct span declared)
{
	static const char *const lists[] = { "inputs", "outputs", "dependsOn", "handoffTargets", "allowedMcpTools", "allowedLlmProviders", "llmProviders" };
	struct span value;
	size_t i;

	for (i = 0; i < ARRAY_LEN(lists); i++)
		add_value(to, lists[i], jtext_get(declared, lists[i], &value) ? value : (struct span){ "[]", 2 });
}

static void
add_chat(struct buf *to, struct span declared)
{
	static const char *const members[] = { "mode", "provider", "handlerTool", "model", "apiKeyEnv", "timeoutMs", "historyEnabled", "historyMaxTurns", "historyMaxChars" };
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
	add_buf(to, "agentId", &agent->agent_id);
	add_buf(to, "name", &agent->name);
	add_buf(to, "role", &agent->role);
	add_buf(to, "objective", &agent->objective);
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

void
agent_item(const struct agent *agent, int64_t started_ms, int64_t now_ms, struct buf *to)
{
	static const char *const origins[] = { [ORIGIN_LOCAL_WASM] = "local_wasm", [ORIGIN_REMOTE_MCP] = "remote_mcp", [ORIGIN_COMMAND] = "command" };
	struct span manifest = { agent->manifest.s, agent->manifest.len }, metadata, spec, value;
	/* what needs no start is there as long as the gateway is */
	bool runs = agent->origin == ORIGIN_COMMAND || agent->chat_mode == CHAT_ECHO;

	jtext_get(manifest, "metadata", &metadata);
	jtext_get(manifest, "spec", &spec);
	buf_addch(to, '{');
	add_buf(to, "serviceId", &agent->service);
	if (agent->display_name.len)
		add_buf(to, "displayName", &agent->display_name);
	add_buf(to, "sourceFile", &agent->source_file);
	add_buf(to, "module", &agent->module);
	jtext_add_string(to, "serviceType", agent->is_agent ? "agent" : "mcp", agent->is_agent ? 5 : 3);
	jtext_add_string(to, "originType", origins[agent->origin], strlen(origins[agent->origin]));
	jtext_add_string(to, "lifecycle", runs ? "RUNNING" : "REGISTERED", runs ? 7 : 10);
	jtext_add_string(to, "health", runs ? "HEALTHY" : "UNKNOWN", 7);
	jtext_get(spec, "enabled", &value);
	add_value(to, "enabled", value);
	jtext_get(spec, "autostart", &value);
	add_value(to, "autostart", value);
	jtext_add_i64(to, "uptimeSeconds", runs ? (now_ms - started_ms) / 1000 : 0);
	jtext_add_i64(to, "restartCount", 0);
	add_time(to, "createdAt", agent->created_ms);
	add_time(to, "updatedAt", agent->updated_ms);
	jtext_get(spec, "restartPolicy", &value);
	buf_addstr(to, ",\"policy\":{");
	add_value(to, "restart", value);
	buf_addstr(to, "},\"interface\":null");
	if (jtext_get(metadata, "agent", &value))
		add_agent(to, agent, metadata);
	buf_addch(to, '}');
}
