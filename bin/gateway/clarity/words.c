/* words.c - what a thread says, in a run's words: pure
 *
 * A run whose agent is a runtime is a thread too, and a thread can be followed as a run. What was stored in the thread's vocabulary is
 * given to the run's readers as agent.* events with the same seq.
 */
#include "compat.h"

#include <string.h>

#include "clarity/internal.h"
#include "store/store.h"

static bool
is_kind(const struct entry *event, const char *kind)
{
	return event->kind.n == strlen(kind) && !memcmp(event->kind.s, kind, event->kind.n);
}

/* {"runId","turnId"? */
static void
begin(const struct entry *event, struct buf *data)
{
	buf_addch(data, '{');
	jtext_add_string(data, "runId", event->stream.s, event->stream.n);
	if (event->turn.s)
		jtext_add_string(data, "turnId", event->turn.s, event->turn.n);
}

/* The members of the payload, but those that begin() gives. */
static void
add_members(struct span payload, struct buf *data)
{
	struct span key, value;
	size_t pos = 0;

	while (jtext_each(payload, &pos, &key, &value)) {
		if (jtext_is_string(key, "runId") || jtext_is_string(key, "turnId"))
			continue;
		buf_addch(data, ',');
		buf_add(data, key.s, key.n);
		buf_addch(data, ':');
		buf_add(data, value.s, value.n);
	}
}

static void
add_said(const struct entry *event, const char *role, struct span from, const char *key, struct words *ret)
{
	struct buf text = BUF_INIT;

	(void)jtext_get_string(from, key, &text);
	begin(event, &ret->data);
	jtext_add_text(&ret->data, "role", role);
	jtext_add_buf(&ret->data, "message", &text);
	buf_release(&text);
}

/* What of an item is worth a line: the command, the paths, the tool. */
static void
name_item(struct span item, struct buf *to)
{
	static const char *const names[] = { "command", "tool", "query", "path", "text" };
	struct span changes, change;
	size_t pos = 0, i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (jtext_get_string(item, names[i], to) && to->len)
			return;
	if (!jtext_get(item, "changes", &changes) || jtext_type(changes) != JTEXT_ARRAY)
		return;
	while (jtext_each(changes, &pos, NULL, &change)) {
		if (to->len)
			buf_addstr(to, ", ");
		(void)jtext_get_string(change, "path", to);
	}
}

static void
say_item(const struct entry *event, bool started, struct words *ret)
{
	static const char *const acts[] = { "commandExecution", "fileChange", "mcpToolCall", "dynamicToolCall", "webSearch" };
	struct buf type = BUF_INIT, what = BUF_INIT, status = BUF_INIT;
	struct span item = SPAN_NONE;
	bool acted = false;
	size_t i;

	(void)jtext_get_string(event->data, "type", &type);
	if (jtext_get(event->data, "item", &item)) {
		name_item(item, &what);
		(void)jtext_get_string(item, "status", &status);
	}
	for (i = 0; i < ARRAY_LEN(acts); i++)
		acted |= !strcmp(type.s, acts[i]);
	ret->kind = started ? acted ? "agent.tool_called" : "agent.item_started" : "agent.item_completed";
	begin(event, &ret->data);
	if (started && acted)
		jtext_add_buf(&ret->data, "tool", &type);
	add_members(event->data, &ret->data);
	buf_addf(&ret->message, "%s%s%s", type.s, what.len ? ": " : "", what.s);
	if (!started && status.len && strcmp(status.s, "completed") != 0)
		buf_addf(&ret->message, " (%s)", status.s);
	buf_release(&type);
	buf_release(&what);
	buf_release(&status);
}

static void
say_approval(const struct entry *event, bool requested, struct words *ret)
{
	struct buf kind = BUF_INIT, text = BUF_INIT, how = BUF_INIT;
	struct span params = SPAN_NONE;

	ret->kind = requested ? "agent.approval_requested" : "agent.approval_resolved";
	if (requested)
		ret->level = LEVEL_WARN;
	begin(event, &ret->data);
	add_members(event->data, &ret->data);
	(void)jtext_get_string(event->data, "kind", &kind);
	if (jtext_get(event->data, "params", &params) && !jtext_get_string(params, "command", &text))
		(void)jtext_get_string(params, "reason", &text);
	if (requested)
		buf_addf(&ret->message, "Approval requested (%s)%s%s", kind.s, text.len ? ": " : "", text.s);
	else {
		(void)jtext_get_string(event->data, "resolution", &how);
		buf_reset(&text);
		(void)jtext_get_string(event->data, "decision", &text);
		buf_addf(&ret->message, "Approval %s%s%s", how.len ? how.s : "resolved", text.len ? ": " : "", text.s);
	}
	buf_release(&kind);
	buf_release(&text);
	buf_release(&how);
}

/* The end of a turn: its answer, or why there is none. */
static void
say_end(const struct entry *event, struct words *ret)
{
	struct span output = SPAN_NONE, error = SPAN_NONE;
	struct buf text = BUF_INIT;

	if (jtext_get(event->data, "output", &output) && jtext_type(output) == JTEXT_OBJECT) {
		ret->kind = "agent.chat.assistant_message";
		add_said(event, "assistant", output, "text", ret);
		buf_addstr(&ret->message, "Assistant message emitted");
		return;
	}
	ret->kind = "agent.step_completed";
	ret->level = LEVEL_ERROR;
	if (!jtext_get(event->data, "error", &error) || !jtext_get_string(error, "message", &text))
		(void)jtext_get_string(event->data, "status", &text);
	begin(event, &ret->data);
	if (event->turn.s)
		jtext_add_string(&ret->data, "stepId", event->turn.s, event->turn.n);
	jtext_add_buf(&ret->data, "error", &text);
	buf_addstr(&ret->message, "Turn failed");
	buf_release(&text);
}

static void
say_word(const struct entry *event, struct words *ret)
{
	struct buf text = BUF_INIT;

	begin(event, &ret->data);
	if (is_kind(event, "agent.waiting")) {
		ret->kind = "agent.waiting";
		buf_addstr(&ret->message, "Awaiting next operator input");
		add_members(event->data, &ret->data);
	} else if (is_kind(event, "error")) {
		ret->kind = "agent.runtime_error";
		ret->level = LEVEL_WARN;
		(void)jtext_get_string(event->data, "message", &text);
		buf_addf(&ret->message, "Runtime trouble: %s", text.s);
		add_members(event->data, &ret->data);
	} else if (is_kind(event, "thread.started")) {
		ret->kind = "agent.run_created";
		buf_addstr(&ret->message, "Thread started");
		jtext_add_text(&ret->data, "trigger", "api");
		add_members(event->data, &ret->data);
	} else {
		ret->kind = "agent.thread_event";
		buf_add(&ret->message, event->kind.s, event->kind.n);
		jtext_add_string(&ret->data, "method", event->kind.s, event->kind.n);
		if (event->service.s)
			jtext_add_string(&ret->data, "uploadedBy", event->service.s, event->service.n);
		jtext_add_raw(&ret->data, "payload", event->data.s ? event->data.s : "{}", event->data.s ? event->data.n : 2);
	}
	buf_release(&text);
}

void
words_of_thread(const struct entry *event, struct words *ret)
{
	bool ours = !event->service.s; /* what others have sent up is told as such */

	buf_init(&ret->message);
	buf_init(&ret->data);
	ret->level = event->level;
	if (ours && is_kind(event, "turn.started")) {
		ret->kind = "agent.chat.user_message";
		add_said(event, "user", event->data, "text", ret);
		buf_addstr(&ret->message, "user chat message received");
	} else if (ours && is_kind(event, DELTA_KIND)) {
		ret->kind = "agent.chat.delta";
		add_said(event, "assistant", event->data, "text", ret);
		buf_addstr(&ret->message, "Assistant message goes on");
	} else if (ours && (is_kind(event, "item.started") || is_kind(event, "item.completed")))
		say_item(event, is_kind(event, "item.started"), ret);
	else if (ours && (is_kind(event, "approval.requested") || is_kind(event, "approval.resolved")))
		say_approval(event, is_kind(event, "approval.requested"), ret);
	else if (ours && is_kind(event, "turn.completed"))
		say_end(event, ret);
	else
		say_word(event, ret);
	buf_addch(&ret->data, '}');
	buf_addf(&ret->message, " (%.*s)", (int)event->stream.n, event->stream.s);
}

void
words_release(struct words *words)
{
	buf_release(&words->message);
	buf_release(&words->data);
}
