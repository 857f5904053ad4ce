/* worker.c - a thread that does the slow work */
#include "compat.h"

#include <signal.h>

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
