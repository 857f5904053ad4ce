/* event.c - the members of an event record that commands look at */
#include "compat.h"

#include <string.h>

#include "blank.h"
#include "event.h"
#include "status.h"

void
event_view_init(struct event_view *view)
{
	memset(view, 0, sizeof *view);
	buf_init(&view->kind);
	buf_init(&view->run);
}

void
event_view_release(struct event_view *view)
{
	buf_release(&view->kind);
	buf_release(&view->run);
}

/* Kinds and ids are compared as C strings: a NUL must not make "agent.waiting\0x" look like "agent.waiting". */
static void
show_nul(struct buf *buf)
{
	size_t i;

	for (i = 0; i < buf->len; i++)
		if (!buf->s[i])
			buf->s[i] = '?';
}

/* An id may be a number in data: the contract compares the text that it makes. */
static bool
get_id(struct span object, const char *key, struct buf *to)
{
	struct span value;

	if (!jtext_get(object, key, &value) || jtext_type(value) == JTEXT_NULL)
		return false;
	if (!jtext_string(value, to))
		buf_add(to, value.s, value.n);
	return true;
}

bool
event_view_read(struct event_view *view, struct span record)
{
	buf_reset(&view->kind);
	buf_reset(&view->run);
	view->whole = record;
	view->data = SPAN_NONE;
	view->seq = -1;
	if (jtext_type(record) != JTEXT_OBJECT)
		return false;
	if (!jtext_get_i64(record, "seq", &view->seq) && !jtext_get_i64(record, "cursor", &view->seq))
		view->seq = -1;
	if (!jtext_get_string(record, "kind", &view->kind) && !jtext_get_string(record, "method", &view->kind))
		return false;
	if (!jtext_get(record, "data", &view->data) && !jtext_get(record, "payload", &view->data))
		view->data = SPAN_NONE;
	if (!view->data.s || (!get_id(view->data, "runId", &view->run) && !get_id(view->data, "run_id", &view->run)))
		get_id(record, "threadId", &view->run);
	blank_trim_buf(&view->run, BLANK_ASCII);
	show_nul(&view->run);
	show_nul(&view->kind);
	return view->kind.len > 0;
}

int
event_outcome(const char *kind)
{
	if (!strcmp(kind, "agent.run_completed"))
		return STATUS_OK;
	if (!strcmp(kind, "agent.run_failed"))
		return STATUS_FAILED;
	if (!strcmp(kind, "agent.run_cancelled"))
		return STATUS_CANCELLED;
	return -1;
}

bool
event_is_terminal(const char *kind)
{
	return event_outcome(kind) >= 0;
}
