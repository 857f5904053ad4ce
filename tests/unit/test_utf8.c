/* test_utf8.c - UTF-8: what is valid, how long it is, what a terminal may get */
#include "compat.h"

#include "buf.h"
#include "tap.h"
#include "utf8.h"

static void
safe(const char *s, size_t n, enum utf8_safe how, const char *want, const char *name)
{
	struct buf out = BUF_INIT;

	utf8_safe(&out, s, n, how);
	is_buf(&out, want, name);
	buf_release(&out);
}

int
main(void)
{
	static const char *const bad[] = { "\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80", "12345678\xff" };
	struct buf out = BUF_INIT;
	size_t i;

	ok(utf8_valid("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 10), "one to four bytes are valid");
	for (i = 0; i < ARRAY_LEN(bad); i++)
		ok(!utf8_valid(bad[i], strlen(bad[i])), "invalid form %zu is refused", i);
	is_int(utf8_utf16_len("a\xc3\xa9\xf0\x9f\x98\x80", 7), 4, "an emoji counts two UTF-16 units");
	is_int(utf8_utf16_prefix("a\xf0\x9f\x98\x80z", 6, 2), 1, "a cut never splits a pair");
	is_int(utf8_utf16_prefix("a\xf0\x9f\x98\x80z", 6, 3), 5, "and takes it whole where it fits");
	ok(utf8_repair(&out, "a\xff\xc3\xa9", 4), "repair tells that it had to");
	is_buf(&out, "a\xef\xbf\xbd\xc3\xa9", "and puts U+FFFD");
	buf_release(&out);
	safe("\033[31mred\a\x7f\r", 11, UTF8_SAFE_TEXT, "\\x1b[31mred\\x07\\x7f\\x0d", "escape, bell, delete and a bare return are shown");
	safe("a\nb\tc", 5, UTF8_SAFE_TEXT, "a\nb\tc", "newline and tab stay in text");
	safe("a\nb\tc", 5, UTF8_SAFE_LINE, "a\\nb\\tc", "and are shown in a line");
	safe("\xc2\x9b"
	     "31m",
	    5, UTF8_SAFE_LINE, "\\x9b31m", "a C1 control is shown");
	safe("\xe2\x80\xaeoof", 6, UTF8_SAFE_LINE, "\\u202eoof", "so is a bidirectional override");
	safe("\xe2\x80\x8b\xef\xbb\xbf", 6, UTF8_SAFE_LINE, "\\u200b\\ufeff", "and what has no width");
	safe("\xff\xfe", 2, UTF8_SAFE_LINE, "\\xff\\xfe", "bytes that are no UTF-8 are shown");
	safe("\033]\n\xc2\x9b\xf3\xa0\x81\x81\xff\xe2\x80\xae\x7f", 14, UTF8_SAFE_JSON,
	    "\\u001b]\n\\u009b\\udb40\\udc41\\ufffd\\u202e\\u007f", "in JSON they are its escapes");
	safe("caf\xc3\xa9 \xf0\x9f\x98\x80", 10, UTF8_SAFE_LINE, "caf\xc3\xa9 \xf0\x9f\x98\x80", "ordinary text is untouched");
	return done();
}
