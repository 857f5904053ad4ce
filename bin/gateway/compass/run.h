/* run.h - runs whose agent is a runtime: a message is a turn of a thread that has the run's id. Private to compass/. */
#ifndef COMPASS_RUN_H
#define COMPASS_RUN_H

#include "compat.h"
#include "jtext.h"

struct buf;
struct call;
struct change_context;
struct chat_turn_call;
struct compass;
struct note;
struct runtime;

/* ---- engine.c: runtimes besides the gateway's own. False: there are too many that have something to do. */
bool engine_find(struct compass *compass, const char *const *argv, const char *dir, struct runtime **ret) USE_RESULT;
size_t engines_count(const struct compass *compass);
void engines_stop(struct compass *compass, int64_t grace_ms, void (*done)(void *payload), void *payload); /* done for each */
void engines_free(struct compass *compass);

/* ---- run.c. The turn ends in this change, on the store's thread: what the run says of it goes with it. */
void run_turn_store(const struct chat_turn_call *call, struct change_context *context, const struct note *end);
/* On the loop: that is stored (why NULL), or nothing is and this is why. The call is not there any more when this returns. */
void run_turn_ended(struct chat_turn_call *call, const struct buf *why);
void run_turn_drop(struct chat_turn_call *call); /* nobody is told */

/* asking.c: a turn started on a run's thread. The call is answered when the message's turn has ended, or (asynchronous) begun. */
void run_ask(struct call *call);
struct call *run_asking(struct compass *compass, struct span turn);   /* who asked for this turn, not waiting any more; NULL: nobody */
void run_missed(struct span options, struct span why, void *payload); /* of chat_turns */
void runs_tick(struct compass *compass);
void runs_free(struct compass *compass);

#endif
