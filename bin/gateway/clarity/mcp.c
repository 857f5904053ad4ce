/* mcp.c - the tools of all remote services behind one Model Context Protocol endpoint (contract section 1)
 *
 * JSON-RPC 2.0 over POST /mcp, answered as plain JSON, without sessions: every request stands for itself. A tool is called NAMESPACE__NAME,
 * after its service's spec.toolNamespace; listed are those that introspection has found of services that run.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "agents/agents.h"
#include "clarity/internal.h"
#include "http/server.h"
#include "log/log.h"
#include "num.h"
#include "services/services.h"
#include "trace.h"
#include "xalloc.h"

#define LIST_BYTES (1024u * 1024) /* of one page of tools/list */

enum code { INVALID_REQUEST = -32600, METHOD_NOT_FOUND = -32601, INVALID_PARAMS = -32602, TOOL_FAILED = -32000 };

/* A call that waits for its tool. */
struct tool_call {
	struct asked *asked;
	struct buf id, name, service, tool; /* tool: the service's own name of it */
};

static void
begin(struct buf *to, struct span id)
{
	buf_addch(to, '{');
	jtext_add_text(to, "jsonrpc", "2.0");
	jtext_add_raw(to, "id", id.n ? id.s : "null", id.n ? id.n : 4);
}

static void
reply_result(struct request *request, struct span id, struct span result)
{
	struct buf answer = BUF_INIT;

	begin(&answer, id);
	jtext_add_raw(&answer, "result", result.s, result.n);
	buf_addch(&answer, '}');
	shape_reply(request, 200, NULL, &answer);
	buf_release(&answer);
}

static void
reply_error(struct request *request, int status, struct span id, enum code code, const char *text)
{
	struct buf answer = BUF_INIT;

	begin(&answer, id);
	jtext_add_raw(&answer, "error", "{", 1);
	jtext_add_i64(&answer, "code", code);
	jtext_add_text(&answer, "message", text);
	buf_addstr(&answer, "}}");
	shape_reply(request, status, NULL, &answer);
	buf_release(&answer);
}

/* ---- what there is */

static void
initialize(struct request *request, struct span id, struct span params)
{
	static const char *const known[] = { "2024-11-05", "2025-03-26", "2025-06-18" };
	struct buf result = BUF_INIT;
	struct span asked;
	const char *version = known[0];
	size_t i;

	for (i = 0; params.s && jtext_get(params, "protocolVersion", &asked) && i < ARRAY_LEN(known); i++)
		if (jtext_is_string(asked, known[i]))
			version = known[i];
	buf_addch(&result, '{');
	jtext_add_text(&result, "protocolVersion", version);
	buf_addstr(&result, ",\"capabilities\":{\"tools\":{}},\"serverInfo\":{");
	jtext_add_text(&result, "name", "agent-gateway");
	jtext_add_text(&result, "version", PACKAGE_VERSION);
	buf_addstr(&result, "}}");
	reply_result(request, id, span_of(&result));
	buf_release(&result);
}

static bool
is_listed(const struct agent *agent)
{
	return agent->origin == ORIGIN_REMOTE_MCP && agent->state.lifecycle == LIFE_RUNNING && agent->state.interface.len;
}

static void
add_namespace(const struct agent *agent, struct buf *to)
{
	struct span manifest = { agent->manifest.s, agent->manifest.len }, spec;

	if (jtext_get(manifest, "spec", &spec))
		(void)jtext_get_string(spec, "toolNamespace", to);
	buf_addstr(to, "__");
}

static void
add_tool(const struct buf *namespace, struct span tool, struct buf *to)
{
	struct buf name = BUF_INIT;

	buf_add(&name, namespace->s, namespace->len);
	if (!jtext_get_string(tool, "name", &name)) {
		buf_release(&name);
		return;
	}
	buf_addstr(to, to->s[to->len - 1] == '[' ? "{" : ",{");
	jtext_add_buf(to, "name", &name);
	jtext_add_others(to, tool, (const char *const[]){ "name", NULL });
	buf_addch(to, '}');
	buf_release(&name);
}

static void
add_tools(const struct agent *agent, struct buf *to)
{
	struct span snapshot = { agent->state.interface.s, agent->state.interface.len }, tools, tool;
	struct buf namespace = BUF_INIT;
	size_t pos = 0;

	add_namespace(agent, &namespace);
	if (jtext_get(snapshot, "tools", &tools))
		while (jtext_each(tools, &pos, NULL, &tool))
			add_tool(&namespace, tool, to);
	buf_release(&namespace);
}

/* Whole services until a page is full; the cursor is the number of the next one. */
static void
list_tools(struct clarity *clarity, struct request *request, struct span id, struct span params)
{
	const struct agents *agents = clarity->settings.agents;
	struct buf result = BUF_INIT, cursor = BUF_INIT;
	uint64_t i = 0;

	if (params.s && jtext_get_string(params, "cursor", &cursor) && !num_u64(cursor.s, cursor.len, &i)) {
		reply_error(request, 200, id, INVALID_PARAMS, "expected cursor to be one of tools/list");
		buf_release(&cursor);
		return;
	}
	buf_addstr(&result, "{\"tools\":[");
	for (; i < agents_count(agents) && result.len < LIST_BYTES; i++)
		if (is_listed(agents_at(agents, (size_t)i)))
			add_tools(agents_at(agents, (size_t)i), &result);
	buf_addch(&result, ']');
	if (i < agents_count(agents))
		buf_addf(&result, ",\"nextCursor\":\"%llu\"", (unsigned long long)i);
	buf_addch(&result, '}');
	reply_result(request, id, span_of(&result));
	buf_release(&result);
	buf_release(&cursor);
}

/* ---- calling */

static bool
apply_called(struct change *change, const void *row, struct change_context *context)
{
	const struct tool_call *call = change->payload;
	struct buf text = BUF_INIT, data = BUF_INIT;

	(void)row;
	if (services_record(call->asked->clarity->settings.services)) {
		buf_addf(&text, "Remote tool called: %s", call->tool.s);
		change_emit(
		    context, STREAM_NONE, "service.tool_called", LEVEL_INFO, SPAN_NONE, span_of(&text), span_of(&call->service), SPAN_NONE);
		buf_reset(&text);
	}
	buf_addf(&text, "MCP tool called: %s", call->name.s);
	buf_addch(&data, '{');
	jtext_add_buf(&data, "tool", &call->name);
	jtext_add_buf(&data, "serviceId", &call->service);
	buf_addch(&data, '}');
	change_emit(
	    context, STREAM_NONE, "mcp.tool_called", LEVEL_INFO, SPAN_NONE, span_of(&text), span_of(&call->service), span_of(&data));
	buf_release(&text);
	buf_release(&data);
	return true;
}

static void
call_free(struct tool_call *call)
{
	asked_free(call->asked);
	buf_release(&call->id);
	buf_release(&call->name);
	buf_release(&call->service);
	buf_release(&call->tool);
	free(call);
}

static void
after_called(struct change *change)
{
	call_free(change->payload);
	change_free(change);
}

static void
after_call(bool ok, struct span result, const char *why, void *payload)
{
	struct tool_call *call = payload;
	struct request *request = call->asked->request;
	struct span id = { call->id.s, call->id.len };
	struct change *change;

	if (!ok) {
		reply_error(request, 200, id, TOOL_FAILED, why);
		call_free(call);
		return;
	}
	reply_result(request, id, result);
	change = change_new(after_called, call);
	change->apply = apply_called;
	log_change(call->asked->clarity->settings.log, change);
}

/* The service whose namespace the name begins with, and the tool's own name in ret. */
static const struct agent *
find_tool(const struct clarity *clarity, const struct buf *name, struct span *ret)
{
	const struct agents *agents = clarity->settings.agents;
	struct buf namespace = BUF_INIT;
	const struct agent *found = NULL;
	size_t i;

	for (i = 0; i < agents_count(agents) && !found; i++) {
		const struct agent *agent = agents_at(agents, i);

		if (agent->origin != ORIGIN_REMOTE_MCP || agent->state.lifecycle != LIFE_RUNNING)
			continue;
		buf_reset(&namespace);
		add_namespace(agent, &namespace);
		if (name->len > namespace.len && !memcmp(name->s, namespace.s, namespace.len)) {
			*ret = (struct span){ name->s + namespace.len, name->len - namespace.len };
			found = agent;
		}
	}
	buf_release(&namespace);
	return found;
}

static void
call_tool(struct clarity *clarity, struct request *request, struct span id, struct span params)
{
	struct tool_call *call = xcalloc(1, sizeof *call);
	struct trace trace = TRACE_NONE;
	struct services_request ask = { .arguments = { "{}", 2 }, .trace = &trace };
	struct buf text = BUF_INIT, run = BUF_INIT;
	const struct agent *agent = NULL;

	call->asked = asked_new(clarity, request, &run);
	buf_init(&call->id);
	buf_init(&call->name);
	buf_init(&call->service);
	buf_init(&call->tool);
	buf_add(&call->id, id.s, id.n);
	if (params.s && jtext_get_string(params, "name", &call->name))
		agent = find_tool(clarity, &call->name, &ask.tool);
	if (!agent) {
		buf_addf(&text, call->name.len ? "unknown tool: %s" : "expected the name of a tool", call->name.s);
		reply_error(request, 200, id, INVALID_PARAMS, text.s);
		call_free(call);
	} else {
		(void)jtext_get(params, "arguments", &ask.arguments);
		buf_add(&call->service, agent->service.s, agent->service.len);
		buf_add(&call->tool, ask.tool.s, ask.tool.n);
		ask.service = span_of(&call->service);
		ask.session = request_header(request, "x-clarity-session-id");
		if (jtext_get_string(params, "runId", &run) || jtext_get_string(params, "run_id", &run))
			ask.run = run.s;
		request_trace(request, &trace);
		services_call(clarity->settings.services, &ask, after_call, call);
		trace_release(&trace);
	}
	buf_release(&text);
	buf_release(&run);
}

/* ---- the door */

static bool
is_message(struct span body, struct span *ret_method, struct span *ret_id)
{
	struct span version;
	enum jtext_type type;

	*ret_id = SPAN_NONE;
	if (jtext_type(body) != JTEXT_OBJECT || !jtext_get(body, "jsonrpc", &version) || !jtext_is_string(version, "2.0") ||
	    !jtext_get(body, "method", ret_method) || jtext_type(*ret_method) != JTEXT_STRING)
		return false;
	if (!jtext_get(body, "id", ret_id))
		return true;
	type = jtext_type(*ret_id);
	return type == JTEXT_STRING || type == JTEXT_NUMBER || type == JTEXT_NULL;
}

void
post_mcp(struct clarity *clarity, struct request *request, const struct buf *run)
{
	struct span given = request_body(request), body, method, id, params = SPAN_NONE;
	struct buf text = BUF_INIT;

	(void)run;
	if (!jtext_check(given.s, given.n, true, &body, NULL) || !is_message(body, &method, &id)) {
		reply_error(request, 400, SPAN_NONE, INVALID_REQUEST, "Invalid Request");
		return;
	}
	(void)jtext_get(body, "params", &params);
	if (!id.s)
		request_reply(request, 202, NULL, NULL, NULL, 0);
	else if (jtext_is_string(method, "initialize"))
		initialize(request, id, params);
	else if (jtext_is_string(method, "ping"))
		reply_result(request, id, (struct span){ "{}", 2 });
	else if (jtext_is_string(method, "tools/list"))
		list_tools(clarity, request, id, params);
	else if (jtext_is_string(method, "tools/call"))
		call_tool(clarity, request, id, params);
	else if (jtext_is_string(method, "resources/list"))
		reply_result(request, id, (struct span){ "{\"resources\":[]}", 16 });
	else if (jtext_is_string(method, "prompts/list"))
		reply_result(request, id, (struct span){ "{\"prompts\":[]}", 14 });
	else {
		buf_addstr(&text, "Method not found: ");
		jtext_string(method, &text);
		reply_error(request, 200, id, METHOD_NOT_FOUND, text.s);
	}
	buf_release(&text);
}
