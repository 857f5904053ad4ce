/* child.h - a process on three pipes: lines out of it, bytes into it, and its whole group ended. Private to runtime/.
 *
 * Lines are cut at the byte LF before anything decodes. The end of the process is seen by itself, not by the end of its output, so
 * something it left behind holds nobody up; what it wrote before its end is still given. Then its group is killed, and only then is it
 * reaped, so that the group's number cannot be somebody else's by then.
 */
#ifndef RUNTIME_CHILD_H
#define RUNTIME_CHILD_H

#include "buf.h"
#include "compat.h"

#include <sys/types.h>

struct child;
struct err;
struct event_base;

struct child_calls {
	void (*line)(const char *s, size_t n, void *payload);	/* NUL-ended */
	void (*too_long)(void *payload);			/* a line over the limit; nothing is read any more */
	void (*turn)(void *payload);				/* a batch of lines has been given */
	void (*errors)(const char *s, size_t n, void *payload); /* standard error, as it comes */
	void (*closed)(bool input, void *payload);		/* it closed its input, or its output, and lives on */
	void (*ended)(int wait_status, void *payload);		/* reaped; the last call. child_free() is allowed in it */
};

struct child_setup {
	const char *const *argv, *const *env;
	const char *dir;
	size_t line_max;
	size_t unsent_max;
};

/* NULL: err says why it could not be started. */
struct child *child_start(
    struct event_base *base, const struct child_setup *setup, const struct child_calls *calls, void *payload, struct err *err) USE_RESULT;
pid_t child_pid(const struct child *child);

/* Queues the bytes. False: more than unsent_max would be unread. wipe: they are overwritten when they have been written. */
bool child_write(struct child *child, const void *bytes, size_t n, bool wipe) USE_RESULT;

/* Reads nothing, or goes on. */
void child_hold(struct child *child, bool held);

/* Ends it. gently: its input ends, SIGTERM to its group after half the grace, SIGKILL after all of it. Else SIGTERM is sent at once. Lines
 * are still given. Calling it again can only make it harder. */
void child_end(struct child *child, bool gently, int64_t grace_ms);
void child_kill(struct child *child); /* SIGKILL to the group, now */

/* Kills and reaps what is there; no call comes any more. Accepts NULL. */
void child_free(struct child *child);

#endif
