/* statedir.h - where the gateway keeps its state: for the gateway, and for commands that work on its files */
#ifndef STATEDIR_H
#define STATEDIR_H

#include "compat.h"

struct buf;
struct err;

/* Appends --store as given, else --state, else STATE_DIRECTORY (its first one), else agentutils/gateway under XDG_STATE_HOME or
 * ~/.local/state. NULL: not given. Errors: STATUS_CONFIG. */
bool statedir_find(const char *state, const char *store, struct buf *to, struct err *err) USE_RESULT;

/* Appends the path of a file beside the log: where is what statedir_find() gave, a directory, or sqlite:/path of the log's file. */
void statedir_file(const char *where, const char *name, struct buf *to);

/* Creates the directory of a file, and its parents, mode 0700. Errors: STATUS_CONFIG. */
bool statedir_make_for(const char *file, struct err *err) USE_RESULT;

/* As root: gives an open file to the owner of its directory, so that a gateway with an account of its own can use it. */
void statedir_give(int fd, const char *file);

#endif
