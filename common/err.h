/* err.h - what went wrong, for the caller to act on and a person to read
 *
 * Nouns fill it and return false; only the front (die.h) prints it. The text says what failed, on what and why:
 * "unable to read '/x': No such file or directory", lower case, no full stop. A text that is too long is cut
 * and ends in "...".
 */
#ifndef ERR_H
#define ERR_H

#include "compat.h"

#include <stdarg.h>

#define ERR_TEXT_MAX 1024 /* bytes with the final NUL */

struct err {
	int status;	     /* one of enum status; STATUS_OK when nothing is wrong */
	int http;	     /* the HTTP status behind it, 0 when there was none */
	int64_t retry_at_ms; /* wall clock, Unix milliseconds; 0 when the other side named no time */
	char text[ERR_TEXT_MAX];
	char hint[256]; /* what to do about it, "" when there is nothing to say */
};

#define ERR_INIT                                                                                                                           \
	{                                                                                                                                  \
		.status = 0                                                                                                                \
	}

/* Each returns false, so that a callee can say `return err_set(...)`. err may be NULL. */
bool err_set(struct err *err, int status, const char *fmt, ...) PRINTF(3, 4);
bool err_vset(struct err *err, int status, const char *fmt, va_list args) PRINTF(3, 0);

/* As err_set, with ": " and the text of errno at the end. */
bool err_errno(struct err *err, int status, const char *fmt, ...) PRINTF(3, 4);

/* Sets the hint; keeps everything else. */
void err_hint(struct err *err, const char *fmt, ...) PRINTF(2, 3);

/* Puts "prefix: " before the text that is there. Returns false. */
bool err_prefix(struct err *err, const char *fmt, ...) PRINTF(2, 3);

#endif
