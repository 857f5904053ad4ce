/* jtext.c - JSON as text: check, find, read */
#include "compat.h"

#include <string.h>

#include "blank.h"
#include "buf.h"
#include "err.h"
#include "jtext.h"
#include "num.h"
#include "status.h"
#include "utf8.h"

static size_t
skip_blanks(const char *s, size_t n, size_t i)
{
	while (i < n && blank_json(s[i]))
		i++;
	return i;
}

/* ---- checking: one pass, no recursion; a bit per level says object or array */

struct checker {
	const char *s;
	size_t n, i;
	const char *wrong; /* what is wrong at i, once something is */
};

static bool
fail(struct checker *c, const char *wrong)
{
	c->wrong = c->i < c->n ? wrong : "it ends too early";
	return false;
}

static bool
check_escape(struct checker *c)
{
	int k;

	c->i++; /* the backslash */
	if (c->i >= c->n)
		return fail(c, "");
	if (c->s[c->i] != 'u') {
		if (!c->s[c->i] || !strchr("\"\\/bfnrt", c->s[c->i]))
			return fail(c, "an unknown escape");
		c->i++;
		return true;
	}
	c->i++;
	for (k = 0; k < 4; k++, c->i++) {
		char h = c->i < c->n ? c->s[c->i] : '\0';

		if (!((h >= '0' && h <= '9') || (h >= 'a' && h <= 'f') || (h >= 'A' && h <= 'F')))
			return fail(c, "a bad \\u escape");
	}
	return true;
}

/* Bytes that end a plain run inside a string: the quote, the backslash and controls. */
static bool
ends_run(unsigned char ch)
{
	return ch == '"' || ch == '\\' || ch < 0x20;
}

/* How many bytes of the eight come before the first that ends a run. */
static size_t
word_run(uint64_t w)
{
	static const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
	uint64_t quote, slash, ends;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	quote = w ^ (ones * '"');
	slash = w ^ (ones * '\\');
	/* the top bit of a byte that is none of them may be set by a borrow, but only above one that is */
	ends = (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w)) & tops;
	return ends ? (size_t)__builtin_ctzll(ends) / 8 : 8;
}

static size_t
plain_run(const char *s, size_t n, size_t i)
{
	while (n - i >= 8) {
		uint64_t w;
		size_t run;

		memcpy(&w, s + i, 8);
		run = word_run(w);
		i += run;
		if (run < 8)
			return i;
	}
	while (i < n && !ends_run((unsigned char)s[i]))
		i++;
	return i;
}

static bool
check_string(struct checker *c)
{
	if (c->i >= c->n || c->s[c->i] != '"')
		return fail(c, "expected a string");
	c->i++;
	for (;;) {
		c->i = plain_run(c->s, c->n, c->i);
		if (c->i >= c->n)
			return fail(c, "");
		if (c->s[c->i] == '"') {
			c->i++;
			return true;
		}
		if (c->s[c->i] != '\\')
			return fail(c, "a raw control character in a string");
		if (!check_escape(c))
			return false;
	}
}

static size_t
digits(struct checker *c)
{
	size_t start = c->i;

	while (c->i < c->n && c->s[c->i] >= '0' && c->s[c->i] <= '9')
		c->i++;
	return c->i - start;
}

static bool
check_number(struct checker *c)
{
	size_t start;

	if (c->i < c->n && c->s[c->i] == '-')
		c->i++;
	start = c->i;
	if (!digits(c))
		return fail(c, "expected a value");
	if (c->s[start] == '0' && c->i - start > 1) {
		c->i = start;
		return fail(c, "a number with a leading zero");
	}
	if (c->i < c->n && c->s[c->i] == '.') {
		c->i++;
		if (!digits(c))
			return fail(c, "a number without digits after the point");
	}
	if (c->i < c->n && (c->s[c->i] == 'e' || c->s[c->i] == 'E')) {
		c->i++;
		if (c->i < c->n && (c->s[c->i] == '+' || c->s[c->i] == '-'))
			c->i++;
		if (!digits(c))
			return fail(c, "a number without digits in the exponent");
	}
	return true;
}

static bool
check_word(struct checker *c, const char *word)
{
	size_t n = strlen(word), k;

	for (k = 0; k < n; k++, c->i++)
		if (c->i >= c->n || c->s[c->i] != word[k])
			return fail(c, "expected a value");
	return true;
}

static bool
check_scalar(struct checker *c)
{
	if (c->i >= c->n)
		return fail(c, "");
	switch (c->s[c->i]) {
	case '"':
		return check_string(c);
	case 't':
		return check_word(c, "true");
	case 'f':
		return check_word(c, "false");
	case 'n':
		return check_word(c, "null");
	default:
		return check_number(c);
	}
}

/* The quoted name and the colon of a member. */
static bool
check_key(struct checker *c)
{
	if (!check_string(c))
		return false;
	c->i = skip_blanks(c->s, c->n, c->i);
	if (c->i >= c->n || c->s[c->i] != ':')
		return fail(c, "expected ':'");
	c->i = skip_blanks(c->s, c->n, c->i + 1);
	return true;
}

/* One value from c->i, which ends behind it. */
static bool
check_value(struct checker *c)
{
	uint64_t object[JTEXT_DEPTH_MAX / 64] = { 0 };
	unsigned depth = 0;

	for (;;) {
		char open = c->i < c->n ? c->s[c->i] : '\0';

		if (open == '{' || open == '[') {
			if (depth == JTEXT_DEPTH_MAX)
				return fail(c, "it is nested too deeply");
			if (open == '{')
				object[depth / 64] |= UINT64_C(1) << depth % 64;
			else
				object[depth / 64] &= ~(UINT64_C(1) << depth % 64);
			depth++;
			c->i = skip_blanks(c->s, c->n, c->i + 1);
			if (c->i < c->n && c->s[c->i] == (open == '{' ? '}' : ']'))
				; /* empty: closed below */
			else if (open == '[' || check_key(c))
				continue;
			else
				return false;
		} else if (!check_scalar(c))
			return false;
		/* a value is finished: close what it closes, then go to the next one */
		for (;;) {
			bool in_object;

			if (!depth)
				return true;
			in_object = object[(depth - 1) / 64] >> (depth - 1) % 64 & 1;
			c->i = skip_blanks(c->s, c->n, c->i);
			if (c->i < c->n && c->s[c->i] == (in_object ? '}' : ']')) {
				c->i++;
				depth--;
				continue;
			}
			if (c->i >= c->n || c->s[c->i] != ',')
				return fail(c, in_object ? "expected ',' or '}'" : "expected ',' or ']'");
			c->i = skip_blanks(c->s, c->n, c->i + 1);
			if (in_object && !check_key(c))
				return false;
			break;
		}
	}
}

bool
jtext_check(const char *s, size_t n, bool utf8, struct span *ret_value, struct err *err)
{
	struct checker c = { .s = s, .n = n };
	size_t start;

	c.i = start = skip_blanks(s, n, 0);
	if (start == n)
		return err_set(err, STATUS_INPUT, "not JSON: it is empty");
	if (!check_value(&c))
		return err_set(err, STATUS_INPUT, "not JSON: %s at byte %zu", c.wrong, c.i + 1);
	if (utf8 && !utf8_valid(s, n))
		return err_set(err, STATUS_INPUT, "not JSON: it is not UTF-8");
	*ret_value = (struct span){ s + start, c.i - start };
	c.i = skip_blanks(s, n, c.i);
	if (c.i < n)
		return err_set(err, STATUS_INPUT, "not JSON: more text after the value at byte %zu", c.i + 1);
	return true;
}

/* ---- walking text that is known to be valid */

/* The end of the string that begins at i. */
static size_t
string_end(const char *s, size_t n, size_t i)
{
	for (i++; i < n;) {
		i = plain_run(s, n, i);
		if (i >= n)
			break;
		if (s[i] == '"')
			return i + 1;
		i += 2;
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

bool
jtext_is_string(struct span value, const char *text)
{
	size_t n = strlen(text);
	struct buf decoded = BUF_INIT;
	bool same;

	if (!value.s || *value.s != '"')
		return false;
	if (!memchr(value.s, '\\', value.n))
		return value.n == n + 2 && !memcmp(value.s + 1, text, n);
	jtext_string(value, &decoded);
	same = decoded.len == n && !memcmp(decoded.s, text, n);
	buf_release(&decoded);
	return same;
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

/* ---- writing */

void
jtext_quote(struct buf *to, const char *s, size_t n)
{
	size_t i = 0, run, len;

	buf_reserve(to, n + 2);
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
	if (to->len && to->s[to->len - 1] != '{' && to->s[to->len - 1] != '[')
		buf_addch(to, ',');
	buf_addch(to, '"');
	buf_addstr(to, key);
	buf_add(to, "\":", 2);
}

void
jtext_add_string(struct buf *to, const char *key, const char *s, size_t n)
{
	add_key(to, key);
	jtext_quote(to, s, n);
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
		if (to->s[to->len - 1] != '{')
			buf_addch(to, ',');
		buf_add(to, key.s, key.n);
		buf_addch(to, ':');
		jtext_compact(to, value);
	}
	buf_addch(to, '}');
	buf_release(&name);
}
