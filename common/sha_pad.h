/* sha_pad.h - how a message ends in SHA-1 and SHA-256: a bit, zeros, and its length (FIPS 180-4, 5.1.1). Private to sha*.c. */
#ifndef SHA_PAD_H
#define SHA_PAD_H

#include "compat.h"

#include <string.h>

/* Fills the last blocks of a message of n bytes, of which `left` (fewer than 64) are in no block yet. Gives 64 or 128: one block, or
 * two. */
static inline size_t
sha_pad(unsigned char last[128], const unsigned char *rest, size_t left, size_t n)
{
	size_t tail = left < 56 ? 64 : 128;
	int i;

	memset(last, 0, 128);
	if (left)
		memcpy(last, rest, left);
	last[left] = 0x80;
	for (i = 0; i < 8; i++)
		last[tail - 1 - (size_t)i] = (unsigned char)((uint64_t)n * 8 >> 8 * i);
	return tail;
}

#endif
