/* show.c - records as text for people */
#include "compat.h"

#include <string.h>
#include <time.h>

#include "blank.h"
#include "clock.h"
#include "event.h"
#include "show_internal.h"
#include "utf8.h"

void
show_init(struct show *show)
{
	memset(show, 0, sizeof *show);
	buf_init(&show->last_reply);
	buf_init(&show->delta_turn);
	buf_init(&show->delta_run);
	buf_init(&show->delta_text);
	buf_init(&show->last_who);
}

void
show_release(struct show *show)
{
	buf_release(&show->last_reply);
	buf_release(&show->delta_turn);
	buf_release(&show->delta_run);
	buf_release(&show->delta_text);
	buf_release(&show->last_who);
}

void
show_end(struct show *show, struct buf *to)
{
	if (show->in_delta)
		buf_addch(to, '\n');
	show->in_delta = false;
}

/* ---- pieces */

/* The first of the members that is a non-blank string. */
bool
show_first_text(struct span object, const char *const *names, struct buf *to)
{
	for (; object.s && *names; names++) {
		buf_reset(to);
		if (jtext_get_string(object, *names, to) && !blank_only(to->s, to->len, BLANK_JSON))
			return true;
	}
	buf_reset(to);
	return false;
}

void
show_color(const struct show *show, const char *code, struct buf *to)
{
	if (show->color)
		buf_addstr(to, code);
}

/* Foreign text: folded to one line, or with its line breaks kept and the further lines indented. */
void
show_text(const struct show *show, const struct buf *text, struct buf *to)
{
	struct buf shaped = BUF_INIT;
	size_t i, start = 0, end = text->len;

	while (start < end && strchr(" \t\r\n", text->s[start]) && text->s[start])
		start++;
	while (end > start && strchr(" \t\r\n", text->s[end - 1]) && text->s[end - 1])
		end--;
	for (i = start; i < end; i++) {
		char c = text->s[i];
		bool white = c == ' ' || c == '\t' || c == '\n' || c == '\r';

		if (show->fold && white) {
			if (shaped.s[shaped.len ? shaped.len - 1 : 0] != ' ')
				buf_addch(&shaped, ' ');
		} else if (c == '\r' && i + 1 < end && text->s[i + 1] == '\n') {
			continue;
		} else if (c == '\n') {
			buf_addstr(&shaped, show->plain ? "\n" : "\n    ");
		} else
			buf_addch(&shaped, c);
	}
	if (show->raw)
		buf_add(to, shaped.s, shaped.len);
	else
		utf8_safe(to, shaped.s, shaped.len, UTF8_SAFE_TEXT);
	buf_release(&shaped);
}

void
show_name(const struct show *show, const struct buf *name, struct buf *to)
{
	if (show->raw)
		buf_add(to, name->s, name->len);
	else
		utf8_safe(to, name->s, name->len, UTF8_SAFE_LINE);
}

/* "[HH:MM:SS] " of the record's time; the text itself when it is none */
void
show_stamp(const struct show *show, struct span record, struct buf *to)
{
	struct buf at = BUF_INIT;
	int64_t ms;
	time_t seconds;
	struct tm tm;

	if (show->time == SHOW_NO_TIME || show->plain)
		return;
	if (!FIRST_TEXT(record, &at, "at", "createdAt"))
		buf_addstr(&at, "1970-01-01T00:00:00.000Z");
	show_color(show, DIM, to);
	if (clock_parse_iso(at.s, at.len, &ms)) {
		seconds = (time_t)(ms >= 0 ? ms / 1000 : (ms - 999) / 1000);
		if (show->time == SHOW_LOCAL ? localtime_r(&seconds, &tm) : gmtime_r(&seconds, &tm))
			buf_addf(to, "[%02d:%02d:%02d] ", tm.tm_hour, tm.tm_min, tm.tm_sec);
	} else {
		buf_addch(to, '[');
		show_name(show, &at, to);
		buf_addstr(to, "] ");
	}
	show_color(show, PLAIN, to);
	buf_release(&at);
}

void
show_who(const struct show *show, struct span data, struct buf *to)
{
	if (!FIRST_TEXT(data, to, "agent", "agentId", "agent_id"))
		buf_addstr(to, show->agent ? show->agent : "agent");
}

/* ---- events */

static bool
is_mine(const struct show *show, const char *kind)
{
	if (show->plain)
		return !strcmp(kind, "agent.chat.user_message");
	return !strcmp(kind, "agent.hitl_input") || !strcmp(kind, "agent.human_message") || !strcmp(kind, "agent.chat.user_message");
}

static bool
is_bad(struct span record)
{
	struct span level;

	return jtext_get(record, "level", &level) && (jtext_is_string(level, "error") || jtext_is_string(level, "warn"));
}

/* The step that completes says the reply again, and once is enough. A step of the runtime's executor always does (it names its provider:
 * contract section 8); others are compared with the reply before them. */
static bool
repeats_reply(const struct show *show, const struct event_view *view, const struct buf *text)
{
	struct span value;

	if (view->data.s && jtext_get(view->data, "provider", &value) && !is_bad(view->whole))
		return true;
	return show->last_reply.len && text->len == show->last_reply.len && !memcmp(text->s, show->last_reply.s, text->len);
}

static void
find_text(struct show *show, const struct event_view *view, struct buf *text)
{
	bool reply = !strcmp(view->kind.s, "agent.chat.assistant_message");

	if (show->plain ? !FIRST_TEXT(view->data, text, "message", "text")
			: !FIRST_TEXT(view->data, text, "message", "text", "input", "reason", "waitingReason", "error"))
		(void)FIRST_TEXT(view->whole, text, "message");
	if (!strcmp(view->kind.s, "agent.step_completed") && repeats_reply(show, view, text) && !FIRST_TEXT(view->whole, text, "message"))
		buf_addstr(text, "done");
	buf_reset(&show->last_reply);
	if (reply)
		buf_add(&show->last_reply, text->s, text->len);
}

#define DELTAS_MAX (1024u * 1024) /* bytes of one message that are remembered as shown; a longer one is shown twice */

/* A piece of a message that still grows, on an open line. Where each event is one line, it is left to the message. */
static void
show_run_delta(struct show *show, const struct event_view *view, struct buf *to)
{
	struct buf text = BUF_INIT;

	if (show->fold || show->plain || !jtext_get_string(view->data, "message", &text))
		goto out;
	if (view->run.len != show->delta_run.len || memcmp(view->run.s, show->delta_run.s, view->run.len)) {
		buf_reset(&show->delta_run);
		buf_reset(&show->delta_text);
		buf_add(&show->delta_run, view->run.s, view->run.len);
	}
	if (show->delta_text.len + text.len <= DELTAS_MAX)
		buf_add(&show->delta_text, text.s, text.len);
	show_delta(show, view, &text, show->last_who.s, to);
out:
	buf_release(&text);
}

/* Has all of the message been shown, piece by piece? It is forgotten then. */
static bool
was_shown(struct show *show, const struct event_view *view)
{
	struct buf text = BUF_INIT;
	bool shown = show->delta_text.len && view->run.len == show->delta_run.len &&
	    !memcmp(view->run.s, show->delta_run.s, view->run.len) && jtext_get_string(view->data, "message", &text) &&
	    text.len == show->delta_text.len && !memcmp(text.s, show->delta_text.s, text.len);

	buf_release(&text);
	buf_reset(&show->delta_text);
	return shown;
}

static void
show_event(struct show *show, const struct event_view *view, struct buf *to)
{
	const char *kind = view->kind.s;
	struct buf text = BUF_INIT, who = BUF_INIT;

	if (view->data.s && !strcmp(kind, "agent.chat.delta")) {
		show_run_delta(show, view, to);
		return;
	}
	show_end(show, to);
	find_text(show, view, &text);
	if (view->data.s && FIRST_TEXT(view->data, &who, "agent", "agentId", "agent_id")) {
		buf_reset(&show->last_who);
		buf_add(&show->last_who, who.s, who.len);
		buf_reset(&who);
	}
	if (!strcmp(kind, "agent.chat.assistant_message") && was_shown(show, view)) {
		buf_release(&text);
		buf_release(&who);
		return;
	}
	show_who(show, view->data, &who);
	show_stamp(show, view->whole, to);
	if (is_mine(show, kind)) {
		show_color(show, GREEN, to);
		buf_addstr(to, "you");
	} else if (!show->plain && !strcmp(kind, "agent.chat.system_message")) {
		show_color(show, DIM, to);
		buf_addstr(to, "system");
	} else {
		bool reply = !strcmp(kind, "agent.chat.assistant_message");

		show_color(show, is_bad(view->whole) ? RED : reply ? CYAN : DIM, to);
		show_name(show, &who, to);
		if (!reply) {
			buf_addstr(to, " (");
			show_name(show, &view->kind, to);
			buf_addch(to, ')');
		}
	}
	show_color(show, PLAIN, to);
	buf_addstr(to, ": ");
	show_text(show, &text, to);
	buf_addch(to, '\n');
	buf_release(&text);
	buf_release(&who);
}

/* ---- other records */

void
show_pair(const struct show *show, const char *name, struct span object, const char *key, struct buf *to)
{
	struct buf text = BUF_INIT;

	if (jtext_get_string(object, key, &text)) {
		buf_addf(to, "%s%s=", to->len && to->s[to->len - 1] != '\n' ? " " : "", name);
		show_name(show, &text, to);
	}
	buf_release(&text);
}

static void
add_list(const struct show *show, struct span list, struct buf *to)
{
	struct span item;
	struct buf text = BUF_INIT;
	size_t pos = 0;
	bool first = true;

	while (list.s && jtext_type(list) == JTEXT_ARRAY && jtext_each(list, &pos, NULL, &item)) {
		buf_reset(&text);
		if (!jtext_string(item, &text))
			continue;
		if (!first)
			buf_addch(to, ',');
		first = false;
		show_name(show, &text, to);
	}
	if (first)
		buf_addch(to, '-');
	buf_release(&text);
}

/* NAME (AGENTID) service=ID triggers=a,b lifecycle=L health=H (contract section 14.3, item 4) */
static void
show_item(struct show *show, struct span item, struct span agent, struct buf *to)
{
	struct buf text = BUF_INIT;
	struct span triggers = SPAN_NONE;

	if (!FIRST_TEXT(agent, &text, "name") && !FIRST_TEXT(item, &text, "displayName"))
		buf_addch(&text, '-');
	show_name(show, &text, to);
	buf_addstr(to, " (");
	if (!FIRST_TEXT(agent, &text, "agentId"))
		buf_addch(&text, '-');
	show_name(show, &text, to);
	buf_addch(to, ')');
	show_pair(show, "service", item, "serviceId", to);
	buf_addstr(to, " triggers=");
	(void)jtext_get(agent, "triggers", &triggers);
	add_list(show, triggers, to);
	show_pair(show, "lifecycle", item, "lifecycle", to);
	show_pair(show, "health", item, "health", to);
	buf_addch(to, '\n');
	buf_release(&text);
}

static void
show_run(struct show *show, struct span run, struct buf *to)
{
	struct buf text = BUF_INIT;

	jtext_get_string(run, "runId", &text);
	show_name(show, &text, to);
	show_pair(show, "status", run, "status", to);
	show_pair(show, "agent", run, "agent", to);
	show_pair(show, "service", run, "serviceId", to);
	show_pair(show, "reason", run, "waitingReason", to);
	show_pair(show, "failure", run, "failureReason", to);
	show_pair(show, "updated", run, "updatedAt", to);
	buf_addch(to, '\n');
	buf_release(&text);
}

void
show_other(struct show *show, const char *s, size_t n, struct buf *to)
{
	show_end(show, to);
	buf_addstr(to, "?? ");
	if (show->raw)
		buf_add(to, s, n);
	else
		utf8_safe(to, s, n, UTF8_SAFE_LINE);
	buf_addch(to, '\n');
}

void
show_record(struct show *show, struct span record, struct buf *to)
{
	struct event_view view;
	struct span agent, value;
	struct buf compact = BUF_INIT;

	event_view_init(&view);
	/* an approval has a kind, too */
	if (event_view_read(&view, record) && !jtext_get(record, "ok", &value) && !jtext_get(record, "approvalId", &value)) {
		if (jtext_get(record, "method", &value))
			show_thread_event(show, &view, to);
		else
			show_event(show, &view, to);
	} else {
		show_end(show, to);
		if (jtext_get(record, "serviceId", &value) && jtext_get(record, "agent", &agent) && jtext_type(agent) == JTEXT_OBJECT)
			show_item(show, record, agent, to);
		else if (jtext_get(record, "runId", &value) && jtext_type(value) == JTEXT_STRING)
			show_run(show, record, to);
		else if (show_thread_record(show, record, to))
			;
		else {
			jtext_compact(&compact, record);
			show_name(show, &compact, to);
			buf_addch(to, '\n');
		}
	}
	event_view_release(&view);
	buf_release(&compact);
}
