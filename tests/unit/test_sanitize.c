/* test_sanitize.c - the contract's table of what is redacted, and how lengths count */
#include "compat.h"

#include "chat/sanitize.h"
#include "tap.h"

static void
check(const char *text, const char *want)
{
	struct sanitized out;

	sanitize(NULL, text, strlen(text), 2000, &out);
	is_buf(&out.text, want, text);
	ok(out.redacted == (strcmp(text, want) != 0), "and says whether it did");
	buf_release(&out.text);
}

int
main(void)
{
	struct sanitized out;

	check("Bearer abc.DEF-1_2 x", "Bearer [REDACTED] x");
	check("bearer\t\tabc", "bearer [REDACTED]");
	check("API_KEY = foo,bar", "API_KEY=[REDACTED],bar");
	check("token: a;b password=p secret:  s", "token=[REDACTED];b password=[REDACTED] secret=[REDACTED]");
	check("key sk-abcdefgh1 end", "key sk-[REDACTED] end");
	check("sk-abcdefg", "sk-abcdefg");
	check("sk-abcdefgh_", "sk-abcdefgh_");
	check("tokens=1", "tokens=1");
	check("token=", "token=");
	sanitize(NULL, " \xc2\xa0 \xf0\x9f\x98\x80 b \xe2\x80\x83", 14, 2000, &out);
	is_buf(&out.text, "\xf0\x9f\x98\x80 b", "every blank that JavaScript knows is trimmed");
	is_int(out.original_length, 4, "an emoji counts two");
	buf_release(&out.text);
	sanitize(NULL,
	    "ab\xf0\x9f\x98\x80"
	    "c",
	    7, 3, &out);
	is_buf(&out.text, "ab", "a cut never splits a character");
	ok(out.truncated && out.original_length == 5 && out.stored_length == 2, "and the lengths say what happened");
	buf_release(&out.text);
	sanitize(NULL, "a token=b", 9, 10, &out);
	is_buf(&out.text, "a token=[R", "what stands for a secret may be cut");
	buf_release(&out.text);
	sanitize(NULL, "a token=[R", 10, 10, &out);
	ok(!out.redacted && out.stored_length == 10, "and is still known then");
	buf_release(&out.text);
	sanitize(NULL, "abc", 3, 3, &out);
	ok(!out.truncated && out.stored_length == 3, "at the limit nothing is cut");
	buf_release(&out.text);
	return done();
}
