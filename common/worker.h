/* worker.h - a thread that does the slow work of a program whose signals are its loop's */
#ifndef WORKER_H
#define WORKER_H

#include <pthread.h>

#include "compat.h"

/* Starts it with all signals blocked. 0, else errno. */
int worker_start(pthread_t *ret, void *(*work)(void *payload), void *payload) USE_RESULT;

#endif
