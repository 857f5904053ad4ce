/* worker.c - a thread that does the slow work */
#include "compat.h"

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "worker.h"

int
worker_start(pthread_t *ret, void *(*work)(void *payload), void *payload)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(ret, NULL, work, payload);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return error;
}

#define PROMPT_NS 100000 /* of the processor at a time, the least that Linux takes: who asks for less at once gets it sooner */
#define PATIENT_NICE 5	 /* more than this process is */

void
worker_is(enum worker_kind kind)
{
	/* as of sched_setattr(2) in its first version; not every C library has it */
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} wish;

	/* what whoever started this process has asked for stays */
	if (syscall(SYS_sched_getattr, 0, &wish, sizeof wish, 0) < 0 || wish.policy != SCHED_OTHER)
		return;
	if (kind == WORKER_PROMPT)
		wish.runtime = PROMPT_NS;
	else {
		wish.policy = SCHED_BATCH;
		wish.nice += PATIENT_NICE; /* Linux cuts it at the largest */
	}
	(void)syscall(SYS_sched_setattr, 0, &wish, 0);
}
