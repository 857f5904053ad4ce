/* test_blank.c - three notions of a blank, at both ends and all over */
#include "compat.h"

#include "blank.h"
#include "buf.h"
#include "tap.h"

#define TEXT(s) s, sizeof(s) - 1

static const char *const sets[] = { [BLANK_JSON] = "JSON", [BLANK_ASCII] = "ASCII", [BLANK_JS] = "JavaScript" };

static void
trim(const char *s, size_t n, enum blank set, const char *want, size_t want_n, const char *name)
{
	struct buf text = BUF_INIT;
	const char *at = s;
	size_t left = n;

	blank_trim(&at, &left, set);
	buf_add(&text, s, n);
	blank_trim_buf(&text, set);
	ok(left == want_n && !memcmp(at, want, want_n) && text.len == want_n && !memcmp(text.s, want, want_n), "%s: %s", sets[set], name);
	ok(blank_only(s, n, set) == !want_n, "%s: %s, blanks alone or not", sets[set], name);
	buf_release(&text);
}

/* Each code point, alone between two letters' ends: blank just where the reference list says so. */
static void
points(void)
{
	static const uint32_t js[] = { 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20, 0xa0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005,
		0x2006, 0x2007, 0x2008, 0x2009, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000, 0xfeff };
	size_t next = 0, wrong = 0;
	uint32_t c;

	for (c = 0; c < 0x10000; c++) {
		bool want = next < ARRAY_LEN(js) && js[next] == c;
		char s[5] = { 0 };
		size_t n = 0;

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		if (c < 0x80)
			s[n++] = (char)c;
		else if (c < 0x800) {
			s[n++] = (char)(0xc0 | c >> 6);
			s[n++] = (char)(0x80 | (c & 0x3f));
		} else {
			s[n++] = (char)(0xe0 | c >> 12);
			s[n++] = (char)(0x80 | (c >> 6 & 0x3f));
			s[n++] = (char)(0x80 | (c & 0x3f));
		}
		next += want;
		wrong += blank_only(s, n, BLANK_JS) != want;
		wrong += blank_only(s, n, BLANK_ASCII) != (want && c < 0x80);
		wrong += blank_only(s, n, BLANK_JSON) != (want && c < 0x80 && c != '\v' && c != '\f');
	}
	ok(next == ARRAY_LEN(js) && !wrong, "of all characters of the first plane, just those are blanks that should be");
}

int
main(void)
{
	enum blank set;

	for (set = BLANK_JSON; set <= BLANK_JS; set++) {
		trim(TEXT(""), set, TEXT(""), "nothing");
		trim(TEXT("a"), set, TEXT("a"), "no blank");
		trim(TEXT(" \t\r\n"), set, TEXT(""), "blanks alone");
		trim(TEXT("\r\n a b\t\n"), set, TEXT("a b"), "both ends, not the middle");
		trim(TEXT("\0 a \0"), set, TEXT("\0 a \0"), "a NUL is no blank");
		trim(TEXT(" \xff\x80 "), set, TEXT("\xff\x80"), "an invalid byte is none");
	}
	trim(TEXT("\v\fa\f\v"), BLANK_JSON, TEXT("\v\fa\f\v"), "vertical tab and form feed stay");
	trim(TEXT("\v\fa\f\v"), BLANK_ASCII, TEXT("a"), "vertical tab and form feed go");
	trim(TEXT("\xc2\xa0\xe2\x80\xa8 a\xe3\x80\x80\xef\xbb\xbf"), BLANK_JS, TEXT("a"), "spaces of two and three bytes go");
	trim(TEXT("\xc2\xa0"
		  "a\xc2\xa0"),
	    BLANK_ASCII,
	    TEXT("\xc2\xa0"
		 "a\xc2\xa0"),
	    "spaces of two bytes stay");
	trim(TEXT("\xe2\x80"), BLANK_JS, TEXT("\xe2\x80"), "half of one is none");
	trim(TEXT("a\xf0\x9f\x98\x80 \xe3\x80\x80"), BLANK_JS, TEXT("a\xf0\x9f\x98\x80"), "a character of four bytes stays whole");
	points();
	return done();
}
