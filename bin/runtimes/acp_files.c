/* acp_files.c - files under one directory, each part of the path opened without following links */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "acp_files.h"
#include "err.h"
#include "status.h"

/* What of the path comes after the directory; NULL: it lies elsewhere. */
static const char *
below(const char *dir, const char *path)
{
	size_t n = strlen(dir);

	while (n && dir[n - 1] == '/')
		n--;
	return *dir == '/' && !strncmp(dir, path, n) && path[n] == '/' && path[n + 1] ? path + n + 1 : NULL;
}

/* The descriptor of the file, -1 with err. */
static int
open_below(const char *cwd, const char *path, int flags, struct err *err)
{
	const char *rest = below(cwd, path), *stop;
	char real[PATH_MAX], part[NAME_MAX + 1];
	int fd, next;
	size_t n;

	if (!rest && realpath(cwd, real))
		rest = below(real, path);
	if (!rest) {
		err_set(err, STATUS_DENIED, "unable to open '%s': it is not under '%s'", path, cwd);
		return -1;
	}
	fd = open(cwd, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (; fd >= 0; rest = stop + 1) {
		stop = strchr(rest, '/');
		n = stop ? (size_t)(stop - rest) : strlen(rest);
		if (!n || n > NAME_MAX || (n == 1 && *rest == '.') || (n == 2 && !memcmp(rest, "..", 2))) {
			close(fd);
			err_set(err, STATUS_DENIED, "unable to open '%s': its path is not a plain one", path);
			return -1;
		}
		memcpy(part, rest, n);
		part[n] = '\0';
		next = openat(fd, part, (stop ? O_RDONLY | O_DIRECTORY : flags | O_NONBLOCK | O_NOCTTY) | O_NOFOLLOW | O_CLOEXEC, 0666);
		n = (size_t)errno;
		close(fd);
		errno = (int)n;
		fd = next;
		if (!stop)
			break;
	}
	if (fd < 0)
		err_errno(err, errno == ELOOP ? STATUS_DENIED : STATUS_IO, "unable to open '%s'", path);
	return fd;
}

static bool
is_file(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(err, STATUS_IO, "unable to use '%s'", path);
	return S_ISREG(st.st_mode) || err_set(err, STATUS_DENIED, "unable to use '%s': it is no regular file", path);
}

bool
acp_file_read(const char *cwd, const char *path, int64_t line, int64_t limit, struct buf *to, struct err *err)
{
	int fd = open_below(cwd, path, O_RDONLY, err);
	struct buf text = BUF_INIT;
	const char *s, *end, *stop;
	bool ok;

	if (fd < 0)
		return false;
	ok = is_file(fd, path, err) && buf_read_fd(&text, fd, ACP_FILE_MAX, path, err);
	close(fd);
	s = text.s;
	end = text.s + text.len;
	for (; line > 1 && s < end; line--)
		s = (stop = memchr(s, '\n', (size_t)(end - s))) ? stop + 1 : end;
	stop = end;
	if (limit > 0)
		for (stop = s; limit > 0 && stop < end; limit--) {
			const char *at = memchr(stop, '\n', (size_t)(end - stop));

			stop = at ? at + 1 : end;
		}
	if (ok)
		buf_add(to, s, (size_t)(stop - s));
	buf_release(&text);
	return ok;
}

bool
acp_file_write(const char *cwd, const char *path, const struct buf *text, struct err *err)
{
	int fd = open_below(cwd, path, O_WRONLY | O_CREAT, err);
	bool ok;

	if (fd < 0)
		return false;
	ok = is_file(fd, path, err);
	if (ok && (ftruncate(fd, 0) < 0 || buf_write_fd(text, fd) < text->len))
		ok = err_errno(err, STATUS_IO, "unable to write '%s'", path);
	if (close(fd) < 0 && ok)
		ok = err_errno(err, STATUS_IO, "unable to write '%s'", path);
	return ok;
}
