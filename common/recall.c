/* recall.c - lines that were typed before */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "err.h"
#include "recall.h"
#include "status.h"

static size_t
count_lines(const struct buf *text)
{
	const char *s = text->s;
	size_t n = 0;

	while ((s = memchr(s, '\n', (size_t)(text->s + text->len - s)))) {
		s++;
		n++;
	}
	return n;
}

/* The start of the newest RECALL_LINES_MAX lines. */
static char *
newest(const struct buf *text, size_t lines)
{
	char *s = text->s;

	for (; lines > RECALL_LINES_MAX; lines--)
		s = strchr(s, '\n') + 1;
	return s;
}

/* What the file holds, each line ended; NUL bytes, which no line of ours has, are blanks. Empty when there is none. */
static bool
read_all(const char *path, struct buf *text, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t i;
	bool ok;

	if (fd < 0 && errno == ENOENT)
		return true;
	if (fd < 0)
		return err_errno(err, STATUS_IO, "unable to read the history '%s'", path);
	ok = buf_read_fd(text, fd, RECALL_FILE_MAX, path, err);
	close(fd);
	for (i = 0; i < text->len; i++)
		if (!text->s[i])
			text->s[i] = ' ';
	if (text->len && text->s[text->len - 1] != '\n')
		buf_addch(text, '\n');
	return ok;
}

bool
recall_read(const char *path, recall_line_cb *cb, void *payload, struct err *err)
{
	struct buf text = BUF_INIT;
	bool ok = read_all(path, &text, err);
	char *line, *end;

	for (line = newest(&text, count_lines(&text)); ok && (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		cb(line, payload);
	}
	buf_release(&text);
	return ok;
}

static bool
shorten(const char *path, struct err *err)
{
	struct buf text = BUF_INIT;
	bool ok = read_all(path, &text, err);
	size_t lines = count_lines(&text);

	if (ok && lines >= 2 * RECALL_LINES_MAX) {
		buf_consume(&text, (size_t)(newest(&text, lines) - text.s));
		ok = buf_replace_file(&text, path, 0600, "the history", err);
	}
	buf_release(&text);
	return ok;
}

bool
recall_wanted(const char *line)
{
	return *line && !strchr(" \t\r\n", *line) && !strchr(line, '\n');
}

bool
recall_add(const char *path, const char *line, struct err *err)
{
	struct buf text = BUF_INIT;
	bool ok;
	int fd;

	if (!recall_wanted(line))
		return true;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, STATUS_IO, "unable to write the history '%s'", path);
	/* it may be there with another mode */
	(void)fchmod(fd, 0600);
	buf_addf(&text, "%s\n", line);
	ok = write(fd, text.s, text.len) == (ssize_t)text.len;
	if (close(fd) < 0)
		ok = false;
	if (!ok)
		err_errno(err, STATUS_IO, "unable to write the history '%s'", path);
	buf_release(&text);
	return ok && shorten(path, err);
}
