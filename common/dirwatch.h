/* dirwatch.h - wait until something changes in a directory
 *
 * inotify where there is one, and a look every so often beside it (network file systems tell nobody); without it, or when
 * CLARITY_HITL_POLL is set, only the looks. Spurious wake-ups are normal: the caller looks for itself.
 */
#ifndef DIRWATCH_H
#define DIRWATCH_H

#include "compat.h"

#include <poll.h>

#define DIRWATCH_POLL_MS 250   /* between two looks without inotify */
#define DIRWATCH_CHECK_MS 2000 /* and with it */

struct dirwatch {
	int fd; /* readable when something changed; -1: there is none */
};

void dirwatch_open(struct dirwatch *watch, const char *path); /* never fails: the worst is polling */
void dirwatch_close(struct dirwatch *watch);
/* Forgets what was told, telling the names of what came (not of what went) unless cb is NULL. */
void dirwatch_names(struct dirwatch *watch, void (*cb)(const char *name, void *payload), void *payload);
int64_t dirwatch_interval(const struct dirwatch *watch); /* ms to the next look */

/* Waits for a change, one of the other descriptors (at most 4; revents is set), the next look or the deadline (clock.h). */
void dirwatch_wait(struct dirwatch *watch, struct pollfd *others, unsigned n, int64_t deadline);

#endif
