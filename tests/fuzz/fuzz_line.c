/* fuzz_line.c - any bytes through the line reader: no line is longer than allowed, and nothing is lost but what was too long */
#include "compat.h"

#include <stdlib.h>
#include <unistd.h>

#include "line.h"

#define MAX 8	      /* bytes of a line */
#define PIPE_MAX 4096 /* bytes that a pipe takes without a reader */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct line line;
	enum line_result result;
	size_t lines = 0, given = 0, len, i;
	int fds[2];
	char *s;

	if (n > PIPE_MAX)
		n = PIPE_MAX;
	if (pipe(fds) < 0)
		abort();
	if (n && write(fds[1], bytes, n) != (ssize_t)n)
		abort();
	close(fds[1]);
	line_init(&line, fds[0], MAX);
	while ((result = line_next(&line, &s, &len)) != LINE_EOF) {
		if ((result == LINE_OK && (len > MAX || s[len])) || (result == LINE_LONG && len <= MAX) ||
		    (result != LINE_OK && result != LINE_LONG))
			abort();
		given++;
	}
	for (i = 0; i < n; i++)
		lines += bytes[i] == '\n';
	if (n && bytes[n - 1] != '\n')
		lines++;
	if (given != lines || line.count != lines)
		abort();
	line_release(&line);
	close(fds[0]);
	return 0;
}
