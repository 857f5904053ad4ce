/* column.c - where text ends on a terminal */
#include "compat.h"

#include <wchar.h>
#include <wctype.h>

#include "column.h"
#include "utf8.h"

size_t
column_after(size_t at, uint32_t c, size_t columns)
{
	int width = c == '\t' ? 8 - (int)(at % columns % 8) : iswprint((wint_t)c) ? wcwidth((wchar_t)c) : c < 0x80 ? 2 : c > 0xffff ? 8 : 7;

	if (width <= 0)
		return at;
	/* a wide character does not stand on two rows */
	if (width == 2 && at % columns == columns - 1)
		at++;
	return at + (size_t)width;
}

void
column_follow(struct column *column, const char *s, size_t n, size_t columns)
{
	size_t i, len;

	for (i = 0; i < n; i += len) {
		uint32_t c = utf8_next(s + i, n - i, &len);

		if (c == '\n' || c == '\r') {
			column->at = 0;
		} else if (c == 0x1b && i + 1 < n && s[i + 1] == '[') {
			for (len = 2; i + len < n && (s[i + len] < '@' || s[i + len] > '~'); len++)
				;
			len += i + len < n;
		} else if (c != UTF8_INVALID)
			column->at = column_after(column->at, c, columns);
	}
	column->open = n && s[n - 1] != '\n';
}
