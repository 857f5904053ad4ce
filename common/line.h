/* line.h - a bounded reader of newline-ended lines from a descriptor
 *
 * Splits on the byte LF before anything decodes; CR before LF is dropped; the last line needs no LF; bytes are
 * otherwise untouched and may hold NUL. A line of more than max bytes gives LINE_LONG once (with its first bytes
 * dropped and counted), after which reading goes on with the next line.
 * Blocking descriptors wait; on a non-blocking one LINE_AGAIN says that there is no whole line yet.
 */
#ifndef LINE_H
#define LINE_H

#include "buf.h"
#include "compat.h"

enum line_result { LINE_OK, LINE_EOF, LINE_AGAIN, LINE_LONG, LINE_ERROR };

struct line {
	int fd;		/* not owned */
	size_t max;	/* bytes in one line, without its end */
	uint64_t count; /* lines given so far, LINE_LONG included: the number of the line just given */
	/* private */
	struct buf held;
	size_t start, scanned;
	bool eof, skipping;
	size_t skipped;
};

void line_init(struct line *line, int fd, size_t max);
void line_release(struct line *line);

/* LINE_OK: *ret_s (NUL-ended, borrowed until the next call) and *ret_n. LINE_LONG: *ret_n is the length that was too
 * much. LINE_ERROR: errno is set. */
enum line_result line_next(struct line *line, char **ret_s, size_t *ret_n) USE_RESULT;

/* True when a whole line is held already, so that line_next() will not read. */
bool line_ready(const struct line *line);

#endif
