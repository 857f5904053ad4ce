/* buf.c - a growing byte buffer */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "err.h"
#include "status.h"
#include "xalloc.h"

#define BUF_FIRST_CAP 64 /* bytes */

char buf_empty[1] = "";

void
buf_init(struct buf *buf)
{
	buf->s = buf_empty;
	buf->len = buf->cap = 0;
}

void
buf_release(struct buf *buf)
{
	if (!buf)
		return;
	if (buf->cap)
		free(buf->s);
	buf_init(buf);
}

void
buf_reset(struct buf *buf)
{
	buf_cut(buf, 0);
}

char *
buf_detach(struct buf *buf, size_t *ret_len)
{
	char *s;

	if (ret_len)
		*ret_len = buf->len;
	s = buf->cap ? buf->s : xstrdup("");
	buf_init(buf);
	return s;
}

void
buf_grow(struct buf *buf, size_t more)
{
	size_t need = buf->len + more + 1, cap = buf->cap ? buf->cap : BUF_FIRST_CAP;

	while (cap < need)
		cap += cap / 2 + BUF_FIRST_CAP;
	buf->s = xrealloc(buf->cap ? buf->s : NULL, cap);
	buf->cap = cap;
	buf->s[buf->len] = '\0';
}

void
buf_addu64(struct buf *buf, uint64_t n)
{
	char digits[20];
	size_t i = sizeof digits;

	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	buf_add(buf, digits + i, sizeof digits - i);
}

void
buf_vaddf(struct buf *buf, const char *fmt, va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, fmt, args);
	if (n > 0) {
		buf_reserve(buf, (size_t)n);
		vsnprintf(buf->s + buf->len, (size_t)n + 1, fmt, again);
		buf->len += (size_t)n;
	}
	va_end(again);
}

void
buf_addf(struct buf *buf, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	buf_vaddf(buf, fmt, args);
	va_end(args);
}

void
buf_cut(struct buf *buf, size_t len)
{
	if (!buf->cap)
		return;
	buf->len = len;
	buf->s[len] = '\0';
}

void
buf_consume(struct buf *buf, size_t n)
{
	if (!n)
		return;
	memmove(buf->s, buf->s + n, buf->len - n);
	buf_cut(buf, buf->len - n);
}

bool
buf_read_fd(struct buf *buf, int fd, size_t max, const char *subject, struct err *err)
{
	size_t start = buf->len;

	for (;;) {
		ssize_t n;

		buf_reserve(buf, 65536);
		n = read(fd, buf->s + buf->len, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, STATUS_IO, "unable to read '%s'", subject);
		if (!n)
			break;
		buf->len += (size_t)n;
		buf->s[buf->len] = '\0';
		if (buf->len - start > max)
			return err_set(err, STATUS_INPUT, "unable to take '%s': it holds more than %zu bytes", subject, max);
	}
	buf->s[buf->len] = '\0';
	return true;
}

size_t
bytes_write_fd(const void *bytes, size_t n, int fd)
{
	size_t done = 0;
	ssize_t more;

	while (done < n) {
		more = write(fd, (const char *)bytes + done, n - done);
		if (more < 0 && errno == EINTR)
			continue;
		if (more <= 0)
			break;
		done += (size_t)more;
	}
	return done;
}

bool
buf_read_file(struct buf *buf, const char *path, size_t max, struct err *err)
{
	int fd;
	bool ok;

	if (!strcmp(path, "-"))
		return buf_read_fd(buf, STDIN_FILENO, max, "standard input", err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, STATUS_IO, "unable to open '%s'", path);
	ok = buf_read_fd(buf, fd, max, path, err);
	close(fd);
	return ok;
}

bool
buf_replace_file(const struct buf *buf, const char *path, mode_t mode, const char *what, struct err *err)
{
	struct buf temp = BUF_INIT;
	bool ok;
	int fd;

	buf_addf(&temp, "%s.%ld", path, (long)getpid());
	fd = open(temp.s, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	ok = fd >= 0 && buf_write_fd(buf, fd) == buf->len;
	if (fd >= 0 && close(fd) < 0)
		ok = false;
	if (!ok || rename(temp.s, path) < 0) {
		err_errno(err, STATUS_IO, "unable to write %s '%s'", what, path);
		if (fd >= 0)
			unlink(temp.s);
		ok = false;
	}
	buf_release(&temp);
	return ok;
}
