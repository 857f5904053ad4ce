/* buf.h - a growing byte buffer
 *
 * Invariants: s is never NULL and s[len] is NUL, also in a fresh buffer; bytes before it may hold NUL.
 * Growth dies when memory is out. Pointers into s die with the next call that adds.
 */
#ifndef BUF_H
#define BUF_H

#include "compat.h"

#include <stdarg.h>
#include <string.h>
#include <sys/types.h>

struct err;

struct buf {
	char *s;
	size_t len; /* bytes in use, without the final NUL */
	size_t cap; /* bytes allocated; 0 while s is the shared empty string */
};

extern char buf_empty[];
#define BUF_INIT                                                                                                                           \
	{                                                                                                                                  \
		.s = buf_empty                                                                                                             \
	}

void buf_init(struct buf *buf);
void buf_release(struct buf *buf); /* frees, and leaves an empty buffer; accepts NULL */
void buf_reset(struct buf *buf);   /* length 0, memory kept */

/* You now own the bytes (NUL-ended, free with free()); the buffer is empty again. */
char *buf_detach(struct buf *buf, size_t *ret_len) USE_RESULT;

void buf_grow(struct buf *buf, size_t more); /* for the next one, when there is not enough */
/* room for `more` bytes and the NUL */
static inline void
buf_reserve(struct buf *buf, size_t more)
{
	if (buf->len + more >= buf->cap)
		buf_grow(buf, more);
}
static inline void
buf_add(struct buf *buf, const void *bytes, size_t n)
{
	if (!n)
		return;
	buf_reserve(buf, n);
	memcpy(buf->s + buf->len, bytes, n);
	buf->len += n;
	buf->s[buf->len] = '\0';
}
static inline void
buf_addstr(struct buf *buf, const char *s)
{
	buf_add(buf, s, strlen(s));
}
static inline void
buf_addch(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}
static inline bool
buf_equal(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && !memcmp(a->s, b->s, a->len);
}
void buf_addu64(struct buf *buf, uint64_t n); /* decimal, without going through printf */
void buf_addf(struct buf *buf, const char *fmt, ...) PRINTF(2, 3);
void buf_vaddf(struct buf *buf, const char *fmt, va_list args) PRINTF(2, 0);
void buf_cut(struct buf *buf, size_t len);   /* shorten to len <= buf->len */
void buf_consume(struct buf *buf, size_t n); /* drop n bytes at the front */

/* Appends what fd gives until its end. False: err is filled (STATUS_IO; STATUS_INPUT when it holds more than
 * max bytes, naming the limit). subject names the file in messages. */
bool buf_read_fd(struct buf *buf, int fd, size_t max, const char *subject, struct err *err) USE_RESULT;

/* Writes all of it, through interruptions. How much was written: less than all of it when that failed, see errno. */
size_t bytes_write_fd(const void *bytes, size_t n, int fd) USE_RESULT;
static inline size_t
buf_write_fd(const struct buf *buf, int fd)
{
	return bytes_write_fd(buf->s, buf->len, fd);
}

/* Reads a whole file; "-" is standard input. Errors as buf_read_fd. */
bool buf_read_file(struct buf *buf, const char *path, size_t max, struct err *err) USE_RESULT;

/* Takes the place of what is at path, as a whole: a temporary file beside it, then rename. False: what was there is there still; err
 * (STATUS_IO) says "unable to write WHAT 'path'". */
bool buf_replace_file(const struct buf *buf, const char *path, mode_t mode, const char *what, struct err *err) USE_RESULT;

#endif
