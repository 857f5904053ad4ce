/* flight.h - a turn that is under way. Private to compass/: flight.c is its life, said.c what the runtime says of it. */
#ifndef COMPASS_FLIGHT_H
#define COMPASS_FLIGHT_H

#include "buf.h"
#include "compat.h"
#include "runtime/runtime.h"
#include "store/thread.h"
#include "trace.h"
#include "usage.h"

struct call;
struct chat_turn_call;
struct compass;
struct note;

/* One that is asked, or will be as soon as the store has it. */
struct asked {
	struct buf id;
	uint64_t number; /* the runtime's */
	int64_t deadline;
	enum runtime_decision late; /* when the deadline passes */
	bool stored, resolving;
	struct asked *next;
};

struct flight {
	struct compass *compass;
	struct runtime *runtime;						      /* NULL: there is none */
	struct chat_turn_call *run;						      /* a run's message, or NULL */
	struct buf turn, thread, native, rules, message;			      /* message: id of the assistant's message */
	struct buf text, model, effort, personality, approval_policy, sandbox_policy; /* what the runtime is asked for */
	struct trace trace;
	struct buf cwd, thread_params; /* the same; params: JSON */
	enum thread_host host;
	int64_t timeout_ms;
	struct call *waiting;	   /* to be answered at the end */
	uint64_t number;	   /* the runtime's, 0: waits for the one before on this thread */
	struct note *first, *tail; /* not yet given to the store */
	size_t bytes;
	struct buf held; /* text that may be a part of a secret; of this kind, and of this item */
	enum runtime_delta held_kind;
	struct buf held_item;
	size_t poured;	    /* bytes of commands' output so far */
	int64_t held_since; /* when it last grew */
	struct asked *asked;
	struct buf usage; /* the runtime's last word about it: JSON */
	struct usage spent;
	bool storing; /* a batch is on its way */
	bool stalled, over, interrupted;
	bool failed; /* the store refused: again with the next tick */
	struct flight *next;
};

/* flight.c */
void flight_add(struct flight *flight, struct note *note); /* the last one so far; taken over */
void flight_weigh(struct flight *flight, size_t n);	   /* one of them has grown */

/* said.c */
void flight_said(const struct runtime_event *event, void *payload);
void flight_end(struct flight *flight, const struct runtime_end *end);
void flight_give_held(struct flight *flight); /* before anything else is told */
void flight_resolve(struct flight *flight, struct asked *asked, const char *decision, const char *resolution);

#endif
