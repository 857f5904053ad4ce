/* utf8.h - UTF-8 (RFC 3629): validate, walk, measure as UTF-16, and show foreign text safely
 *
 * Pure. Overlong forms, surrogates and values above U+10FFFF are invalid.
 */
#ifndef UTF8_H
#define UTF8_H

#include "compat.h"

struct buf;

#define UTF8_INVALID ((uint32_t)-1)

bool utf8_valid(const char *s, size_t n);

/* The code point at s (n > 0) and its length in bytes; UTF8_INVALID and 1 for a byte that starts nothing valid. */
uint32_t utf8_next(const char *s, size_t n, size_t *ret_len);

void utf8_add(struct buf *buf, uint32_t point); /* point <= 0x10ffff, not a surrogate; else U+FFFD */

/* Copies s; each invalid byte becomes U+FFFD. True when there was one. */
bool utf8_repair(struct buf *to, const char *s, size_t n);

/* Length in UTF-16 code units (what JavaScript calls length); an invalid byte counts 1. */
size_t utf8_utf16_len(const char *s, size_t n);

/* Bytes of the longest prefix with at most `units` UTF-16 code units that splits no character. */
size_t utf8_utf16_prefix(const char *s, size_t n, size_t units);

/* Appends s with everything that could drive a terminal made visible: C0, DEL and C1 as \x1b, invalid bytes as \xff,
 * bidirectional controls, line and paragraph separators and other invisible format characters as \u202e.
 * A backslash itself stays as it is. UTF8_SAFE_LINE also shows newline and tab as \n and \t, UTF8_SAFE_TEXT keeps
 * those two (a bare CR is shown in both). UTF8_SAFE_JSON is UTF8_SAFE_TEXT in the words of JSON, \u001b for all of them: JSON that is
 * valid stays so, and means the same. */
enum utf8_safe { UTF8_SAFE_LINE, UTF8_SAFE_TEXT, UTF8_SAFE_JSON };
void utf8_safe(struct buf *to, const char *s, size_t n, enum utf8_safe how);

#endif
