/* utf8.c - UTF-8: validate, walk, measure, show safely */
#include "compat.h"

#include <string.h>

#include "buf.h"
#include "utf8.h"

static bool
is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

uint32_t
utf8_next(const char *text, size_t n, size_t *ret_len)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t point, least;
	size_t len, i;

	*ret_len = 1;
	if (s[0] < 0x80)
		return s[0];
	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		len = 2;
		point = s[0] & 0x1f;
		least = 0x80;
	} else if ((s[0] & 0xf0) == 0xe0) {
		len = 3;
		point = s[0] & 0x0f;
		least = 0x800;
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		len = 4;
		point = s[0] & 0x07;
		least = 0x10000;
	} else
		return UTF8_INVALID;
	if (len > n)
		return UTF8_INVALID;
	for (i = 1; i < len; i++) {
		if (!is_tail(s[i]))
			return UTF8_INVALID;
		point = point << 6 | (s[i] & 0x3f);
	}
	if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		return UTF8_INVALID;
	*ret_len = len;
	return point;
}

bool
utf8_valid(const char *s, size_t n)
{
	size_t i = 0, len;

	while (i < n) {
		/* eight plain bytes at a time */
		while (n - i >= 8) {
			uint64_t word;

			memcpy(&word, s + i, 8);
			if (word & UINT64_C(0x8080808080808080))
				break;
			i += 8;
		}
		if (i == n)
			break;
		if (utf8_next(s + i, n - i, &len) == UTF8_INVALID)
			return false;
		i += len;
	}
	return true;
}

void
utf8_add(struct buf *buf, uint32_t point)
{
	char out[4];

	if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
		point = 0xfffd;
	if (point < 0x80) {
		buf_addch(buf, (char)point);
	} else if (point < 0x800) {
		out[0] = (char)(0xc0 | point >> 6);
		out[1] = (char)(0x80 | (point & 0x3f));
		buf_add(buf, out, 2);
	} else if (point < 0x10000) {
		out[0] = (char)(0xe0 | point >> 12);
		out[1] = (char)(0x80 | (point >> 6 & 0x3f));
		out[2] = (char)(0x80 | (point & 0x3f));
		buf_add(buf, out, 3);
	} else {
		out[0] = (char)(0xf0 | point >> 18);
		out[1] = (char)(0x80 | (point >> 12 & 0x3f));
		out[2] = (char)(0x80 | (point >> 6 & 0x3f));
		out[3] = (char)(0x80 | (point & 0x3f));
		buf_add(buf, out, 4);
	}
}

bool
utf8_repair(struct buf *to, const char *s, size_t n)
{
	bool repaired = false;
	size_t i, len;

	for (i = 0; i < n; i += len) {
		uint32_t point = utf8_next(s + i, n - i, &len);

		if (point == UTF8_INVALID) {
			utf8_add(to, 0xfffd);
			repaired = true;
		} else
			buf_add(to, s + i, len);
	}
	return repaired;
}

static size_t
utf16_units(uint32_t point)
{
	return point != UTF8_INVALID && point >= 0x10000 ? 2 : 1;
}

size_t
utf8_utf16_len(const char *s, size_t n)
{
	size_t i, len, units = 0;

	for (i = 0; i < n; i += len)
		units += utf16_units(utf8_next(s + i, n - i, &len));
	return units;
}

size_t
utf8_utf16_prefix(const char *s, size_t n, size_t units)
{
	size_t i, len;

	for (i = 0; i < n; i += len) {
		size_t more = utf16_units(utf8_next(s + i, n - i, &len));

		if (more > units)
			break;
		units -= more;
	}
	return i;
}

/* Format characters that nobody sees but that change what is seen: bidirectional controls and isolates, joiners and
 * zero-width blanks, line and paragraph separators, the byte order mark, language tags. */
static bool
is_hidden(uint32_t c)
{
	return c == 0xad || c == 0x61c || c == 0x180e || (c >= 0x200b && c <= 0x200f && c != 0x200d) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || (c >= 0xe0000 && c <= 0xe007f);
}

static void
add_json_escape(struct buf *to, uint32_t c)
{
	if (c == UTF8_INVALID)
		c = 0xfffd;
	if (c > 0xffff)
		buf_addf(to, "\\u%04x\\u%04x", 0xd7c0u + (unsigned)(c >> 10), 0xdc00u + (unsigned)(c & 0x3ff));
	else
		buf_addf(to, "\\u%04x", (unsigned)c);
}

void
utf8_safe(struct buf *to, const char *s, size_t n, enum utf8_safe how)
{
	size_t i, len;

	for (i = 0; i < n; i += len) {
		uint32_t c = utf8_next(s + i, n - i, &len);
		bool drives = c < 0x20 || (c >= 0x7f && c < 0xa0);

		if (c == '\n' || c == '\t') {
			if (how != UTF8_SAFE_LINE)
				buf_addch(to, (char)c);
			else
				buf_addstr(to, c == '\n' ? "\\n" : "\\t");
		} else if (how == UTF8_SAFE_JSON && (c == UTF8_INVALID || drives || is_hidden(c)))
			add_json_escape(to, c);
		else if (c == UTF8_INVALID)
			buf_addf(to, "\\x%02x", (unsigned)(unsigned char)s[i]);
		else if (drives)
			buf_addf(to, "\\x%02x", (unsigned)c);
		else if (is_hidden(c))
			buf_addf(to, c > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)c);
		else
			buf_add(to, s + i, len);
	}
}
