/* sse.c - parse a text/event-stream body */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "err.h"
#include "num.h"
#include "sse.h"
#include "status.h"
#include "xalloc.h"

struct sse {
	sse_event_cb *event;
	sse_comment_cb *comment;
	void *payload;
	struct buf line; /* the part of a line that came so far */
	struct buf data, type, id;
	int retry_ms;
	bool has_data, after_cr, begun, stopped;
};

struct sse *
sse_new(sse_event_cb *event, sse_comment_cb *comment, void *payload)
{
	struct sse *sse = xcalloc(1, sizeof *sse);

	sse->event = event;
	sse->comment = comment;
	sse->payload = payload;
	sse->retry_ms = -1;
	buf_init(&sse->line);
	buf_init(&sse->data);
	buf_init(&sse->type);
	buf_init(&sse->id);
	return sse;
}

void
sse_free(struct sse *sse)
{
	if (!sse)
		return;
	buf_release(&sse->line);
	buf_release(&sse->data);
	buf_release(&sse->type);
	buf_release(&sse->id);
	free(sse);
}

static void
dispatch(struct sse *sse)
{
	struct sse_event event;

	if (sse->has_data) {
		event.id = sse->id.s;
		event.type = sse->type.len ? sse->type.s : "message";
		event.data = sse->data.s;
		event.data_len = sse->data.len;
		event.retry_ms = sse->retry_ms;
		if (!sse->event(&event, sse->payload))
			sse->stopped = true;
	}
	/* a single huge event must not keep its memory for the life of the stream */
	if (sse->data.cap > 1024 * 1024)
		buf_release(&sse->data);
	buf_reset(&sse->data);
	buf_reset(&sse->type);
	sse->has_data = false;
}

static bool
is_field(const char *name, size_t n, const char *want)
{
	return n == strlen(want) && !memcmp(name, want, n);
}

static bool
take_field(struct sse *sse, const char *s, size_t n, struct err *err)
{
	const char *colon = memchr(s, ':', n);
	size_t name_len = colon ? (size_t)(colon - s) : n, value_len;
	const char *value = colon ? colon + 1 : s + n;
	uint64_t retry;

	value_len = (size_t)(s + n - value);
	if (value_len && *value == ' ') {
		value++;
		value_len--;
	}
	if (!name_len && colon) {
		if (sse->comment)
			sse->comment(value, value_len, sse->payload);
	} else if (is_field(s, name_len, "data")) {
		if (sse->has_data)
			buf_addch(&sse->data, '\n');
		if (sse->data.len + value_len > SSE_EVENT_MAX)
			return err_set(err, STATUS_PROTOCOL, "an event of the stream is longer than %u bytes", SSE_EVENT_MAX);
		buf_add(&sse->data, value, value_len);
		sse->has_data = true;
	} else if (is_field(s, name_len, "event")) {
		buf_reset(&sse->type);
		buf_add(&sse->type, value, value_len);
	} else if (is_field(s, name_len, "id")) {
		if (!memchr(value, '\0', value_len)) {
			buf_reset(&sse->id);
			buf_add(&sse->id, value, value_len);
		}
	} else if (is_field(s, name_len, "retry")) {
		if (num_u64(value, value_len, &retry) && retry <= 24 * 3600 * 1000)
			sse->retry_ms = (int)retry;
	}
	return true;
}

static bool
take_line(struct sse *sse, const char *s, size_t n, struct err *err)
{
	if (!sse->begun) {
		sse->begun = true;
		if (n >= 3 && !memcmp(s, "\xef\xbb\xbf", 3)) {
			s += 3;
			n -= 3;
		}
	}
	if (n)
		return take_field(sse, s, n, err);
	dispatch(sse);
	return true;
}

/* The first CR or LF. */
static const char *
line_end(const char *s, size_t n)
{
	const char *lf = memchr(s, '\n', n), *cr = memchr(s, '\r', lf ? (size_t)(lf - s) : n);

	return cr ? cr : lf;
}

bool
sse_feed(struct sse *sse, const char *bytes, size_t n, struct err *err)
{
	const char *s = bytes, *end = bytes + n;

	while (s < end && !sse->stopped) {
		const char *eol;
		bool ok;

		if (sse->after_cr) {
			sse->after_cr = false;
			if (*s == '\n') {
				s++;
				continue;
			}
		}
		eol = line_end(s, (size_t)(end - s));
		if (sse->line.len + (size_t)((eol ? eol : end) - s) > SSE_EVENT_MAX + SSE_LINE_EXTRA)
			return err_set(err, STATUS_PROTOCOL, "a line of the stream is longer than %u bytes", SSE_EVENT_MAX);
		if (!eol) {
			buf_add(&sse->line, s, (size_t)(end - s));
			break;
		}
		sse->after_cr = *eol == '\r';
		if (!sse->line.len)
			ok = take_line(sse, s, (size_t)(eol - s), err);
		else {
			buf_add(&sse->line, s, (size_t)(eol - s));
			ok = take_line(sse, sse->line.s, sse->line.len, err);
			if (sse->line.cap > 1024 * 1024)
				buf_release(&sse->line);
			buf_reset(&sse->line);
		}
		if (!ok)
			return false;
		s = eol + 1;
	}
	return true;
}

bool
sse_cut(const struct sse *sse)
{
	return sse->line.len || sse->has_data;
}
