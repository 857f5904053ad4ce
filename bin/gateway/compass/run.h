/* run.h - runs whose agent is a runtime: a message is a turn of a thread that has the run's id. Private to compass/. */
#ifndef COMPASS_RUN_H
#define COMPASS_RUN_H

#include "compat.h"

struct chat_turn_call;
struct compass;
struct note;
struct runtime;

/* ---- engine.c: runtimes besides the gateway's own. False: there are too many that have something to do. */
bool engine_find(struct compass *compass, const char *const *argv, const char *dir, struct runtime **ret) USE_RESULT;
size_t engines_count(const struct compass *compass);
void engines_stop(struct compass *compass, int64_t grace_ms, void (*done)(void *payload), void *payload); /* done for each */
void engines_free(struct compass *compass);

/* ---- run.c: the turn's end is stored (NULL: the gateway ends, and nobody is told); the call is not there any more when this returns */
void run_turn_ended(struct chat_turn_call *call, const struct note *end);

#endif
