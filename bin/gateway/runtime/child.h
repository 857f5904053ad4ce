/* child.h - whatever stands at the other end: lines out of it, bytes into it, and its end. Private to runtime/.
 *
 * A process on three pipes (child.c), or a session host somewhere, to which the same lines are spoken here and by HTTP from here on
 * (remote.c).
 *
 * Of a process: lines are cut at the byte LF before anything decodes. The end of the process is seen by itself, not by the end of its
 * output, so something it left behind holds nobody up; what it wrote before its end is still given. Then its group is killed, and only then
 * is it reaped, so that the group's number cannot be somebody else's by then.
 */
#ifndef RUNTIME_CHILD_H
#define RUNTIME_CHILD_H

#include "buf.h"
#include "compat.h"

#include <sys/types.h>

struct child;
struct err;
struct runtime_host;
struct event_base;

struct child_calls {
	void (*line)(const char *s, size_t n, void *payload);	/* NUL-ended */
	void (*too_long)(void *payload);			/* a line over the limit; nothing is read any more */
	void (*turn)(void *payload);				/* a batch of lines has been given */
	void (*errors)(const char *s, size_t n, void *payload); /* standard error, as it comes */
	void (*closed)(bool input, void *payload);		/* it closed its input, or its output, and lives on */
	void (*ended)(int wait_status, void *payload);		/* reaped; the last call. free() is allowed in it */
};

struct child_setup {
	const char *const *argv, *const *env;
	const char *dir;
	size_t line_max;
	size_t unsent_max;
};

struct child_kind {
	/* Queues the bytes. False: more than unsent_max would be unread. wipe: they are overwritten when they have been written. */
	bool (*write)(struct child *child, const void *bytes, size_t n, bool wipe);
	void (*hold)(struct child *child, bool held); /* reads nothing, or goes on */
	/* Ends it. gently: its input ends, SIGTERM to its group after half the grace, SIGKILL after all of it. Else SIGTERM is sent at
	 * once. Lines are still given. Calling it again can only make it harder. */
	void (*end)(struct child *child, bool gently, int64_t grace_ms);
	void (*kill)(struct child *child); /* SIGKILL to the group, now */
	void (*free)(struct child *child); /* kills and reaps what is there; no call comes any more */
};

struct child {
	const struct child_kind *kind;
	pid_t pid; /* 0: it is none of our processes, or not any more */
};

/* NULL: err says why it could not be started. */
struct child *child_start(
    struct event_base *base, const struct child_setup *setup, const struct child_calls *calls, void *payload, struct err *err) USE_RESULT;
struct child *remote_start(struct event_base *base, const struct runtime_host *host, const struct child_calls *calls, void *payload);

#endif
