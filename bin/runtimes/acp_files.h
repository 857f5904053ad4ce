/* acp_files.h - the files an agent may have: those under one directory, by no way around */
#ifndef ACP_FILES_H
#define ACP_FILES_H

#include "buf.h"
#include "compat.h"

struct err;

#define ACP_FILE_MAX (8u * 1024 * 1024) /* bytes of a file that is read */

/* The path must be absolute and lie under cwd, which may be named by its real path too; no part of it below cwd may be "." or "..", empty
 * or a symbolic link; the file must be a regular one. */

/* Lines from `line` on (1 is the first), at most `limit`; 0: all. Appends. */
bool acp_file_read(const char *cwd, const char *path, int64_t line, int64_t limit, struct buf *to, struct err *err) USE_RESULT;

/* Replaces the content; the file is made, its directory is not. */
bool acp_file_write(const char *cwd, const char *path, const struct buf *text, struct err *err) USE_RESULT;

#endif
