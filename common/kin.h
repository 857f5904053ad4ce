/* kin.h - a program that was started, and all that it has started, wherever they went
 *
 * Signalling a process group misses who left it: setsid, a shell's job control, a program that makes itself a daemon. So every program that
 * spawn.h starts in a group of its own carries a mark in its environment (AGENT_KIN), which its children inherit; where there is a /proc,
 * kin_signal() reaches all who carry the mark, and their descendants, also those whose parent has ended. Who leaves the group, drops the
 * environment and loses its parent, all three, is not found. Without /proc it is the group alone.
 *
 * Marks nest: a program that we start and that starts programs itself passes ours on beside its own.
 */
#ifndef KIN_H
#define KIN_H

#include "compat.h"

#include <sys/types.h>

#define KIN_VARIABLE "AGENT_KIN"
#define KIN_MARKS_MAX 4096	      /* bytes of marks that are passed on; deeper ones are not told apart from each other */
#define KIN_ENVIRON_MAX (256u * 1024) /* bytes of a process's environment that are searched for a mark */
#define KIN_ROUNDS 16		      /* looks for who was started while the others were ended */

struct kin {
	pid_t group;	      /* the leader's process id */
	unsigned long number; /* of the mark; 0: no mark */
};

/* Unique to this process: call it once before the first fork that wants to know it. */
void kin_begin(void);

/* The environment of a program to be: `env` (NULL: ours), and its mark. Free the array and, when it is not NULL, *ret_mark; the other
 * strings are borrowed. */
const char **kin_environment(const char *const *env, struct kin *kin, char **ret_mark) USE_RESULT;

void kin_signal_group(const struct kin *kin, int sig);
/* The group and all others. SIGKILL looks again until nobody is left, KIN_ROUNDS times at most. Takes milliseconds: for ends that somebody
 * asked for. */
void kin_signal(const struct kin *kin, int sig);

/* SIGKILL for all that any program carries that was started by the process that called kin_begin(), which may be our parent. */
void kin_kill_all(void);

#endif
