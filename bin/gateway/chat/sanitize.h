/* sanitize.h - what people type, as it is kept: trimmed, without secrets, not too long (Clarity contract section 7). Pure. Private to
 * chat/. */
#ifndef CHAT_SANITIZE_H
#define CHAT_SANITIZE_H

#include "buf.h"
#include "compat.h"

struct secrets;

struct sanitized {
	struct buf text;
	size_t original_length, stored_length; /* UTF-16 code units: after trimming, and as stored */
	bool redacted, truncated;
};

/* Trims, redacts, cuts to max_units UTF-16 code units (never inside a character). ret must be zeroed or released. */
void sanitize(const struct secrets *secrets, const char *s, size_t n, size_t max_units, struct sanitized *ret);

#endif
