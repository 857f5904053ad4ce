/* jsnum.h - JavaScript's Number(text), for queries that a server written in it would read so
 *
 * "" and blanks are 0; blanks around a number are ignored; "1e3", "0x10", "0b1", "0o7", "Infinity" are numbers; anything else is NaN. Pure.
 */
#ifndef JSNUM_H
#define JSNUM_H

#include "compat.h"

double js_number(const char *s, size_t n);

#endif
