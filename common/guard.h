/* guard.h - nothing that was started outlives us, however we end
 *
 * A small process beside a daemon that holds one end of a pipe. When the daemon is gone, also by SIGKILL, it kills the process groups that
 * were told to it and not taken back, and whoever left them (kin.h), and ends. One per process; without it (guard_start() not called)
 * nothing is guarded.
 */
#ifndef GUARD_H
#define GUARD_H

#include "compat.h"

#include <sys/types.h>

struct err;

#define GUARD_GROUPS_MAX 4096 /* process groups at once; further ones are not guarded */

/* Before any thread is started and any descriptor opened that must not stay open in it. False: STATUS_IO. */
bool guard_start(struct err *err) USE_RESULT;
void guard_add(pid_t group);
void guard_drop(pid_t group); /* after it was waited for */

#endif
