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

/* How many bytes of the eight come before the first that ends a run. */
static inline size_t
word_run(uint64_t w)
{
	static const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
	uint64_t quote, slash, ends;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	w = __builtin_bswap64(w);
#endif
	quote = w ^ (ones * '"');
	slash = w ^ (ones * '\\');
	/* the top bit of a byte that is none of them may be set by a borrow, but only above one that is */
	ends = (((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((w - ones * 0x20) & ~w)) & tops;
	return ends ? (size_t)__builtin_ctzll(ends) / 8 : 8;
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
