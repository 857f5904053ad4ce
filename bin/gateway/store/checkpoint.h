/* checkpoint.h - what a SQLite database has written ahead goes into its file on a thread of its own, while others write on
 *
 * Whoever writes only has to do the rest of it now and then: SQLite begins its log anew when all of it is in the file and nobody writes.
 */
#ifndef STORE_CHECKPOINT_H
#define STORE_CHECKPOINT_H

#include "compat.h"

struct checkpointer;

/* With a connection of its own. NULL when there is none to be had: then whoever writes does all of it. */
struct checkpointer *checkpointer_new(const char *file);
void checkpointer_wake(struct checkpointer *checkpointer); /* there is something to do; accepts NULL */
void checkpointer_free(struct checkpointer *checkpointer); /* waits for what it is doing; accepts NULL */

#endif
