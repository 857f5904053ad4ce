/* codex.h - where codex is */
#ifndef CODEX_H
#define CODEX_H

#include "buf.h"
#include "compat.h"

#define CODEX_OLDEST "0.105.0" /* what speaks the protocol as it is pinned */

/* Appends the program: AGENT_RUNTIME_CODEX (empty: none), else the one that stands beside this program (libexec), else the one on the PATH. npm puts
 * a script there; the program behind it is taken, which starts 70 ms sooner and is one process less. self: the directory of this program, with a
 * slash at its end. False: there is none. */
bool codex_find(struct buf *to, const char *self);

#endif
