/* test_column.c - where text ends on a terminal */
#include "compat.h"

#include <locale.h>

#include "column.h"
#include "tap.h"

static size_t
end(const char *text, size_t columns, bool *ret_open)
{
	struct column column = { 0, false };

	column_follow(&column, text, strlen(text), columns);
	*ret_open = column.open;
	return column.at;
}

int
main(void)
{
	static const struct {
		const char *text, *what;
		size_t columns, want;
		bool open;
	} cases[] = {
		{ "", "nothing", 80, 0, false },
		{ "abc", "plain text", 80, 3, true },
		{ "abc\n", "a whole line", 80, 0, false },
		{ "one\ntwo", "the last line counts", 80, 3, true },
		{ "abc\rx", "a carriage return goes back", 80, 1, true },
		{ "\033[1;31mred\033[0m", "colours take no room", 80, 3, true },
		{ "ab\033[", "a colour that is cut", 80, 2, true },
		{ "a\tb", "a tab goes to the next eighth", 80, 9, true },
		{ "\xe2\x82\xac", "a narrow character", 80, 1, true },
		{ "\xe4\xbd\xa0", "a wide character", 80, 2, true },
		{ "abc\xe4\xbd\xa0", "a wide character does not stand on two rows", 4, 6, true },
		{ "e\xcc\x81", "a mark that combines takes no room", 80, 1, true },
		{ "abcdefgh", "two rows and more", 4, 8, true },
		{ "\x01", "a control character is ^A", 80, 2, true },
		{ "a\xff"
		  "b",
		    "a byte that is no character", 80, 2, true },
	};
	size_t i;
	bool open;

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		is_int(end(cases[i].text, cases[i].columns, &open), cases[i].want, cases[i].what);
		ok(open == cases[i].open, "%s: open or not", cases[i].what);
	}
	return done();
}
