/* program.h - where programs are: on the PATH, beside this one, and codex */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "buf.h"
#include "compat.h"

#define PROGRAM_CODEX_OLDEST "0.105.0" /* what speaks the protocol as it is pinned */

/* Each appends. */

/* The directory of this program, with a slash at its end; nothing when the system does not tell. */
void program_dir(struct buf *to);

/* As execvp() will look for it: a name with a slash as it is, another on the PATH. False: nothing there can be run. */
bool program_find(const char *name, struct buf *to) USE_RESULT;

/* One of ours that stands in libexec: beside this program, installed or not, else where it would be installed. */
void program_libexec(const char *name, struct buf *to);

/* AGENT_RUNTIME_CODEX (empty: none), else the one that stands in libexec, else the one on the PATH. npm puts a script there; the program
 * behind it is taken, which starts 70 ms sooner and is one process less. */
bool program_codex(struct buf *to) USE_RESULT;

/* Where a jq came with us, in libexec: puts that at the end of the PATH, for us and for whom we start; a system's own comes first. */
void program_path_jq(void);

/* The text as a word of the shell. */
void program_quote(const char *text, struct buf *to);

#endif
