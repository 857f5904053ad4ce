/* xalloc.h - allocation that ends the process, with the size asked for, when memory is out
 *
 * Limits come first: whoever allocates for outside data has checked a named limit before. A size of zero is
 * asked for as one byte, so the result is never NULL. Free with free().
 */
#ifndef XALLOC_H
#define XALLOC_H

#include "compat.h"

void *xmalloc(size_t size) USE_RESULT;
void *xcalloc(size_t n, size_t size) USE_RESULT;
void *xrealloc(void *p, size_t size) USE_RESULT;
/* An array of n items gets room for one more. It moves when n is 0 or a power of two, so each of its items has to be added by this. */
void *xgrow(void *items, size_t n, size_t size) USE_RESULT;
char *xstrdup(const char *s) USE_RESULT;
char *xmemdup0(const void *s, size_t n) USE_RESULT; /* n bytes and a NUL */

#endif
