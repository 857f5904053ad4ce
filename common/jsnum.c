/* jsnum.c - JavaScript's Number(text) */
#include "compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

double
js_number(const char *s, size_t n)
{
	struct buf text = BUF_INIT;
	double value;
	size_t i;
	char *end;

	while (n && s[n - 1] && strchr(" \t\r\n\f\v", s[n - 1]))
		n--;
	while (n && *s && strchr(" \t\r\n\f\v", *s)) {
		s++;
		n--;
	}
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
	buf_add(&text, s, n);
	value = strtod(text.s, &end);
	if (*end || end == text.s)
		value = NAN;
	buf_release(&text);
	return value;
}
