/* test_cookie.c - proves common/cookie.c */
#include "compat.h"

#include <string.h>

#include "buf.h"
#include "cookie.h"
#include "tap.h"

static const char *
find(const char *text)
{
	static struct buf got = BUF_INIT;

	buf_reset(&got);
	return cookie_find(text, strlen(text), &got) ? got.s : NULL;
}

static bool
is(const char *text, const char *value)
{
	struct buf want = BUF_INIT;
	const char *got = find(text);
	bool same;

	buf_addf(&want, COOKIE_NAME "=%s", value);
	same = got && !strcmp(got, want.s);
	buf_release(&want);
	return same;
}

int
main(void)
{
	ok(is("abc", "abc") && is("abc\n", "abc") && is("\n  abc-_%3D \r\n\n", "abc-_%3D"), "a bare value, with blanks around it");
	ok(is(COOKIE_NAME "=abc", "abc") && is("Cookie: a=b; " COOKIE_NAME "=x=y; c", "x=y") && is("cookie:" COOKIE_NAME "=v", "v"),
	    "among others");
	ok(is("# Netscape HTTP Cookie File\n\n#HttpOnly_h\tFALSE\t/\tTRUE\t0\t" COOKIE_NAME "\tv1\n", "v1"), "in a jar, for HTTP only");
	ok(is("h\tFALSE\t/\tTRUE\t0\tother\tno\nh\tFALSE\t/\tTRUE\t0\t" COOKIE_NAME "\tv2\r\n", "v2"), "in a jar, the second one");
	ok(!find("") && !find("\n\n") && !find("# only\n# comments"), "nothing");
	ok(!find("other=1") && !find("a\nb") && !find("h\tF\t/\tT\t0\tother\tv"), "something else");
	ok(!find(COOKIE_NAME "=") && !find(COOKIE_NAME "=a b") && !find("a;b") && !find("a\"b") && !find("caf\xc3\xa9") && !find("a\x01"),
	    "no value for a header");
	ok(!find(COOKIE_NAME "x=1") && !find("x" COOKIE_NAME "=1"), "the whole name counts");
	return done();
}
