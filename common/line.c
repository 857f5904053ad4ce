/* line.c - a bounded reader of newline-ended lines */
#include "compat.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "line.h"

#define LINE_READ 65536 /* bytes asked for at a time */

void
line_init(struct line *line, int fd, size_t max)
{
	memset(line, 0, sizeof *line);
	line->fd = fd;
	line->max = max;
	buf_init(&line->held);
}

void
line_release(struct line *line)
{
	buf_release(&line->held);
	line->start = line->scanned = 0;
}

/* Moves what is left to the front. */
static void
compact(struct line *line)
{
	buf_consume(&line->held, line->start);
	line->scanned -= line->start;
	line->start = 0;
}

static enum line_result
give(struct line *line, size_t end, size_t next, char **ret_s, size_t *ret_n)
{
	size_t n = end - line->start;
	char *s = line->held.s + line->start;

	line->start = line->scanned = next;
	line->count++;
	if (line->skipping) {
		line->skipping = false;
		*ret_n = line->skipped + n;
		return LINE_LONG;
	}
	if (n && s[n - 1] == '\r')
		n--;
	*ret_n = n;
	if (n > line->max)
		return LINE_LONG;
	s[n] = '\0';
	*ret_s = s;
	return LINE_OK;
}

bool
line_ready(const struct line *line)
{
	return line->scanned < line->held.len && memchr(line->held.s + line->scanned, '\n', line->held.len - line->scanned);
}

enum line_result
line_next(struct line *line, char **ret_s, size_t *ret_n)
{
	for (;;) {
		char *end = line->held.len > line->scanned ? memchr(line->held.s + line->scanned, '\n', line->held.len - line->scanned)
							   : NULL;
		ssize_t n;

		if (end)
			return give(line, (size_t)(end - line->held.s), (size_t)(end - line->held.s) + 1, ret_s, ret_n);
		line->scanned = line->held.len;
		if (line->eof) {
			if (line->held.len == line->start && !line->skipping)
				return LINE_EOF;
			return give(line, line->held.len, line->held.len, ret_s, ret_n);
		}
		/* one byte more than max may be a CR */
		if (line->held.len - line->start > line->max + 1) {
			line->skipped = (line->skipping ? line->skipped : 0) + line->held.len - line->start;
			line->skipping = true;
			line->start = line->scanned = line->held.len;
		}
		if (line->start)
			compact(line);
		buf_reserve(&line->held, LINE_READ);
		n = read(line->fd, line->held.s + line->held.len, LINE_READ);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return LINE_AGAIN;
		if (n < 0)
			return LINE_ERROR;
		if (!n)
			line->eof = true;
		line->held.len += (size_t)n;
		line->held.s[line->held.len] = '\0';
	}
}
