/* cursor.h - a cursor kept in a file between calls, as journalctl does it
 *
 * The file holds one decimal number and a newline. It is replaced as a whole (a temporary file beside it, then rename), so a
 * reader or a crash never finds half a cursor.
 */
#ifndef CURSOR_H
#define CURSOR_H

#include "compat.h"

struct err;

/* A file that is not there is cursor 0. Errors: STATUS_IO; STATUS_CONFIG when it holds something else. */
bool cursor_read(const char *path, int64_t *ret, struct err *err) USE_RESULT;
bool cursor_write(const char *path, int64_t cursor, struct err *err) USE_RESULT;

#endif
