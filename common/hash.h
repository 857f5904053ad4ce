/* hash.h - FNV-1a of 64 bits: which bucket, and has this been seen before
 *
 * It tells different bytes apart and resists nobody who wants two of them alike: what must not be forged takes sha256.h.
 * Prints of requests are stored and compared after an upgrade, so the function never changes.
 */
#ifndef HASH_H
#define HASH_H

#include "compat.h"

#define HASH_INIT UINT64_C(14695981039346656037) /* the hash of no bytes */

/* The hash of what h is the hash of, followed by these n bytes (NUL among them or not; NULL for none). */
static inline uint64_t
hash_add(uint64_t h, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	size_t i;

	for (i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(1099511628211);
	return h;
}

/* The hash of these n bytes. */
static inline uint64_t
hash(const void *bytes, size_t n)
{
	return hash_add(HASH_INIT, bytes, n);
}

#endif
