/* spawn.h - start a program with pipes
 *
 * Never through a shell: argv as given, found on PATH when it has no slash. In the child: signals at their default,
 * empty mask, own process group when asked for, all other descriptors closed. A program that cannot be started is an
 * error here (with the reason of exec), not a child that dies later.
 */
#ifndef SPAWN_H
#define SPAWN_H

#include "compat.h"

#include <sys/types.h>

#include "kin.h"

struct err;

enum spawn_fd { SPAWN_INHERIT, SPAWN_PIPE, SPAWN_NULL };

struct spawn {
	/* in */
	const char *const *argv;
	const char *const *env; /* NULL: inherit */
	const char *dir;	/* NULL: stay */
	enum spawn_fd in, out, errs;
	bool own_group;
	/* out: our ends of the pipes (close-on-exec), -1 where there is none; the caller closes them */
	int in_fd, out_fd, err_fd;
	pid_t pid;
	struct kin kin; /* of a group of its own */
};

/* On false: nothing runs, nothing is open, err is filled (STATUS_CONFIG for not found or not executable, else STATUS_IO). */
bool spawn_start(struct spawn *spawn, struct err *err) USE_RESULT;

/* Feeds `input` to a program's standard input, waits for its end until the deadline (clock.h), kills its group when
 * the deadline passes. Its other descriptors are inherited. *ret_wait is waitpid's status. */
bool spawn_run(const char *const *argv, const char *const *env, const void *input, size_t n, int64_t deadline, int *ret_wait,
    struct err *err) USE_RESULT;

#endif
