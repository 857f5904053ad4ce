/* jtext_write.c - JSON as text, written */
#include "compat.h"

#include <string.h>

#include "buf.h"
#include "clock.h"
#include "jtext_internal.h"
#include "utf8.h"

static void
quote_plain(struct buf *to, const char *s, size_t n)
{
	char *at = to->s + to->len;

	*at++ = '"';
	if (n)
		memcpy(at, s, n);
	at += n;
	*at++ = '"';
	*at = '\0';
	to->len += n + 2;
}

void
jtext_quote(struct buf *to, const char *s, size_t n)
{
	size_t i = 0, run, len;

	buf_reserve(to, n + 2);
	if (is_plain_ascii(s, n)) {
		quote_plain(to, s, n); /* as most are */
		return;
	}
	buf_addch(to, '"');
	while (i < n) {
		unsigned char ch;

		for (run = i; run < n; run = i) {
			i = plain_run(s, n, run);
			/* plain so far, but is it UTF-8? */
			if (utf8_valid(s + run, i - run)) {
				buf_add(to, s + run, i - run);
			} else {
				size_t k;

				for (k = run; k < i; k += len)
					if (utf8_next(s + k, i - k, &len) == UTF8_INVALID)
						utf8_add(to, 0xfffd);
					else
						buf_add(to, s + k, len);
			}
			break;
		}
		if (i >= n)
			break;
		ch = (unsigned char)s[i++];
		switch (ch) {
		case '"':
			buf_add(to, "\\\"", 2);
			break;
		case '\\':
			buf_add(to, "\\\\", 2);
			break;
		case '\b':
			buf_add(to, "\\b", 2);
			break;
		case '\f':
			buf_add(to, "\\f", 2);
			break;
		case '\n':
			buf_add(to, "\\n", 2);
			break;
		case '\r':
			buf_add(to, "\\r", 2);
			break;
		case '\t':
			buf_add(to, "\\t", 2);
			break;
		default:
			buf_addf(to, "\\u%04x", ch);
		}
	}
	buf_addch(to, '"');
}

static void
add_key(struct buf *to, const char *key)
{
	size_t n = strlen(key);

	buf_reserve(to, n + 4);
	if (to->len && to->s[to->len - 1] != '{' && to->s[to->len - 1] != '[')
		to->s[to->len++] = ',';
	quote_plain(to, key, n);
	to->s[to->len++] = ':';
	to->s[to->len] = '\0';
}

void
jtext_add_string(struct buf *to, const char *key, const char *s, size_t n)
{
	add_key(to, key);
	jtext_quote(to, s, n);
}

void
jtext_add_time(struct buf *to, const char *key, int64_t wall_ms)
{
	add_key(to, key);
	buf_addch(to, '"');
	clock_add_iso(to, wall_ms);
	buf_addch(to, '"');
}

void
jtext_add_raw(struct buf *to, const char *key, const char *s, size_t n)
{
	add_key(to, key);
	buf_add(to, s, n);
}

void
jtext_add_i64(struct buf *to, const char *key, int64_t n)
{
	add_key(to, key);
	if (n < 0)
		buf_addch(to, '-');
	buf_addu64(to, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

void
jtext_add_bool(struct buf *to, const char *key, bool b)
{
	add_key(to, key);
	buf_addstr(to, b ? "true" : "false");
}

void
jtext_add_null(struct buf *to, const char *key)
{
	add_key(to, key);
	buf_addstr(to, "null");
}

static void
add_member(struct buf *to, struct span key, struct span value)
{
	if (to->s[to->len - 1] != '{')
		buf_addch(to, ',');
	buf_add(to, key.s, key.n);
	buf_addch(to, ':');
	jtext_compact(to, value);
}

static bool
is_one_of(struct span key, const char *const names[])
{
	for (; *names; names++)
		if (jtext_is_string(key, *names))
			return true;
	return false;
}

void
jtext_add_others(struct buf *to, struct span object, const char *const but[])
{
	struct span key, value;
	size_t pos = 0;

	while (jtext_each(object, &pos, &key, &value))
		if (!is_one_of(key, but))
			add_member(to, key, value);
}

void
jtext_merge(struct buf *to, struct span a, struct span b)
{
	struct span key, value, there;
	struct buf name = BUF_INIT;
	size_t pos = 0;

	jtext_compact(to, a);
	buf_cut(to, to->len - 1); /* the closing brace */
	while (b.s && jtext_each(b, &pos, &key, &value)) {
		buf_reset(&name);
		jtext_string(key, &name);
		/* a name that holds NUL is nobody's: no member of ours is called so */
		if (strlen(name.s) == name.len && jtext_get(a, name.s, &there))
			continue;
		add_member(to, key, value);
	}
	buf_addch(to, '}');
	buf_release(&name);
}
