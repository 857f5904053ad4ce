/* redact.h - foreign text without what must not leave here. Private to runtime/. */
#ifndef RUNTIME_REDACT_H
#define RUNTIME_REDACT_H

#include "buf.h"
#include "compat.h"

#define REDACT_SHORTEST 4 /* bytes: what is shorter is no secret, and stands in any text */

/* Appends s, each of the secrets in it (NULL-ended list) as "[REDACTED]", then at most max characters of
 * that, as UTF-16 counts them. What is not UTF-8 becomes U+FFFD. */
void redact_add(struct buf *to, const char *s, size_t n, size_t max, const char *const *secrets);

#endif
