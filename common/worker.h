/* worker.h - a thread that does the slow work of a program whose signals are its loop's */
#ifndef WORKER_H
#define WORKER_H

#include <pthread.h>

#include "compat.h"

/* Starts it with all signals blocked. 0, else errno. */
int worker_start(pthread_t *ret, void *(*work)(void *payload), void *payload) USE_RESULT;

/* What the calling thread does: short pieces of work that others wait for, or long ones that nobody does. A wish: a scheduler that does not
 * know it (Linux before 6.12 does not know the first) goes on as it was. */
enum worker_kind { WORKER_PROMPT, WORKER_PATIENT };
void worker_is(enum worker_kind kind);

#endif
