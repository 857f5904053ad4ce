/* shape.c - what things look like on the Clarity wire (contract sections 2 and 4) */
#include "compat.h"

#include <math.h>
#include <string.h>

#include "blank.h"
#include "clarity/internal.h"
#include "clock.h"
#include "hash.h"
#include "http/server.h"
#include "jsnum.h"
#include "num.h"
#include "store/store.h"

#define LIMIT_MAX 2000

static void
add_span(struct buf *to, const char *key, struct span text)
{
	jtext_add_string(to, key, text.s, text.n);
}

/* A thread's event in the run's words. */
static void
shape_thread_event(const struct entry *event, struct buf *to)
{
	struct entry said = *event;
	struct words words;

	words_of_thread(event, &words);
	said.thread = false;
	said.kind = (struct span){ words.kind, strlen(words.kind) };
	said.level = words.level;
	said.service = SPAN_NONE;
	said.message = span_of(&words.message);
	said.data = span_of(&words.data);
	shape_event(&said, to);
	words_release(&words);
}

void
shape_event(const struct entry *event, struct buf *to)
{
	static const char *const levels[] = { [LEVEL_INFO] = "info", [LEVEL_WARN] = "warn", [LEVEL_ERROR] = "error" };

	if (event->thread) {
		shape_thread_event(event, to);
		return;
	}
	buf_reserve(to, event->data.n + event->message.n + 256);
	buf_addstr(to, "{\"seq\":");
	buf_addu64(to, (uint64_t)event->seq);
	buf_addstr(to, ",\"at\":\"");
	clock_add_iso(to, event->at_ms);
	buf_addch(to, '"');
	add_span(to, "kind", event->kind);
	if (event->service.s)
		add_span(to, "serviceId", event->service);
	jtext_add_raw(to, "level",
	    event->level == LEVEL_INFO	     ? "\"info\""
		: event->level == LEVEL_WARN ? "\"warn\""
					     : "\"error\"",
	    strlen(levels[event->level]) + 2);
	add_span(to, "message", event->message);
	if (event->data.s)
		jtext_add_raw(to, "data", event->data.s, event->data.n);
	buf_addch(to, '}');
}

void
shape_reply(struct request *request, int status, const char *const *headers, const struct buf *compact)
{
	struct buf pretty = BUF_INIT;

	jtext_pretty(&pretty, span_of(compact), 0);
	buf_addch(&pretty, '\n');
	request_reply(request, status, "application/json; charset=utf-8", headers, pretty.s, pretty.len);
	buf_release(&pretty);
}

int
shape_limit(const struct request *request, int fallback)
{
	return shape_limit_of(request, "limit", fallback);
}

int
shape_limit_of(const struct request *request, const char *name, int fallback)
{
	struct buf text = BUF_INIT;
	double n = fallback;

	if (request_query(request, name, &text)) {
		n = js_number(text.s, text.len);
		if (!isfinite(n))
			n = fallback;
	}
	buf_release(&text);
	n = floor(n);
	return n < 1 ? 1 : n > LIMIT_MAX ? LIMIT_MAX : (int)n;
}

bool
shape_after(const struct request *request, bool header_too, int64_t *ret)
{
	const char *header = header_too ? request_header(request, "last-event-id") : NULL;
	struct buf text = BUF_INIT;
	bool given = request_query(request, "after", &text);

	/* the header is what a client that lost its connection says by itself: it is the newer one */
	if (header && *header) {
		buf_reset(&text);
		buf_addstr(&text, header);
		given = true;
	}
	if (given && (!num_i64(text.s, text.len, ret) || *ret < 0))
		*ret = -1;
	buf_release(&text);
	return given;
}

uint64_t
shape_print(const struct request *request)
{
	struct span body = request_body(request);
	const char *path = request_path(request);

	return hash_add(hash(path, strlen(path)), body.s, body.n);
}

bool
shape_body(struct request *request, struct span *ret)
{
	struct span body = request_body(request);

	if (blank_only(body.s, body.n, BLANK_JSON))
		*ret = (struct span){ "{}", 2 };
	else if (!jtext_check(body.s, body.n, true, ret, NULL) || jtext_type(*ret) == JTEXT_NULL) {
		request_reply_error(request, 400, NULL, "invalid JSON body");
		return false;
	} else if (jtext_type(*ret) != JTEXT_OBJECT)
		*ret = (struct span){ "{}", 2 };
	return true;
}
