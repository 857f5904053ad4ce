/* test_jsnum.c - JavaScript's Number(text) */
#include "compat.h"

#include <math.h>
#include <string.h>

#include "jsnum.h"
#include "tap.h"

static void
is(const char *text, double want)
{
	double got = js_number(text, strlen(text));

	ok(isnan(want) ? isnan(got) : got == want, "'%s' is %g (got %g)", text, want, got);
}

int
main(void)
{
	static const char *const none[] = { "x", "1x", "1 2", "--1", "+-1", "0x", "0xg", "-0x1", "0x1.8", "0b2", "0o8", "infinity", "nan",
		"NaN", "INF", "1e", "e1", ".", "-", "1_000", "1,5" };
	size_t i;

	is("", 0);
	is(" \t ", 0);
	is("0", 0);
	is("-0", 0);
	is("12", 12);
	is(" 12 ", 12);
	is("\xc2\xa0\xe2\x80\x83"
	   "12\xef\xbb\xbf\xe3\x80\x80",
	    12);
	is("\xe2\x80\xa8", 0);
	is("1\xc2\xa0"
	   "2",
	    NAN);
	is("+12", 12);
	is("-12", -12);
	is("1.5", 1.5);
	is(".5", .5);
	is("5.", 5);
	is("1e3", 1000);
	is("1E-3", .001);
	is("0x10", 16);
	is("0XfF", 255);
	is("0b101", 5);
	is("0o17", 15);
	is("Infinity", (double)INFINITY);
	is("-Infinity", -(double)INFINITY);
	is("+Infinity", (double)INFINITY);
	is("9007199254740993", 9007199254740992.0);
	is("1e400", (double)INFINITY);
	for (i = 0; i < ARRAY_LEN(none); i++)
		is(none[i], (double)NAN);
	ok(isnan(js_number("1\0002", 3)), "a NUL byte is part of no number");
	return done();
}
