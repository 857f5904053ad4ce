/* ratelimits.c - what a runtime says of its account's limits */
#include "compat.h"

#include "blank.h"
#include "buf.h"
#include "ratelimits.h"

static void
add_text(struct buf *to, struct span object, const char *key)
{
	struct buf text = BUF_INIT;

	(void)jtext_get_string(object, key, &text);
	blank_trim_buf(&text, BLANK_JS);
	jtext_add_or_null(to, key, &text);
	buf_release(&text);
}

static void
add_number(struct buf *to, struct span object, const char *key, const char *other)
{
	struct buf text = BUF_INIT;
	struct span value;

	if (jtext_get(object, key, &value) && jtext_type(value) == JTEXT_NUMBER)
		buf_add(&text, value.s, value.n);
	else
		buf_addstr(&text, other);
	jtext_add_raw(to, key, text.s, text.len);
	buf_release(&text);
}

static void
add_window(struct buf *to, struct span object, const char *key)
{
	struct buf text = BUF_INIT;
	struct span window;

	if (jtext_get(object, key, &window) && jtext_type(window) == JTEXT_OBJECT) {
		buf_addch(&text, '{');
		add_number(&text, window, "usedPercent", "0");
		add_number(&text, window, "windowDurationMins", "null");
		add_number(&text, window, "resetsAt", "null");
		buf_addch(&text, '}');
	} else
		buf_addstr(&text, "null");
	jtext_add_raw(to, key, text.s, text.len);
	buf_release(&text);
}

static void
add_snapshot(struct buf *to, struct span snapshot)
{
	struct buf credits = BUF_INIT;
	struct span value;

	if (jtext_type(snapshot) != JTEXT_OBJECT) {
		buf_addstr(to, "null");
		return;
	}
	buf_addch(to, '{');
	add_text(to, snapshot, "limitId");
	add_text(to, snapshot, "limitName");
	add_window(to, snapshot, "primary");
	add_window(to, snapshot, "secondary");
	if (jtext_get(snapshot, "credits", &value))
		jtext_compact(&credits, value);
	else
		buf_addstr(&credits, "null");
	jtext_add_raw(to, "credits", credits.s, credits.len);
	add_text(to, snapshot, "planType");
	buf_addch(to, '}');
	buf_release(&credits);
}

static void
add_map(struct buf *to, struct span map)
{
	struct span key, value;
	size_t pos = 0, start = to->len;

	if (jtext_type(map) == JTEXT_OBJECT)
		while (jtext_each(map, &pos, &key, &value)) {
			buf_addch(to, to->len == start ? '{' : ',');
			buf_add(to, key.s, key.n);
			buf_addch(to, ':');
			add_snapshot(to, value);
		}
	buf_addstr(to, to->len == start ? "null" : "}");
}

void
ratelimits_add(struct buf *to, struct span result)
{
	struct span value;

	buf_addstr(to, "{\"rateLimits\":");
	if (jtext_get(result, "rateLimits", &value))
		add_snapshot(to, value);
	else
		buf_addstr(to, "null");
	buf_addstr(to, ",\"rateLimitsByLimitId\":");
	if (jtext_get(result, "rateLimitsByLimitId", &value))
		add_map(to, value);
	else
		buf_addstr(to, "null");
	buf_addch(to, '}');
}
