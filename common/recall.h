/* recall.h - lines that were typed before, kept in a file: one a line, oldest first
 *
 * The file is for its owner only (mode 0600). A line is appended with one write, so that two programs may share the file; when it
 * has grown to twice the limit it is replaced by its newest lines.
 */
#ifndef RECALL_H
#define RECALL_H

#include "compat.h"

struct err;

#define RECALL_LINES_MAX 1000		    /* lines kept */
#define RECALL_FILE_MAX (16u * 1024 * 1024) /* bytes read; a longer file is refused */

typedef void recall_line_cb(const char *line, void *payload);

/* Gives the newest RECALL_LINES_MAX lines, oldest of them first. A file that is not there has none. */
bool recall_read(const char *path, recall_line_cb *cb, void *payload, struct err *err) USE_RESULT;

/* Appends a line. Nothing is kept of a blank one or one that begins with a blank: that is how to type a secret. */
bool recall_add(const char *path, const char *line, struct err *err) USE_RESULT;
bool recall_wanted(const char *line);

#endif
