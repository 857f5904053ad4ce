/* manifest.c - a manifest that is right, read into a struct agent */
#include "compat.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agents/internal.h"
#include "err.h"
#include "program.h"
#include "sha256.h"
#include "status.h"
#include "xalloc.h"

static void
read_triggers(struct agent *agent, struct span declared)
{
	static const struct {
		const char *name;
		unsigned bit;
	} names[] = { { "timer", TRIGGER_TIMER }, { "event", TRIGGER_EVENT }, { "api", TRIGGER_API }, { "a2a", TRIGGER_A2A } };
	struct span triggers, item;
	size_t pos = 0, i;

	jtext_get(declared, "triggers", &triggers);
	while (jtext_each(triggers, &pos, NULL, &item)) {
		if (agent->triggers_text.len)
			buf_addstr(&agent->triggers_text, ", ");
		jtext_string(item, &agent->triggers_text);
		for (i = 0; i < ARRAY_LEN(names); i++)
			if (jtext_is_string(item, names[i].name))
				agent->triggers |= names[i].bit;
	}
}

static void
read_chat(struct agent *agent, struct span declared)
{
	struct span chat, value;
	int64_t n;

	agent->history_enabled = true;
	agent->history_max_turns = 24;
	agent->history_max_chars = 12000;
	if (!jtext_get(declared, "chat", &chat))
		return;
	if (jtext_get(chat, "mode", &value)) {
		agent->chat_mode_set = true;
		agent->chat_mode = jtext_is_string(value, "echo") ? CHAT_ECHO
		    : jtext_is_string(value, "disabled")	  ? CHAT_DISABLED
								  : CHAT_AUTO;
	}
	if (!jtext_get_string(chat, "handlerTool", &agent->handler_tool))
		(void)jtext_get_string(chat, "handler_tool", &agent->handler_tool);
	if (jtext_get(chat, "historyEnabled", &value))
		agent->history_enabled = jtext_type(value) == JTEXT_TRUE;
	if (jtext_get_i64(chat, "historyMaxTurns", &n))
		agent->history_max_turns = (int)n;
	if (jtext_get_i64(chat, "historyMaxChars", &n))
		agent->history_max_chars = (int)n;
	if (jtext_get_i64(chat, "timeoutMs", &n))
		agent->timeout_ms = n;
}

/* A relative program with a slash, or directory, is meant from the manifest's own directory; absolute, because the program may be started
 * in another. */
static void
add_place(struct buf *to, const char *manifest_path, const char *place)
{
	const char *slash = strrchr(manifest_path, '/');
	char here[PATH_MAX];

	if (place[0] != '/' && manifest_path[0] != '/' && getcwd(here, sizeof here))
		buf_addf(to, "%s/", here);
	if (place[0] != '/' && slash)
		buf_add(to, manifest_path, (size_t)(slash - manifest_path) + 1);
	buf_addstr(to, place);
}

/* A runtime of this package, by its name alone. False: there is none of that name. */
static bool
own_runtime(const char *name, struct buf *to)
{
	if (strchr(name, '/') || strncmp(name, "agent-", 6) != 0)
		return false;
	program_libexec(name, to);
	if (access(to->s, X_OK) == 0)
		return true;
	buf_reset(to);
	return false;
}

static void
read_argv(struct agent *agent, struct span argv)
{
	struct span item;
	struct buf text = BUF_INIT, place = BUF_INIT;
	size_t pos = 0, n = 0;

	agent->argv = xcalloc(AGENT_ARGV_MAX + 1, sizeof *agent->argv);
	while (jtext_each(argv, &pos, NULL, &item)) {
		buf_reset(&text);
		buf_reset(&place);
		jtext_string(item, &text);
		if (!n && strchr(text.s, '/'))
			add_place(&place, agent->path.s, text.s);
		else if (n || agent->origin != ORIGIN_RUNTIME || !own_runtime(text.s, &place))
			buf_add(&place, text.s, text.len);
		agent->argv[n++] = buf_detach(&place, NULL);
	}
	buf_release(&text);
	buf_release(&place);
}

static void
read_place(const struct agent *agent, struct span origin, const char *key, struct buf *to)
{
	struct buf text = BUF_INIT;

	if (jtext_get_string(origin, key, &text))
		add_place(to, agent->path.s, text.s);
	buf_release(&text);
}

static void
read_runtime(struct agent *agent, struct span origin)
{
	struct agent_runtime *runtime = &agent->runtime;
	struct span value;

	if (jtext_get(origin, "command", &value))
		read_argv(agent, value);
	read_place(agent, origin, "workingDirectory", &agent->directory);
	read_place(agent, origin, "cwd", &runtime->cwd);
	(void)jtext_get_string(origin, "model", &runtime->model);
	(void)jtext_get_string(origin, "systemPrompt", &runtime->system);
	(void)jtext_get_string(origin, "effort", &runtime->effort);
	(void)jtext_get_string(origin, "personality", &runtime->personality);
	if (jtext_get(origin, "approvalPolicy", &value) && !jtext_string(value, &runtime->approval_policy))
		jtext_compact(&runtime->approval_policy, value);
	if (jtext_get(origin, "sandbox", &value))
		jtext_compact(&runtime->sandbox, value);
	if (jtext_get(origin, "approvals", &value))
		jtext_compact(&runtime->rules, value);
	if (!jtext_get_string(origin, "workspace", &runtime->workspace))
		buf_addstr(&runtime->workspace, AGENT_WORKSPACE);
	(void)jtext_get_i64(origin, "timeoutMs", &agent->timeout_ms);
}

static void
read_command(struct agent *agent, struct span origin)
{
	struct span item;
	int64_t ms;

	jtext_get(origin, "command", &item);
	read_argv(agent, item);
	read_place(agent, origin, "workingDirectory", &agent->directory);
	agent->timeout_ms = jtext_get_i64(origin, "timeoutMs", &ms) ? ms : agent->timeout_ms ? agent->timeout_ms : AGENT_TIMEOUT_MS;
	(void)jtext_get_i64(origin, "maxConcurrency", &agent->concurrency);
	agent->long_lived = jtext_get(origin, "mode", &item) && jtext_is_string(item, "long-lived");
}

static void
read_remote(struct agent *agent, struct span origin)
{
	struct span value;

	jtext_get_string(origin, "endpoint", &agent->endpoint);
	(void)endpoint_host(agent->endpoint.s, &agent->host);
	(void)jtext_get_string(origin, "authRef", &agent->auth_ref);
	agent->sse = jtext_get(origin, "transport", &value) && jtext_is_string(value, "sse_http");
	(void)jtext_get_i64(origin, "timeoutMs", &agent->remote_timeout_ms);
	(void)jtext_get_i64(origin, "maxPayloadBytes", &agent->payload_max);
	(void)jtext_get_i64(origin, "maxConcurrency", &agent->concurrency);
}

/* The object with one member put in: in the place of the one there is, or last. */
static void
with_member(struct buf *to, struct span object, const char *key, struct span member)
{
	struct span name, value;
	size_t pos = 0;
	bool done = false;

	buf_addch(to, '{');
	while (jtext_each(object, &pos, &name, &value)) {
		bool is_it = jtext_is_string(name, key);

		if (is_it && done)
			continue;
		if (to->s[to->len - 1] != '{')
			buf_addch(to, ',');
		buf_add(to, name.s, name.n);
		buf_addch(to, ':');
		jtext_compact(to, is_it ? member : value);
		done |= is_it;
	}
	if (!done)
		jtext_add_raw(to, key, member.s, member.n);
	buf_addch(to, '}');
}

/* Lower-cased module, what is no letter or digit an underscore. */
static void
make_namespace(const struct agent *agent, struct span spec, struct buf *to)
{
	struct buf text = BUF_INIT;
	size_t i;

	if (!jtext_get_string(spec, "toolNamespace", &text))
		buf_add(&text, agent->module.s, agent->module.len);
	for (i = 0; i < text.len; i++) {
		char c = text.s[i];

		text.s[i] = c >= 'A' && c <= 'Z'				   ? (char)(c + 'a' - 'A')
		    : (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ? c
										   : '_';
	}
	jtext_quote(to, text.s, text.len);
	buf_release(&text);
}

/* The manifest with what was left to be filled in. */
static void
fill_in(struct agent *agent, struct span manifest, struct span metadata, struct span spec)
{
	struct buf value = BUF_INIT, inner = BUF_INIT, half = BUF_INIT;

	jtext_quote(&value, agent->service.s, agent->service.len);
	with_member(&inner, metadata, "serviceId", span_of(&value));
	with_member(&half, manifest, "metadata", span_of(&inner));
	buf_reset(&value);
	buf_reset(&inner);
	make_namespace(agent, spec, &value);
	with_member(&inner, spec, "toolNamespace", span_of(&value));
	with_member(&agent->manifest, span_of(&half), "spec", span_of(&inner));
	buf_release(&value);
	buf_release(&inner);
	buf_release(&half);
}

static void
read_spec(struct agent *agent, struct span spec)
{
	struct span value, restart;

	jtext_get(spec, "enabled", &value);
	agent->enabled = jtext_type(value) == JTEXT_TRUE;
	jtext_get(spec, "autostart", &value);
	agent->autostart = jtext_type(value) == JTEXT_TRUE;
	jtext_get(spec, "restartPolicy", &restart);
	jtext_get(restart, "mode", &value);
	agent->restarts = !jtext_is_string(value, "never");
	jtext_get_i64(restart, "maxRestarts", &agent->max_restarts);
	jtext_get_i64(restart, "windowSeconds", &agent->window_s);
}

/* svc_ and the first 12 hexadecimal digits of SHA-256(sourceFile|module|wasmPath-or-endpoint) */
static void
make_service_id(struct agent *agent, struct span origin)
{
	unsigned char digest[SHA256_BYTES];
	struct span argv, program;
	struct buf text = BUF_INIT;
	size_t pos = 0;
	int i;

	buf_addf(&text, "%s|%s|", agent->source_file.s, agent->module.s);
	if ((agent->origin == ORIGIN_COMMAND || agent->origin == ORIGIN_RUNTIME) && jtext_get(origin, "command", &argv) &&
	    jtext_each(argv, &pos, NULL, &program))
		(void)jtext_string(program, &text); /* as it is written, wherever the manifest lies */
	else
		(void)jtext_get_string(origin, agent->origin == ORIGIN_REMOTE_MCP ? "endpoint" : "wasmPath", &text);
	sha256(text.s, text.len, digest);
	buf_addstr(&agent->service, "svc_");
	for (i = 0; i < 6; i++)
		buf_addf(&agent->service, "%02x", digest[i]);
	buf_release(&text);
}

static void
read_manifest(struct agent *agent, struct span manifest)
{
	struct span metadata, declared, spec, origin, type, value;

	jtext_get(manifest, "metadata", &metadata);
	jtext_get(manifest, "spec", &spec);
	jtext_get(spec, "origin", &origin);
	jtext_get(origin, "type", &type);
	jtext_get_string(metadata, "sourceFile", &agent->source_file);
	jtext_get_string(metadata, "module", &agent->module);
	jtext_get_string(metadata, "displayName", &agent->display_name);
	agent->is_agent = jtext_get(metadata, "serviceType", &value) && jtext_is_string(value, "agent");
	agent->origin = jtext_is_string(type, "command") ? ORIGIN_COMMAND
	    : jtext_is_string(type, "runtime")		 ? ORIGIN_RUNTIME
	    : jtext_is_string(type, "remote_mcp")	 ? ORIGIN_REMOTE_MCP
							 : ORIGIN_LOCAL_WASM;
	if (jtext_get(metadata, "agent", &declared)) {
		jtext_get_string(declared, "agentId", &agent->agent_id);
		jtext_get_string(declared, "name", &agent->name);
		jtext_get_string(declared, "role", &agent->role);
		jtext_get_string(declared, "objective", &agent->objective);
		read_triggers(agent, declared);
		read_chat(agent, declared);
		schedules_read(agent, declared);
	}
	read_spec(agent, spec);
	if (agent->origin == ORIGIN_COMMAND)
		read_command(agent, origin);
	else if (agent->origin == ORIGIN_RUNTIME)
		read_runtime(agent, origin);
	else if (agent->origin == ORIGIN_REMOTE_MCP)
		read_remote(agent, origin);
	else
		(void)jtext_get_string(origin, "wasmPath", &agent->wasm);
	if (!agent->handler_tool.len)
		buf_addstr(&agent->handler_tool, agent->origin == ORIGIN_LOCAL_WASM ? "fn__receive_chat" : "receive_chat");
	if (!jtext_get_string(metadata, "serviceId", &agent->service))
		make_service_id(agent, origin);
	fill_in(agent, manifest, metadata, spec);
}

#define AGENT_TEXTS 29 /* buffers of an agent */

static struct buf *const *
texts_of(struct agent *agent, struct buf *list[AGENT_TEXTS + 1])
{
	size_t n = 0;

	list[n++] = &agent->service;
	list[n++] = &agent->display_name;
	list[n++] = &agent->source_file;
	list[n++] = &agent->module;
	list[n++] = &agent->agent_id;
	list[n++] = &agent->name;
	list[n++] = &agent->role;
	list[n++] = &agent->objective;
	list[n++] = &agent->triggers_text;
	list[n++] = &agent->handler_tool;
	list[n++] = &agent->timer_tool;
	list[n++] = &agent->directory;
	list[n++] = &agent->manifest;
	list[n++] = &agent->path;
	list[n++] = &agent->endpoint;
	list[n++] = &agent->host;
	list[n++] = &agent->auth_ref;
	list[n++] = &agent->wasm;
	list[n++] = &agent->runtime.model;
	list[n++] = &agent->runtime.system;
	list[n++] = &agent->runtime.cwd;
	list[n++] = &agent->runtime.effort;
	list[n++] = &agent->runtime.personality;
	list[n++] = &agent->runtime.approval_policy;
	list[n++] = &agent->runtime.sandbox;
	list[n++] = &agent->runtime.rules;
	list[n++] = &agent->runtime.workspace;
	list[n++] = &agent->state.last_error;
	list[n++] = &agent->state.interface;
	list[n] = NULL;
	return list;
}

bool
agent_parse(const char *json, size_t n, const char *path, struct agent **ret, struct err *err)
{
	struct buf *list[AGENT_TEXTS + 1], *const *text;
	struct agent *agent;
	struct span manifest;

	if (!jtext_check(json, n, true, &manifest, err)) {
		err->status = STATUS_CONFIG;
		return err_prefix(err, "invalid manifest");
	}
	if (!manifest_check(manifest, err))
		return false;
	agent = xcalloc(1, sizeof *agent);
	agent->refs = 1;
	for (text = texts_of(agent, list); *text; text++)
		buf_init(*text);
	buf_addstr(&agent->path, path);
	read_manifest(agent, manifest);
	*ret = agent;
	return true;
}

const struct agent *
agent_ref(const struct agent *agent)
{
	((struct agent *)(uintptr_t)agent)->refs++;
	return agent;
}

static void
agent_free(struct agent *agent)
{
	struct buf *list[AGENT_TEXTS + 1], *const *text;
	size_t i;

	for (text = texts_of(agent, list); *text; text++)
		buf_release(*text);
	schedules_free(agent);
	for (i = 0; agent->argv && agent->argv[i]; i++)
		free(agent->argv[i]);
	free(agent->argv);
	free(agent);
}

void
agent_unref(const struct agent *agent)
{
	struct agent *mine = (struct agent *)(uintptr_t)agent;

	if (mine && !--mine->refs)
		agent_free(mine);
}
