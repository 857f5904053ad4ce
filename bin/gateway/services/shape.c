/* shape.c - what services look like on the wire, and as documents in the store */
#include "compat.h"

#include "agents/agents.h"
#include "services/internal.h"

/* The member as it is in the manifest; false when it has none. */
static bool
add_member(struct buf *to, struct span object, const char *key)
{
	struct span value;

	if (!jtext_get(object, key, &value))
		return false;
	jtext_add_raw(to, key, value.s, value.n);
	return true;
}

static void
add_policy(const struct agent *agent, struct span spec, struct buf *to)
{
	struct span origin, restart;

	jtext_get(spec, "origin", &origin);
	jtext_get(spec, "restartPolicy", &restart);
	jtext_add_raw(to, "policy", "{", 1);
	jtext_add_raw(to, "restart", restart.s, restart.n);
	if (agent->origin != ORIGIN_REMOTE_MCP)
		jtext_add_null(to, "remote");
	else {
		jtext_add_raw(to, "remote", "{", 1);
		add_member(to, origin, "timeoutMs");
		if (!add_member(to, origin, "allowedTools"))
			jtext_add_raw(to, "allowedTools", "[]", 2);
		add_member(to, origin, "maxPayloadBytes");
		add_member(to, origin, "maxConcurrency");
		buf_addch(to, '}');
	}
	buf_addch(to, '}');
}

void
service_summary(const struct agent *agent, int64_t now_ms, struct buf *to)
{
	struct span manifest = { agent->manifest.s, agent->manifest.len }, metadata, spec;

	jtext_get(manifest, "metadata", &metadata);
	jtext_get(manifest, "spec", &spec);
	buf_addch(to, '{');
	jtext_add_buf(to, "serviceId", &agent->service);
	jtext_add_filled(to, "displayName", &agent->display_name);
	jtext_add_buf(to, "sourceFile", &agent->source_file);
	jtext_add_buf(to, "module", &agent->module);
	jtext_add_text(to, "serviceType", agent->is_agent ? "agent" : "mcp");
	if (!agent->is_agent || !add_member(to, metadata, "agent"))
		jtext_add_null(to, "agent");
	jtext_add_text(to, "originType", agent_origin_text(agent));
	jtext_add_text(to, "lifecycle", lifecycle_text(agent->state.lifecycle));
	jtext_add_text(to, "health", health_text(agent->state.health));
	jtext_add_i64(to, "uptimeSeconds", agent_uptime_s(agent, now_ms));
	jtext_add_i64(to, "restartCount", agent->state.restarts);
	add_policy(agent, spec, to);
	agent_add_interface_counts(agent, to);
	buf_addch(to, '}');
}

static void
add_runtime(const struct agent *agent, int64_t now_ms, struct buf *to)
{
	jtext_add_raw(to, "runtime", "{", 1);
	jtext_add_text(to, "lifecycle", lifecycle_text(agent->state.lifecycle));
	jtext_add_text(to, "health", health_text(agent->state.health));
	jtext_add_bool(to, "enabled", agent->enabled);
	jtext_add_bool(to, "autostart", agent->autostart);
	jtext_add_i64(to, "uptimeSeconds", agent_uptime_s(agent, now_ms));
	jtext_add_i64(to, "restartCount", agent->state.restarts);
	jtext_add_filled(to, "lastError", &agent->state.last_error);
	if (agent->state.heartbeat_ms)
		jtext_add_time(to, "lastHeartbeatAt", agent->state.heartbeat_ms);
	buf_addch(to, '}');
}

/* The manifest with the times of its registration among its metadata. */
static void
add_manifest(const struct agent *agent, struct buf *to)
{
	struct span manifest = { agent->manifest.s, agent->manifest.len }, metadata, name, value;
	struct buf inner = BUF_INIT;
	size_t pos = 0;

	jtext_get(manifest, "metadata", &metadata);
	/* ours count: a manifest that names its own times has been somewhere else */
	buf_addch(&inner, '{');
	jtext_add_others(&inner, metadata, (const char *const[]){ "createdAt", "updatedAt", NULL });
	jtext_add_time(&inner, "createdAt", agent->created_ms);
	jtext_add_time(&inner, "updatedAt", agent->updated_ms);
	buf_addch(&inner, '}');
	jtext_add_raw(to, "manifest", "{", 1);
	for (pos = 0; jtext_each(manifest, &pos, &name, &value);) {
		if (to->s[to->len - 1] != '{')
			buf_addch(to, ',');
		buf_add(to, name.s, name.n);
		buf_addch(to, ':');
		if (jtext_is_string(name, "metadata"))
			buf_add(to, inner.s, inner.len);
		else
			buf_add(to, value.s, value.n);
	}
	buf_addch(to, '}');
	buf_release(&inner);
}

void
service_record(const struct agent *agent, int64_t now_ms, struct buf *to)
{
	buf_addch(to, '{');
	add_manifest(agent, to);
	add_runtime(agent, now_ms, to);
	if (agent->state.interface.len)
		jtext_add_raw(to, "interfaceSnapshot", agent->state.interface.s, agent->state.interface.len);
	buf_addch(to, '}');
}

void
service_interface(const struct agent *agent, struct buf *to)
{
	static const char none[] = "\"interfaceRevision\":null,\"introspectedAt\":null,\"tools\":[],\"resources\":[],\"prompts\":[]";

	if (agent->state.interface.len > 2)
		buf_add(to, agent->state.interface.s + 1, agent->state.interface.len - 2);
	else
		buf_addstr(to, none);
}

/* ---- documents: "service/ID" is a manifest that was applied, "state/ID" what a service is doing */

void
service_save(const struct agent *agent, struct buf *doc)
{
	buf_addch(doc, '{');
	jtext_add_i64(doc, "created", agent->created_ms);
	jtext_add_i64(doc, "updated", agent->updated_ms);
	jtext_add_raw(doc, "manifest", agent->manifest.s, agent->manifest.len);
	buf_addch(doc, '}');
}

bool
service_load(const struct buf *doc, struct agent **ret, struct err *err)
{
	struct span value, manifest;

	if (!jtext_check(doc->s, doc->len, false, &value, err) || !jtext_get(value, "manifest", &manifest) ||
	    !agent_parse(manifest.s, manifest.n, "", ret, err))
		return false;
	jtext_get_i64(value, "created", &(*ret)->created_ms);
	jtext_get_i64(value, "updated", &(*ret)->updated_ms);
	return true;
}

void
state_save(const struct agent_state *state, struct buf *doc)
{
	buf_addch(doc, '{');
	jtext_add_text(doc, "lifecycle", lifecycle_text(state->lifecycle));
	jtext_add_text(doc, "health", health_text(state->health));
	jtext_add_i64(doc, "restarts", state->restarts);
	jtext_add_i64(doc, "heartbeat", state->heartbeat_ms);
	jtext_add_filled(doc, "lastError", &state->last_error);
	if (state->interface.len)
		jtext_add_raw(doc, "interface", state->interface.s, state->interface.len);
	buf_addch(doc, '}');
}

/* What is not understood stays as it was. */
void
state_load(const struct buf *doc, struct agent_state *state)
{
	struct span whole, value;
	int i;

	if (!jtext_check(doc->s, doc->len, false, &whole, NULL))
		return;
	if (jtext_get(whole, "lifecycle", &value))
		for (i = 0; i < LIFE_COUNT; i++)
			if (jtext_is_string(value, lifecycle_text((enum lifecycle)i)))
				state->lifecycle = (enum lifecycle)i;
	if (jtext_get(whole, "health", &value))
		for (i = 0; i < HEALTH_COUNT; i++)
			if (jtext_is_string(value, health_text((enum health)i)))
				state->health = (enum health)i;
	jtext_get_i64(whole, "restarts", &state->restarts);
	jtext_get_i64(whole, "heartbeat", &state->heartbeat_ms);
	buf_reset(&state->last_error);
	(void)jtext_get_string(whole, "lastError", &state->last_error);
	buf_reset(&state->interface);
	if (jtext_get(whole, "interface", &value))
		jtext_compact(&state->interface, value);
}
