/* die.h - the one voice of the programs: messages on standard error, and the end
 *
 * For programs only. Each message is one write: `agent-send: fatal: unable to post to run 'r1': connection
 * refused`. Control characters are shown, never sent. With --errors json a fatal error is one JSON object
 * instead: {"error":{"code","status","message","hint","http","retryable","retry_at","program"}}.
 */
#ifndef DIE_H
#define DIE_H

#include "compat.h"

#include "status.h"

struct err;

/* Set by cmd_init() and opt_next(); a program without them may set them itself. */
extern const char *die_program; /* "agent-send" */
extern bool die_quiet;		/* info is silent */
extern bool die_verbose;	/* debug speaks */
extern bool die_json;		/* fatal errors and warnings are JSON objects */

NORETURN void die(int status, const char *fmt, ...) PRINTF(2, 3);	/* "unable to ..." */
NORETURN void die_errno(int status, const char *fmt, ...) PRINTF(2, 3); /* adds ": reason" of errno */
NORETURN void die_err(const struct err *err);
NORETURN void die_usage(const char *fmt, ...) PRINTF(1, 2); /* two lines, status 2 */

void warn(const char *fmt, ...) PRINTF(1, 2);
void warn_err(const struct err *err); /* an error that does not end the program: one item of many */
void info(const char *fmt, ...) PRINTF(1, 2);
void debug(const char *fmt, ...) PRINTF(1, 2);

/* Partial failure: keeps the worse of two statuses. A later number in the table does not mean worse: anything
 * but OK beats OK, the first bad one is kept, except that NO (an answer) gives way to real failures. */
int status_worse(int a, int b);

#endif
