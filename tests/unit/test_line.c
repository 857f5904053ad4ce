/* test_line.c - lines from a descriptor, however its bytes come */
#include "compat.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "line.h"
#include "tap.h"

static void
put(int fd, const char *s, size_t n)
{
	if (write(fd, s, n) != (ssize_t)n)
		exit(1);
}

int
main(void)
{
	struct line line;
	int fds[2];
	char *s;
	size_t n;

	if (pipe(fds) < 0)
		return 1;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	line_init(&line, fds[0], 5);
	put(fds[1], "ab\r\nc\0d\n12345\r\n123456\nlong long long", 35);
	ok(line_next(&line, &s, &n) == LINE_OK && n == 2 && !strcmp(s, "ab"), "CR before LF is dropped");
	ok(line_ready(&line), "a whole line is held");
	ok(line_next(&line, &s, &n) == LINE_OK && n == 3 && !memcmp(s, "c\0d", 4), "NUL is a byte like others");
	ok(line_next(&line, &s, &n) == LINE_OK && n == 5, "a line of the longest length is taken");
	ok(line_next(&line, &s, &n) == LINE_LONG && n == 6 && line.count == 4, "one byte more is too long, and counted");
	ok(line_next(&line, &s, &n) == LINE_AGAIN, "an unfinished line is not there yet");
	put(fds[1], " and more", 9);
	ok(line_next(&line, &s, &n) == LINE_AGAIN, "nor with more of it");
	put(fds[1], "\nnext", 5);
	ok(line_next(&line, &s, &n) == LINE_LONG && n > 20, "then it is known to be too long");
	close(fds[1]);
	ok(line_next(&line, &s, &n) == LINE_OK && n == 4 && !strcmp(s, "next"), "reading goes on, and the last line needs no newline");
	ok(line_next(&line, &s, &n) == LINE_EOF && line_next(&line, &s, &n) == LINE_EOF, "then it is the end, however often one asks");
	line_release(&line);
	close(fds[0]);
	line_init(&line, -1, 5);
	ok(line_next(&line, &s, &n) == LINE_ERROR, "an error is an error");
	line_release(&line);
	return done();
}
