/* blank.h - what counts as nothing around a text, and texts without it
 *
 * There are three notions, and who reads a format takes the format's. A NUL is a character like any other, never a blank.
 * Pure; nothing is allocated.
 */
#ifndef BLANK_H
#define BLANK_H

#include "compat.h"

struct buf;

enum blank {
	BLANK_JSON,  /* space, tab, CR, LF: RFC 8259; files and headers */
	BLANK_ASCII, /* these, vertical tab and form feed: the C locale's isspace() */
	BLANK_JS,    /* JavaScript's String.trim(), on UTF-8: these and the spaces and line ends of Unicode. An invalid byte is none. */
};

static inline bool
blank_json(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Bytes of the blank that stands first; 0: none does. */
size_t blank_at(const char *s, size_t n, enum blank set);

/* Moves both ends of the text inwards over blanks. Of blanks alone nothing is left: *n is 0 and *s their end. */
void blank_trim(const char **s, size_t *n, enum blank set);
void blank_trim_buf(struct buf *text, enum blank set);

/* Is there nothing but blanks, or nothing at all? */
bool blank_only(const char *s, size_t n, enum blank set);

#endif
