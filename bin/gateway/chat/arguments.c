/* arguments.c - what a handler is given (Clarity contract section 9), and what its answer says */
#include "compat.h"

#include <string.h>

#include "agents/agents.h"
#include "blank.h"
#include "chat/internal.h"
#include "chat/sanitize.h"
#include "clock.h"
#include "err.h"
#include "utf8.h"

/* The named list of the manifest's agent, [] without. */
static void
add_list(const struct job *job, const char *key, struct buf *to)
{
	struct span manifest = { job->handler->manifest.s, job->handler->manifest.len }, metadata, agent, list;

	if (jtext_get(manifest, "metadata", &metadata) && jtext_get(metadata, "agent", &agent) && jtext_get(agent, key, &list))
		jtext_add_raw(to, key, list.s, list.n);
	else
		jtext_add_raw(to, key, "[]", 2);
}

static void
add_history(const struct job *job, struct buf *to)
{
	buf_addstr(to, ",\"history\":{");
	jtext_add_i64(to, "totalMessages", (int64_t)job->history.total);
	jtext_add_i64(to, "usedMessages", (int64_t)job->history.used);
	jtext_add_bool(to, "truncated", job->history.truncated);
	jtext_add_i64(to, "maxTurns", job->handler->history_max_turns);
	jtext_add_i64(to, "maxChars", job->handler->history_max_chars);
	buf_addch(to, '}');
}

/* Documents that the run's trigger brought: the first non-empty array; bare strings become {"content":...}. */
static void
add_retrieval(const struct job *job, struct buf *to)
{
	static const char *const names[] = { "retrieval", "rag", "context", "retrievalItems", "retrievedDocuments" };
	struct span context = { job->trigger_context.s, job->trigger_context.len }, list = SPAN_NONE, item;
	size_t pos = 0, i, count = 0;

	for (i = 0; context.n && i < ARRAY_LEN(names) && !list.s; i++)
		if (jtext_get(context, names[i], &item) && jtext_type(item) == JTEXT_ARRAY &&
		    jtext_each(item, &pos, NULL, &(struct span){ 0 }))
			list = item;
	buf_addstr(to, ",\"retrieval\":{\"items\":[");
	for (pos = 0; list.s && jtext_each(list, &pos, NULL, &item); count++) {
		if (count)
			buf_addch(to, ',');
		if (jtext_type(item) == JTEXT_STRING) {
			buf_addstr(to, "{\"content\":");
			buf_add(to, item.s, item.n);
			buf_addch(to, '}');
		} else
			jtext_compact(to, item);
	}
	buf_addch(to, ']');
	jtext_add_i64(to, "count", (int64_t)count);
	buf_addch(to, '}');
}

static void
add_context(const struct job *job, struct buf *to)
{
	const struct agent *agent = job->handler;
	int64_t left = agent->history_max_chars - (int64_t)job->history.chars;

	buf_addstr(to, ",\"context\":{\"version\":\"context.v1\",\"task\":{");
	jtext_add_buf(to, "runId", &job->run);
	jtext_add_buf(to, "sessionId", &job->session);
	jtext_add_buf(to, "serviceId", &job->service);
	jtext_add_buf(to, "agent", job->agent.len ? &job->agent : &agent->agent_id);
	jtext_add_buf(to, "objective", &agent->objective);
	jtext_add_buf(to, "role", &agent->role);
	buf_addstr(to, "},\"instructions\":{");
	add_list(job, "allowedMcpTools", to);
	add_list(job, "allowedLlmProviders", to);
	buf_addstr(to, "},\"userContext\":{");
	jtext_add_buf(to, "latestMessage", &job->text);
	jtext_add_filled(to, "trigger", &job->trigger);
	if (job->trigger_context.len)
		jtext_add_raw(to, "triggerContext", job->trigger_context.s, job->trigger_context.len);
	buf_addch(to, '}');
	add_retrieval(job, to);
	buf_addstr(to, ",\"conversation\":{");
	jtext_add_raw(to, "messages", job->history.messages.s, job->history.messages.len);
	jtext_add_i64(to, "totalMessages", (int64_t)job->history.total);
	jtext_add_bool(to, "truncated", job->history.truncated);
	buf_addch(to, '}');
	jtext_add_raw(
	    to, "runtimeState", job->status_json.len ? job->status_json.s : "{}", job->status_json.len ? job->status_json.len : 2);
	buf_addstr(to, ",\"policy\":{");
	jtext_add_text(to, "mode", job_mode(job));
	jtext_add_text(to, "strategy", "agent_tool");
	jtext_add_buf(to, "handlerTool", &agent->handler_tool);
	jtext_add_bool(to, "historyEnabled", agent->history_enabled);
	jtext_add_i64(to, "historyMaxTurns", agent->history_max_turns);
	jtext_add_i64(to, "historyMaxChars", agent->history_max_chars);
	buf_addstr(to, "},\"budget\":{");
	jtext_add_i64(to, "historyCharsUsed", (int64_t)job->history.chars);
	jtext_add_i64(to, "historyCharsMax", agent->history_max_chars);
	jtext_add_i64(to, "historyCharsRemaining", left > 0 ? left : 0);
	buf_addstr(to, "},\"provenance\":{");
	jtext_add_time(to, "generatedAt", clock_wall_ms());
	jtext_add_text(to, "source", "runtime_hitl_executor");
	buf_addstr(to, "}}");
}

void
arguments_make(const struct job *job, struct buf *to)
{
	buf_addch(to, '{');
	jtext_add_buf(to, "message", &job->text);
	jtext_add_buf(to, "sessionId", &job->session);
	jtext_add_buf(to, "runId", &job->run);
	jtext_add_raw(to, "messages", job->history.messages.s, job->history.messages.len);
	add_history(job, to);
	jtext_add_text(to, "contextVersion", "context.v1");
	add_context(job, to);
	buf_addstr(to, "}\n");
}

/* ---- the answer */

static bool
is_filled(const struct buf *text)
{
	const char *s = text->s;
	size_t n = text->len;

	blank_trim(&s, &n, BLANK_JS);
	return n > 0;
}

bool
arguments_text(struct span answer, struct buf *ret)
{
	static const char *const names[] = { "reply", "message", "text", "output_text" };
	struct span content, item;
	size_t i, pos = 0;

	if (jtext_type(answer) == JTEXT_STRING)
		return jtext_string(answer, ret) && is_filled(ret);
	for (i = 0; i < ARRAY_LEN(names); i++) {
		buf_reset(ret);
		if (jtext_get_string(answer, names[i], ret) && is_filled(ret))
			return true;
	}
	if (!jtext_get(answer, "content", &content) || jtext_type(content) != JTEXT_ARRAY)
		return false;
	while (jtext_each(content, &pos, NULL, &item)) {
		buf_reset(ret);
		if (jtext_get_string(item, "text", ret) && is_filled(ret))
			return true;
	}
	return false;
}

bool
arguments_reply(const struct job *job, const struct buf *output, struct buf *ret)
{
	struct err err = ERR_INIT;
	struct span answer, error;
	size_t n = output->len;
	const char *end;

	/* the first line is the answer; what a chatty program says after it is not */
	end = memchr(output->s, '\n', n);
	if (end)
		n = (size_t)(end - output->s);
	if (!n || !jtext_check(output->s, n, true, &answer, &err)) {
		buf_reset(ret);
		if (n)
			buf_addf(ret, "the agent's answer is %s", err.text);
		else
			buf_addf(ret, "agent chat tool returned no reply text: %s", job->handler->handler_tool.s);
		return false;
	}
	buf_reset(ret);
	if (jtext_get(answer, "error", &error) && jtext_string(error, ret) && is_filled(ret))
		return false;
	if (arguments_text(answer, ret))
		return true;
	buf_reset(ret);
	buf_addf(ret, "agent chat tool returned no reply text: %s", job->handler->handler_tool.s);
	return false;
}

/* The first of these members that is there, be it of use or not; then the first text of content. */
static bool
find_remote_text(struct span result, struct buf *ret)
{
	static const char *const names[] = { "reply", "message", "text", "output_text" };
	struct span value, content, item, inner;
	size_t i, pos = 0;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (jtext_get(result, names[i], &value) && jtext_type(value) != JTEXT_NULL) {
			if (jtext_string(value, ret) && is_filled(ret))
				return true;
			break;
		}
	buf_reset(ret);
	if (!jtext_get(result, "content", &content) || jtext_type(content) != JTEXT_ARRAY)
		return false;
	while (jtext_each(content, &pos, NULL, &item)) {
		struct buf reply = BUF_INIT;

		buf_reset(ret);
		if (!jtext_get_string(item, "text", ret) || !is_filled(ret))
			continue;
		/* a reply that was made a JSON text on its way */
		if (jtext_check(ret->s, ret->len, true, &inner, NULL) && jtext_get_string(inner, "reply", &reply) && is_filled(&reply)) {
			buf_reset(ret);
			buf_add(ret, reply.s, reply.len);
		}
		buf_release(&reply);
		return true;
	}
	return false;
}

bool
arguments_remote_reply(const struct job *job, struct span result, struct buf *ret)
{
	struct span value;
	bool found;

	buf_reset(ret);
	found = jtext_type(result) == JTEXT_STRING ? jtext_string(result, ret) && is_filled(ret) : find_remote_text(result, ret);
	if (jtext_get(result, "isError", &value) && jtext_type(value) == JTEXT_TRUE) {
		if (!found)
			buf_addf(ret, "the tool failed: %s", job->handler->handler_tool.s);
		return false;
	}
	if (found)
		return true;
	buf_reset(ret);
	buf_addf(ret, "agent chat tool returned no reply text: %s", job->handler->handler_tool.s);
	return false;
}
