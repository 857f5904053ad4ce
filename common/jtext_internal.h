/* jtext_internal.h - what the files of jtext.h share: the next place where something happens */
#ifndef JTEXT_INTERNAL_H
#define JTEXT_INTERNAL_H

#include "compat.h"

#include <string.h>

#include "blank.h"
#include "jtext.h"

/* Past the blanks at i. */
static inline size_t
skip_blanks(const char *s, size_t n, size_t i)
{
	while (i < n && blank_json(s[i]))
		i++;
	return i;
}

/* Bytes that end a plain run inside a string: the quote, the backslash and controls. */
static inline bool
ends_run(unsigned char ch)
{
	return ch == '"' || ch == '\\' || ch < 0x20;
}

#define WORD_ONES UINT64_C(0x0101010101010101)
#define WORD_TOPS UINT64_C(0x8080808080808080)

/* Top bits of the bytes that end a run; that of a byte which does not may be set by a borrow, but only above one that does. */
static inline uint64_t
word_ends(uint64_t w)
{
	uint64_t quote = w ^ (WORD_ONES * '"'), slash = w ^ (WORD_ONES * '\\');

	return (((quote - WORD_ONES) & ~quote) | ((slash - WORD_ONES) & ~slash) | ((w - WORD_ONES * 0x20) & ~w)) & WORD_TOPS;
}

/* How many bytes of the eight come before the first that ends a run. */
static inline size_t
word_run(uint64_t w)
{
	uint64_t ends;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	ends = word_ends(w);
	return ends ? (size_t)__builtin_ctzll(ends) / 8 : 8;
}

/* Is all of it ASCII that stands in a string as it is? */
static inline bool
is_plain_ascii(const char *s, size_t n)
{
	uint64_t w;

	for (; n >= 8; s += 8, n -= 8) {
		memcpy(&w, s, 8);
		if (word_ends(w) | (w & WORD_TOPS))
			return false;
	}
	w = WORD_ONES * ' ';
	if (n)
		memcpy(&w, s, n);
	return !(word_ends(w) | (w & WORD_TOPS));
}

static inline size_t
plain_run(const char *s, size_t n, size_t i)
{
	while (n - i >= 8) {
		uint64_t w;
		size_t run;

		memcpy(&w, s + i, 8);
		run = word_run(w);
		i += run;
		if (run < 8)
			return i;
	}
	while (i < n && !ends_run((unsigned char)s[i]))
		i++;
	return i;
}

#endif
