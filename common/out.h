/* out.h - standard output: records, checked writes
 *
 * What is added is kept until out_flush(), or until OUT_HELD_MAX bytes are held; a command flushes before it waits for
 * anything, so a reader sees a record as soon as it exists and a busy command still writes in large pieces.
 * A record is never cut by a flush of ours. The first write that fails ends the program: STATUS_IO, or death by SIGPIPE
 * when the reader has gone (also when something had SIGPIPE ignored for a while, as libcurl does).
 */
#ifndef OUT_H
#define OUT_H

#include "compat.h"

#define OUT_HELD_MAX 65536 /* bytes */

void out_write(const void *bytes, size_t n);

/* One record: the bytes and a newline. On a terminal what could drive it is escaped (UTF8_SAFE_JSON): the record means the same. */
void out_line(const char *bytes, size_t n);

void out_printf(const char *fmt, ...) PRINTF(1, 2);
void out_flush(void);

/* For the way out with bad news: writes what can be written, reports nothing. */
void out_flush_quietly(void);

/* The last word of main: flushes, closes, and gives `0` or ends the program with STATUS_IO. */
int out_close(void);

#endif
