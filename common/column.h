/* column.h - where text ends on a terminal, counted in columns of one row that never wraps
 *
 * Pure but for the locale, which says how wide a character is. The row and the column on a screen of N columns are the quotient and the
 * rest by N; text that fills a row exactly has wrapped.
 */
#ifndef COLUMN_H
#define COLUMN_H

#include "compat.h"

struct column {
	size_t at; /* of the line's end */
	bool open; /* the text ends in the middle of a line */
};

/* Where the cursor is after one more character, as libedit draws it: a tab goes to the next eighth, a control character takes two (^C),
 * another that cannot be shown seven or eight (\U+xxxx). */
size_t column_after(size_t at, uint32_t c, size_t columns);

/* Follows text to the place where it ends. Colours (CSI ... m) take no room. */
void column_follow(struct column *column, const char *s, size_t n, size_t columns);

#endif
