/* content.h - the text that a command is given: its operands, a file, both, or standard input */
#ifndef CONTENT_H
#define CONTENT_H

#include "compat.h"

struct buf;
struct err;

#define CONTENT_MAX (1024 * 1024) /* bytes; what a server takes may be less */

/* words: NULL-ended, joined by blanks; file ("-" is standard input) comes after them, with an empty line between; NULL: none. With neither,
 * standard input, which is free when options named the subject (named). The newline that ends a file is not part of the text.
 * False: err says why: STATUS_USAGE where there is nothing to take, STATUS_INPUT for a text that is blank, or not UTF-8, or holds NUL. */
bool content_take(struct buf *text, const char *file, char *const *words, bool named, struct err *err) USE_RESULT;

#endif
