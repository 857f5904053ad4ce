/* jtext_check.c - is it JSON? One pass, no recursion; a bit per level says object or array */
#include "compat.h"

#include <string.h>

#include "err.h"
#include "jtext_internal.h"
#include "status.h"
#include "utf8.h"

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
