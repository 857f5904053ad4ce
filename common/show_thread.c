/* show_thread.c - the thread side as text: turns, their pieces, approvals */
#include "compat.h"

#include <string.h>

#include "event.h"
#include "show_internal.h"
#include "utf8.h"

/* "[time] WHO", coloured; what follows is up to the caller. */
static void
begin(struct show *show, struct span record, const char *color, const char *who, struct buf *to)
{
	show_end(show, to);
	show_stamp(show, record, to);
	show_color(show, color, to);
	buf_addstr(to, who);
	show_color(show, PLAIN, to);
}

static void
add_what(const struct show *show, const struct buf *text, struct buf *to)
{
	if (text->len) {
		buf_addstr(to, ": ");
		show_text(show, text, to);
	}
	buf_addch(to, '\n');
}

static void
agent_line(struct show *show, struct span record, struct span data, const char *what, const struct buf *text, struct buf *to)
{
	struct buf who = BUF_INIT, safe = BUF_INIT;

	show_who(show, data, &who);
	show_name(show, &who, &safe);
	if (what)
		buf_addf(&safe, " (%s)", what);
	begin(show, record, what ? DIM : CYAN, safe.s, to);
	add_what(show, text, to);
	buf_release(&who);
	buf_release(&safe);
}

/* ---- deltas stream onto one line */

void
show_delta(struct show *show, const struct event_view *view, const struct buf *text, const char *speaker, struct buf *to)
{
	struct buf turn = BUF_INIT, who = BUF_INIT;

	if (!jtext_get_string(view->whole, "turnId", &turn))
		(void)jtext_get_string(view->data, "turnId", &turn);
	if (!show->in_delta || turn.len != show->delta_turn.len || memcmp(turn.s, show->delta_turn.s, turn.len)) {
		show_end(show, to);
		if (*speaker && !show->agent)
			buf_addstr(&who, speaker);
		else
			show_who(show, view->data, &who);
		show_stamp(show, view->whole, to);
		show_color(show, CYAN, to);
		show_name(show, &who, to);
		show_color(show, PLAIN, to);
		buf_addstr(to, ": ");
		buf_reset(&show->delta_turn);
		buf_add(&show->delta_turn, turn.s, turn.len);
	}
	if (show->raw)
		buf_add(to, text->s, text->len);
	else
		utf8_safe(to, text->s, text->len, UTF8_SAFE_TEXT);
	show->in_delta = true;
	buf_release(&turn);
	buf_release(&who);
}

/* ---- the end of a turn: data has status, output and error, as the turn itself has */

static void
show_failure(struct show *show, struct span record, struct span data, struct buf *to)
{
	struct buf text = BUF_INIT, code = BUF_INIT;
	struct span error;

	if (jtext_get(data, "error", &error)) {
		(void)FIRST_TEXT(error, &text, "message");
		if (jtext_get_string(error, "code", &code))
			buf_addf(&text, "%s(%s)", text.len ? " " : "", code.s);
	}
	begin(show, record, RED, "turn failed", to);
	add_what(show, &text, to);
	buf_release(&text);
	buf_release(&code);
}

static void
show_turn_end(struct show *show, struct span record, struct span data, struct buf *to)
{
	struct buf text = BUF_INIT, turn = BUF_INIT;
	struct span status = SPAN_NONE, output;

	show_end(show, to);
	(void)jtext_get(data, "status", &status);
	if (status.s && jtext_is_string(status, "interrupted")) {
		begin(show, record, RED, "turn interrupted\n", to);
	} else if (!status.s || !jtext_is_string(status, "completed")) {
		show_failure(show, record, data, to);
	} else if (jtext_get(data, "output", &output) && FIRST_TEXT(output, &text, "text")) {
		/* once is enough: its pieces have been shown */
		(void)jtext_get_string(record, "turnId", &turn);
		if (!show->delta_turn.len || turn.len != show->delta_turn.len || memcmp(turn.s, show->delta_turn.s, turn.len))
			agent_line(show, record, data, NULL, &text, to);
	}
	buf_release(&text);
	buf_release(&turn);
}

/* ---- what a runtime does beside talking */

static void
add_paths(struct span item, struct buf *to)
{
	struct span changes, change;
	struct buf path = BUF_INIT;
	size_t pos = 0;

	if (jtext_get(item, "changes", &changes) && jtext_type(changes) == JTEXT_ARRAY)
		while (jtext_each(changes, &pos, NULL, &change)) {
			buf_reset(&path);
			if (!jtext_get_string(change, "path", &path))
				continue;
			if (to->len)
				buf_addstr(to, ", ");
			buf_add(to, path.s, path.len);
		}
	buf_release(&path);
}

static void
show_command(struct show *show, const struct event_view *view, struct span item, bool completed, struct buf *to)
{
	struct buf text = BUF_INIT, status = BUF_INIT, what = BUF_INIT, safe = BUF_INIT;
	struct span code = SPAN_NONE;
	bool bad;

	(void)FIRST_TEXT(item, &text, "command");
	(void)jtext_get_string(item, "status", &status);
	(void)jtext_get(item, "exitCode", &code);
	bad = completed &&
	    (strcmp(status.s, "completed") || (code.s && jtext_type(code) == JTEXT_NUMBER && !(code.n == 1 && *code.s == '0')));
	if (!completed)
		agent_line(show, view->whole, view->data, "command", &text, to);
	else if (bad) {
		show_name(show, &status, &safe);
		buf_addf(&what, "command %s", safe.len ? safe.s : "failed");
		if (code.s && jtext_type(code) == JTEXT_NUMBER)
			buf_addf(&what, ", exit %.*s", (int)code.n, code.s);
		agent_line(show, view->whole, view->data, what.s, &text, to);
	}
	buf_release(&text);
	buf_release(&status);
	buf_release(&what);
	buf_release(&safe);
}

static void
show_thread_item(struct show *show, const struct event_view *view, bool completed, struct buf *to)
{
	struct buf text = BUF_INIT;
	struct span item, type;

	if (!view->data.s || !jtext_get(view->data, "item", &item) || !jtext_get(item, "type", &type))
		return;
	if (jtext_is_string(type, "commandExecution"))
		show_command(show, view, item, completed, to);
	else if (jtext_is_string(type, "fileChange") && completed) {
		add_paths(item, &text);
		agent_line(show, view->whole, view->data, "files", &text, to);
	}
	buf_release(&text);
}

/* ---- approvals: an object as the server lists them, or the payload of an event */

static void
show_approval(struct show *show, struct span record, struct span approval, struct buf *to)
{
	struct buf text = BUF_INIT, kind = BUF_INIT, id = BUF_INIT, head = BUF_INIT;
	struct span status = SPAN_NONE, params = SPAN_NONE;
	bool open = !jtext_get(approval, "status", &status) || !jtext_is_string(status, "resolved");

	(void)jtext_get_string(approval, "kind", &kind);
	(void)jtext_get_string(approval, "approvalId", &id);
	(void)jtext_get(approval, "params", &params);
	buf_addstr(&head, "approval ");
	show_name(show, &id, &head);
	if (open && !FIRST_TEXT(params, &text, "command", "reason", "message"))
		(void)FIRST_TEXT(approval, &text, "reason");
	if (!open)
		(void)FIRST_TEXT(approval, &text, "decision");
	if (kind.len) {
		buf_addstr(&head, " (");
		show_name(show, &kind, &head);
		buf_addch(&head, ')');
	}
	begin(show, record, open ? RED : DIM, head.s, to);
	add_what(show, &text, to);
	buf_release(&text);
	buf_release(&kind);
	buf_release(&id);
	buf_release(&head);
}

/* ---- events */

/* What the item, or the end of the turn, has once more. */
static bool
is_piece(const char *method)
{
	static const char *const pieces[] = { "item.output", "item.reasoning", "item.plan", "turn.usage", "turn.diff" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(pieces); i++)
		if (!strcmp(method, pieces[i]))
			return true;
	return false;
}

static void
show_plan(struct show *show, const struct event_view *view, struct buf *to)
{
	struct buf text = BUF_INIT, step = BUF_INIT;
	struct span plan, key, one, status;
	size_t pos = 0;

	if (view->data.s && jtext_get(view->data, "plan", &plan) && jtext_type(plan) == JTEXT_ARRAY)
		while (jtext_each(plan, &pos, &key, &one)) {
			buf_reset(&step);
			if (!jtext_get_string(one, "step", &step))
				continue;
			buf_addstr(&text, text.len ? "\n" : "");
			buf_addstr(&text,
			    !jtext_get(one, "status", &status)		? ""
				: jtext_is_string(status, "completed")	? "[x] "
				: jtext_is_string(status, "inProgress") ? "[>] "
									: "[ ] ");
			buf_add(&text, step.s, step.len);
		}
	begin(show, view->whole, DIM, "plan", to);
	add_what(show, &text, to);
	buf_release(&text);
	buf_release(&step);
}

static void
show_other_event(struct show *show, const struct event_view *view, struct buf *to)
{
	struct buf text = BUF_INIT, name = BUF_INIT;
	struct span error;

	if (view->data.s && jtext_get(view->data, "error", &error) && jtext_type(error) == JTEXT_OBJECT)
		(void)FIRST_TEXT(error, &text, "message");
	if (!text.len)
		(void)FIRST_TEXT(view->data, &text, "text", "message", "status", "reason", "executionMode", "decision");
	show_name(show, &view->kind, &name);
	begin(show, view->whole, !strcmp(view->kind.s, "error") ? RED : DIM, name.s, to);
	add_what(show, &text, to);
	buf_release(&text);
	buf_release(&name);
}

void
show_thread_event(struct show *show, const struct event_view *view, struct buf *to)
{
	const char *method = view->kind.s;
	struct buf text = BUF_INIT;

	if (!strcmp(method, "item.delta")) {
		if (view->data.s && (jtext_get_string(view->data, "text", &text) || jtext_get_string(view->data, "delta", &text)))
			show_delta(show, view, &text, "", to);
	} else if (!strcmp(method, "turn.started")) {
		(void)FIRST_TEXT(view->data, &text, "text", "input");
		begin(show, view->whole, GREEN, "you", to);
		add_what(show, &text, to);
	} else if (!strcmp(method, "turn.completed"))
		show_turn_end(show, view->whole, view->data.s ? view->data : view->whole, to);
	else if (!strcmp(method, "item.started") || !strcmp(method, "item.completed"))
		show_thread_item(show, view, method[5] == 'c', to);
	else if (!strcmp(method, "turn.plan"))
		show_plan(show, view, to);
	else if (is_piece(method))
		;
	else if (!strncmp(method, "approval.", 9) && view->data.s)
		show_approval(show, view->whole, view->data, to);
	else if (strncmp(method, "runtime.", 8) && strcmp(method, "thread.started")) /* what nobody asked for */
		show_other_event(show, view, to);
	buf_release(&text);
}

/* ---- records */

static void
show_turn(struct show *show, struct span turn, struct buf *to)
{
	struct buf text = BUF_INIT;
	struct span input, status;

	if (jtext_get(turn, "input", &input))
		(void)FIRST_TEXT(input, &text, "text");
	begin(show, turn, GREEN, "you", to);
	add_what(show, &text, to);
	buf_reset(&text);
	if (jtext_get(turn, "status", &status) && jtext_is_string(status, "inProgress")) {
		buf_addstr(&text, "in progress");
		agent_line(show, turn, turn, "turn", &text, to);
	} else
		show_turn_end(show, turn, turn, to);
	buf_release(&text);
}

bool
show_thread_record(struct show *show, struct span record, struct buf *to)
{
	struct buf id = BUF_INIT;
	struct span value;
	bool known = true;

	if (jtext_get(record, "approvalId", &value) && jtext_type(value) == JTEXT_STRING)
		show_approval(show, record, record, to);
	else if (jtext_get(record, "turnId", &value) && jtext_get(record, "input", &value))
		show_turn(show, record, to);
	else if (jtext_get_string(record, "threadId", &id) && jtext_get(record, "executionMode", &value)) {
		show_name(show, &id, to);
		show_pair(show, "status", record, "status", to);
		show_pair(show, "mode", record, "executionMode", to);
		show_pair(show, "workspace", record, "workspaceSlug", to);
		show_pair(show, "title", record, "title", to);
		show_pair(show, "updated", record, "updatedAt", to);
		buf_addch(to, '\n');
	} else
		known = false;
	buf_release(&id);
	return known;
}
