/* jsnum.c - JavaScript's Number(text) */
#include "compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blank.h"
#include "buf.h"
#include "jsnum.h"

static double
whole(const char *s, size_t n, int base)
{
	double value = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		int digit = s[i] >= '0' && s[i] <= '9'		   ? s[i] - '0'
		    : (s[i] | 0x20) >= 'a' && (s[i] | 0x20) <= 'f' ? (s[i] | 0x20) - 'a' + 10
								   : 99;

		if (digit >= base)
			return NAN;
		value = value * base + digit;
	}
	return n ? value : NAN;
}

static double
number(const struct buf *text)
{
	const char *s = text->s;
	size_t n = text->len, i;
	double value;
	char *end;

	if (!n)
		return 0;
	if (n > 2 && *s == '0' && strchr("xX", s[1]))
		return whole(s + 2, n - 2, 16);
	if (n > 2 && *s == '0' && strchr("oO", s[1]))
		return whole(s + 2, n - 2, 8);
	if (n > 2 && *s == '0' && strchr("bB", s[1]))
		return whole(s + 2, n - 2, 2);
	if ((n == 8 || (n == 9 && strchr("+-", *s))) && !memcmp(s + n - 8, "Infinity", 8))
		return *s == '-' ? -(double)INFINITY : (double)INFINITY;
	/* what strtod takes and JavaScript does not: words, hexadecimal fractions */
	for (i = 0; i < n; i++)
		if (!s[i] || !strchr("0123456789+-.eE", s[i]))
			return NAN;
	value = strtod(s, &end);
	return *end || end == s ? NAN : value;
}

double
js_number(const char *s, size_t n)
{
	struct buf text = BUF_INIT;
	double value;

	buf_add(&text, s, n);
	blank_trim_buf(&text, BLANK_JS);
	value = number(&text);
	buf_release(&text);
	return value;
}
