/* blank.c - what counts as nothing around a text */
#include "compat.h"

#include "blank.h"
#include "buf.h"
#include "utf8.h"

#define JS_BYTES_MAX 3 /* of the longest blank */

static bool
is_js(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0d) || c == ' ' || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
	    c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000 || c == 0xfeff;
}

size_t
blank_at(const char *s, size_t n, enum blank set)
{
	size_t len;

	if (!n)
		return 0;
	switch (set) {
	case BLANK_JSON:
		return blank_json(*s);
	case BLANK_ASCII:
		return *s == ' ' || (*s >= '\t' && *s <= '\r');
	case BLANK_JS:
		break;
	}
	return is_js(utf8_next(s, n, &len)) ? len : 0;
}

static size_t
leading(const char *s, size_t n, enum blank set)
{
	size_t at = 0, len;

	while ((len = blank_at(s + at, n - at, set)))
		at += len;
	return at;
}

void
blank_trim(const char **s, size_t *n, enum blank set)
{
	size_t front = leading(*s, *n, set), end = *n - front, len;

	*s += front;
	for (; end; end -= len) {
		/* back to where a character begins */
		for (len = 1; len < JS_BYTES_MAX && len < end && ((unsigned char)(*s)[end - len] & 0xc0) == 0x80; len++)
			;
		if (blank_at(*s + end - len, len, set) != len)
			break;
	}
	*n = end;
}

void
blank_trim_buf(struct buf *text, enum blank set)
{
	const char *s = text->s;
	size_t n = text->len, front;

	blank_trim(&s, &n, set);
	front = (size_t)(s - text->s);
	buf_cut(text, front + n);
	buf_consume(text, front);
}

bool
blank_only(const char *s, size_t n, enum blank set)
{
	return leading(s, n, set) == n;
}
