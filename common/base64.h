/* base64.h - base64 (RFC 4648): with padding as headers want it, and the URL alphabet without for tokens. Pure. */
#ifndef BASE64_H
#define BASE64_H

#include "compat.h"

struct buf;

void base64_add(struct buf *to, const void *bytes, size_t n);
void base64_add_url(struct buf *to, const void *bytes, size_t n); /* - and _, no padding */

/* Reads the first form, strictly: padding where it belongs, no blanks, no bits that are lost. Appends; false (and nothing appended) for
 * anything else. */
bool base64_read(const char *s, size_t n, struct buf *to) USE_RESULT;

#endif
