/* jtext.c - JSON as text: find in it, read it, lay it out again */
#include "compat.h"

#include <string.h>

#include "buf.h"
#include "jtext_internal.h"
#include "num.h"
#include "utf8.h"

/* ---- walking text that is known to be valid */

/* Is there an odd number of backslashes before i? */
static bool
is_escaped(const char *s, size_t i)
{
	size_t n = 0;

	while (s[i - n - 1] == '\\')
		n++;
	return n & 1;
}

/* The end of the string that begins at i. */
static size_t
string_end(const char *s, size_t n, size_t i)
{
	const char *quote;

	while (++i < n && (quote = memchr(s + i, '"', n - i))) {
		i = (size_t)(quote - s);
		if (!is_escaped(s, i))
			return i + 1;
	}
	return n;
}

static size_t
value_end(const char *s, size_t n, size_t i)
{
	size_t depth = 0;

	if (s[i] == '"')
		return string_end(s, n, i);
	if (s[i] != '{' && s[i] != '[') {
		while (i < n && s[i] != ',' && s[i] != '}' && s[i] != ']' && !blank_json(s[i]))
			i++;
		return i;
	}
	while (i < n) {
		switch (s[i]) {
		case '"':
			i = string_end(s, n, i);
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (!--depth)
				return i + 1;
			break;
		default:
			break;
		}
		i++;
	}
	return n;
}

enum jtext_type
jtext_type(struct span value)
{
	switch (*value.s) {
	case '{':
		return JTEXT_OBJECT;
	case '[':
		return JTEXT_ARRAY;
	case '"':
		return JTEXT_STRING;
	case 't':
		return JTEXT_TRUE;
	case 'f':
		return JTEXT_FALSE;
	case 'n':
		return JTEXT_NULL;
	default:
		return JTEXT_NUMBER;
	}
}

bool
jtext_each(struct span in, size_t *pos, struct span *ret_key, struct span *ret_value)
{
	bool object = *in.s == '{';
	size_t i = *pos, end;

	if (!i && *in.s != '{' && *in.s != '[')
		return false;
	i = skip_blanks(in.s, in.n, i + 1); /* behind the bracket or the comma */
	if (i >= in.n || in.s[i] == '}' || in.s[i] == ']')
		return false;
	if (ret_key)
		*ret_key = SPAN_NONE;
	if (object) {
		end = string_end(in.s, in.n, i);
		if (ret_key)
			*ret_key = (struct span){ in.s + i, end - i };
		i = skip_blanks(in.s, in.n, end);
		i = skip_blanks(in.s, in.n, i + 1);
	}
	end = value_end(in.s, in.n, i);
	*ret_value = (struct span){ in.s + i, end - i };
	/* at the comma, or at the closing bracket (where the next call stops at once) */
	end = skip_blanks(in.s, in.n, end);
	*pos = end < in.n && in.s[end] == ',' ? end : in.n;
	return true;
}

/* The code unit of \uXXXX at s (behind the 'u'). */
static uint32_t
hex4(const char *s)
{
	uint32_t n = 0;
	int k;

	for (k = 0; k < 4; k++) {
		unsigned char h = (unsigned char)s[k];

		n = n << 4 | (uint32_t)(h <= '9' ? h - '0' : (h | 0x20) - 'a' + 10);
	}
	return n;
}

/* Decodes the escape at s[i] (a backslash) into out; gives the position behind it. */
static size_t
unescape(const char *s, size_t n, size_t i, struct buf *out)
{
	uint32_t unit, low;

	switch (s[i + 1]) {
	case 'b':
		buf_addch(out, '\b');
		return i + 2;
	case 'f':
		buf_addch(out, '\f');
		return i + 2;
	case 'n':
		buf_addch(out, '\n');
		return i + 2;
	case 'r':
		buf_addch(out, '\r');
		return i + 2;
	case 't':
		buf_addch(out, '\t');
		return i + 2;
	case 'u':
		break;
	default:
		buf_addch(out, s[i + 1]);
		return i + 2;
	}
	unit = hex4(s + i + 2);
	i += 6;
	if (unit >= 0xd800 && unit < 0xdc00 && n - i >= 6 && s[i] == '\\' && s[i + 1] == 'u') {
		low = hex4(s + i + 2);
		if (low >= 0xdc00 && low < 0xe000) {
			utf8_add(out, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
			return i + 6;
		}
	}
	utf8_add(out, unit); /* a lone surrogate becomes U+FFFD there */
	return i;
}

bool
jtext_string(struct span value, struct buf *to)
{
	size_t i = 1, end;

	if (!value.s || *value.s != '"')
		return false;
	for (end = value.n - 1; i < end;) {
		const char *slash = memchr(value.s + i, '\\', end - i);
		size_t run = slash ? (size_t)(slash - value.s) : end;

		buf_add(to, value.s + i, run - i);
		i = run;
		if (i < end)
			i = unescape(value.s, end, i, to);
	}
	return true;
}

/* The string as it is once its escapes are decoded. */
static bool
decodes_to(struct span string, struct span text)
{
	struct buf decoded = BUF_INIT;
	bool same;

	jtext_string(string, &decoded);
	same = decoded.len == text.n && !memcmp(decoded.s, text.s, text.n);
	buf_release(&decoded);
	return same;
}

static inline bool
has_escape(struct span string)
{
	return memchr(string.s, '\\', string.n) != NULL;
}

bool
jtext_is_string(struct span value, const char *text)
{
	struct span wanted = { text, strlen(text) };

	/* an escape is longer than what it stands for */
	if (!value.s || *value.s != '"' || value.n < wanted.n + 2)
		return false;
	if (!has_escape(value))
		return value.n == wanted.n + 2 && !memcmp(value.s + 1, text, wanted.n);
	return decodes_to(value, wanted);
}

bool
jtext_get(struct span object, const char *key, struct span *ret_value)
{
	struct span name, value;
	size_t pos = 0;
	bool found = false;

	if (!object.s || *object.s != '{')
		return false;
	while (jtext_each(object, &pos, &name, &value))
		if (jtext_is_string(name, key)) {
			*ret_value = value;
			found = true;
		}
	return found;
}

void
jtext_get_all(struct span object, const struct span names[], size_t n, struct span values[])
{
	struct span name, value;
	size_t pos = 0, i;

	for (i = 0; i < n; i++)
		values[i] = SPAN_NONE;
	if (!object.s || *object.s != '{')
		return;
	while (jtext_each(object, &pos, &name, &value)) {
		bool escaped = has_escape(name);

		for (i = 0; i < n; i++)
			if (escaped ? decodes_to(name, names[i])
				    : name.n == names[i].n + 2 && !memcmp(name.s + 1, names[i].s, names[i].n)) {
				values[i] = value;
				break;
			}
	}
}

bool
jtext_get_string(struct span object, const char *key, struct buf *to)
{
	struct span value;

	return jtext_get(object, key, &value) && jtext_string(value, to);
}

bool
jtext_i64(struct span value, int64_t *ret)
{
	return value.s && num_i64(value.s, value.n, ret);
}

bool
jtext_get_i64(struct span object, const char *key, int64_t *ret)
{
	struct span value;

	return jtext_get(object, key, &value) && jtext_i64(value, ret);
}

/* ---- laying out again */

void
jtext_compact(struct buf *to, struct span value)
{
	const char *s = value.s;
	size_t n = value.n, i = 0, start;

	buf_reserve(to, n);
	while (i < n) {
		if (blank_json(s[i])) {
			i = skip_blanks(s, n, i);
			continue;
		}
		/* up to the next blank outside strings in one piece */
		for (start = i; i < n && !blank_json(s[i]);)
			i = s[i] == '"' ? string_end(s, n, i) : i + 1;
		buf_add(to, s + start, i - start);
	}
}

static void
newline(struct buf *to, unsigned indent)
{
	static const char blanks[] = "\n                                                                ";
	size_t more = indent;

	buf_add(to, blanks, 1 + (indent < 64 ? indent : 64));
	while (more > 64) {
		more -= 64;
		buf_add(to, blanks + 1, more < 64 ? more : 64);
	}
}

void
jtext_pretty(struct buf *to, struct span value, unsigned indent)
{
	const char *s = value.s;
	size_t n = value.n, i = 0, end;
	unsigned depth = 0;

	buf_reserve(to, n + n / 2); /* about */
	while (i < n) {
		switch (s[i]) {
		case ' ':
		case '\n':
		case '\t':
		case '\r':
			i++;
			break;
		case '{':
		case '[':
			end = skip_blanks(s, n, i + 1);
			buf_addch(to, s[i]);
			if (end < n && (s[end] == '}' || s[end] == ']')) {
				buf_addch(to, s[end]);
				i = end + 1;
				break;
			}
			newline(to, indent + 2 * ++depth);
			i = end;
			break;
		case '}':
		case ']':
			newline(to, indent + 2 * --depth);
			buf_addch(to, s[i++]);
			break;
		case ',':
			buf_addch(to, ',');
			newline(to, indent + 2 * depth);
			i++;
			break;
		case ':':
			buf_add(to, ": ", 2);
			i++;
			break;
		default:
			end = value_end(s, n, i);
			/* a key ends at its quote, a bare scalar may touch the colon of nothing */
			buf_add(to, s + i, end - i);
			i = end;
		}
	}
}
