/* behind.h - a thread that puts lots of rows into SQLite, and commits, while the store's thread goes on. Private to sqlite.c.
 *
 * It does what it is given, in that order. While it has something to do the handle is its own; whoever waits for it has the handle again.
 */
#ifndef STORE_BEHIND_H
#define STORE_BEHIND_H

#include "compat.h"
#include "err.h"
#include "store/held.h"

#define BEHIND_MAX (8 * 1024 * 1024) /* bytes that wait for the thread: whoever gives more waits, too */

struct behind;
/* On the thread. lot NULL: commit. False: err is filled, and nothing more is run until behind_drop(). */
typedef bool behind_run(const struct lot *lot, void *payload, struct err *err);

struct behind *behind_new(behind_run *run, void *payload); /* NULL: errno says why */
void behind_free(struct behind *behind);		   /* accepts NULL; what was given is run before */

/* Takes the lots; empty ones come back. commit: after them, as soon as behind_allow() says so. There is one such commit at a time. */
void behind_give(struct behind *behind, struct lots *lots, bool commit);
/* From any thread; why: the commit is not to be, and fails with this. */
void behind_allow(struct behind *behind, const struct err *why);

/* False: something has failed (err). *ret_committed: the last commit that was given is done. */
bool behind_look(struct behind *behind, bool *ret_committed, struct err *err) USE_RESULT;
bool behind_wait(struct behind *behind, struct err *err) USE_RESULT; /* until all is done; false: something has failed */
void behind_rest(struct behind *behind);			     /* the empty lots are freed */
void behind_drop(struct behind *behind);			     /* what has not been run yet is not; what has failed is forgotten */

#endif
