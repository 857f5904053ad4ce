/* internal.h - what the files of runtime/ share: the runtime, its calls, its turns. Private to runtime/.
 *
 * Whatever is asked is put into a list and done from the loop: by tick() for what can be done at once, by lines of the child, or by the
 * one timer. So no callback ever comes from inside the function that asked. A callback may ask for anything, so after each one the lists
 * are looked at anew.
 */
#ifndef RUNTIME_INTERNAL_H
#define RUNTIME_INTERNAL_H

#include "backoff.h"
#include "buf.h"
#include "compat.h"
#include "runtime/child.h"
#include "runtime/message.h"
#include "runtime/runtime.h"
#include "trace.h"

struct event;

#define RUNTIME_LOADED_MAX 65536 /* threads that are known to be loaded; past it all are forgotten, and resumed when they are needed */
#define RUNTIME_OVER_MAX 64	 /* ids of turns that have ended, to tell their late messages from those of a new turn */
#define INTERRUPT_AGAIN_MS 50	 /* "no active turn to interrupt" may only mean "not yet" */
#define INTERRUPT_UNSEEN_MS 500	 /* turn/started should have come by now */
#define TELL_MAX 1000		 /* callbacks in one tick before others on the loop get a turn */

/* ---- calls (call.c) */

enum call_state { CALL_WAITING, CALL_SENT, CALL_FAILED };

struct call {
	struct call *next, **prev;
	bool asked;	     /* by runtime_call(); else it is one of our own (a turn's, the greeting) */
	int64_t id;	     /* on the wire */
	uint64_t generation; /* 0: no child yet */
	enum call_state state;
	enum runtime_fault fault; /* FAILED */
	int64_t retry_after_ms;
	char *message;
	char *method;
	struct buf params;
	struct trace trace;
	int64_t timeout_ms, deadline;
	bool secret;
	runtime_reply_cb *cb; /* NULL: nobody wants to know */
	void *payload;
};

/* params is moved into the call, which is one of our own and not counted. */
struct call *call_new(
    struct runtime *runtime, const char *method, struct buf *params, int64_t timeout_ms, runtime_reply_cb *cb, void *payload);
/* As runtime_call(); the call is there until the loop runs again. */
struct call *call_ask(
    struct runtime *runtime, const char *method, struct span params, int64_t timeout_ms, runtime_reply_cb *cb, void *payload);
void call_send(struct runtime *runtime, struct call *call); /* the child must be there */
void call_drop(struct call *call);			    /* it is over, and nobody is told */
void call_answer(struct runtime *runtime, const struct message *message);
void calls_ready(struct runtime *runtime); /* sends those that wait */
void calls_fail(
    struct runtime *runtime, uint64_t generation, enum runtime_fault fault, const char *message); /* of one generation; 0: waiting ones */
bool replies_tell(struct runtime *runtime); /* one that failed; false: there is none */
void calls_timeout(struct runtime *runtime);
size_t calls_count(const struct runtime *runtime, bool waiting);

/* ---- turns (turn.c, turn_ask.c, turn_stop.c, turn_end.c), approvals (approval.c) */

enum approval_state { APPROVAL_OPEN, APPROVAL_ANSWERED, APPROVAL_LATE, APPROVAL_WITHDRAWN };

struct approval {
	struct approval *next, **prev;
	uint64_t number;
	struct buf id; /* of the child's request, JSON */
	struct buf method, params, item;
	enum runtime_approval_kind kind;
	enum approval_state state; /* not OPEN: that is told by the next tick. LATE: nobody answered in time */
	enum runtime_decision decision;
	int64_t deadline;
};

enum turn_state {
	TURN_WAITING,  /* for a child that is ready */
	TURN_THREAD,   /* thread/start or thread/resume was sent */
	TURN_STARTING, /* turn/start was sent */
	TURN_RUNNING,  /* it has an id */
	TURN_FAILED,   /* its end is to be told by the next tick */
};

/* Why a turn was told to stop. */
enum turn_stop { STOP_NONE, STOP_INTERRUPT, STOP_TIMEOUT, STOP_SILENT, STOP_STOPPING };

struct turn {
	struct turn *next, **prev;
	struct runtime *runtime;
	uint64_t number, generation;
	enum turn_state state;
	runtime_event_cb *cb; /* NULL: the end has been told, what is left is ours to clean up */
	void *payload;
	/* the request */
	struct buf text, options, thread_params; /* options: further members of turn/start, ",..." */
	struct trace trace;
	bool input_given, new_if_lost, resumed;
	int64_t timeout_ms;
	/* what is known */
	struct buf thread, id, asked_thread;
	struct call *call, *interrupt; /* those it waits for; NULL: none */
	bool begun;		       /* RUNTIME_TURN_STARTED was told */
	bool seen;		       /* turn/started came: it can be interrupted */
	bool sent, lost, ending;
	int commands; /* commands that have started and not ended */
	bool answers; /* something of the answer was seen */
	struct usage_meter meter;
	/* its answer */
	struct buf said, message, error, error_info, error_code;
	int64_t error_http, error_retry_at;  /* the second: wall clock, as it said itself; 0: it did not */
	bool message_delta, said_cut, spoke; /* the message has had a delta; any message has */
	/* its end */
	enum turn_stop stop;
	int64_t deadline, left;	   /* left: while approvals are open */
	int64_t stop_at, again_at; /* given up; told (again) */
	enum runtime_fault fault;
	int64_t rpc_code, retry_after_ms;
	struct approval *approvals;
	size_t open;
};

struct call *turn_call(struct turn *turn, const char *method, struct buf *params, int64_t timeout_ms, runtime_reply_cb *cb); /* sends it */
void turn_fail(struct turn *turn, enum runtime_fault fault, const char *message); /* told by the next tick */
void turn_notify(struct runtime *runtime, const struct message *message, struct span thread, struct span id);
void turn_started(struct turn *turn, const char *method, struct span params);
void turn_set_id(struct turn *turn, const char *id);
void turn_event(struct turn *turn, struct runtime_event *event); /* fills what every event has, and tells it */
void turn_stop(struct turn *turn, enum turn_stop stop);
void turn_interrupt_now(struct turn *turn);					/* sends turn/interrupt if it can be */
void turn_completed(struct turn *turn, const char *method, struct span params); /* params: {"turn":{...}} */
void turn_clock(struct turn *turn);						/* stops or starts it: after open has changed */
void turn_end(struct turn *turn, enum runtime_outcome outcome, bool forced, const char *method, struct span params); /* tells, and frees */
void turn_free(struct turn *turn);
bool turns_tell(struct runtime *runtime); /* one that failed; false: there is none */
void turns_ready(struct runtime *runtime);
void turns_gone(struct runtime *runtime, uint64_t generation, enum runtime_fault fault, const char *message);
void turns_timeout(struct runtime *runtime);
struct turn *turn_on(const struct runtime *runtime, const char *thread, size_t n);

void approval_request(struct runtime *runtime, const struct message *message);
void approval_resolved(struct runtime *runtime, struct span thread, struct span id);
bool approvals_tell(struct runtime *runtime);
void approvals_timeout(struct turn *turn);
void approvals_withdraw(struct turn *turn); /* those that are open; told by the next tick */
void approvals_close(struct turn *turn);    /* told now, all of them */
void approval_free(struct approval *approval);

/* ---- threads that the child has loaded (threads.c) */

struct loaded {
	char *id;
	bool counted;
	struct usage total; /* what it has cost, when that is known */
};

struct threads {
	struct loaded *slots;
	size_t cap, count;
};
void threads_clear(struct threads *threads);
struct loaded *threads_find(const struct threads *threads, const char *id); /* NULL: it is none of them; borrowed until the next change */
void threads_add(struct threads *threads, const char *id, bool fresh);	    /* fresh: it has cost nothing yet */
void threads_drop(struct threads *threads, const char *id);

/* ---- the runtime (runtime.c, life.c) */

struct runtime {
	struct event_base *base;
	struct runtime_calls calls;
	void *payload;
	char **argv, **env;
	char *dir;
	struct runtime_settings settings; /* numbers only */
	enum runtime_state state;
	uint64_t generation, ends, garbage_all, late, next_number;
	int64_t next_id;
	size_t garbage;
	struct child *child;
	struct event *tick, *timer;
	struct backoff backoff;
	int64_t pause_until, idle_at, ready_mono, ready_wall, held_at;
	size_t holds;
	struct call *greeting, *call_list;
	struct turn *turns;
	struct threads loaded;
	enum runtime_fault last_fault; /* of last_error */
	char *key_file, *key_variable; /* or NULL */
	char *oldest;		       /* version, or NULL */
	int64_t reset_at;	       /* wall clock: when the account's limits that were used up begin anew; 0: none was */
	char over[RUNTIME_OVER_MAX][64];
	size_t over_at;
	struct message message;
	struct buf line; /* being built */
	struct buf agent, last_error, errors, error_line, why;
	enum runtime_fault why_fault; /* why it is being ended; NONE: it was asked to */
	bool ending, unread;	      /* unread: it does not read what it must, the next tick ends it */
	/* stop */
	bool stopping, stopped;
	int64_t stop_at;
	void (*stop_done)(void *payload);
	void *stop_payload;
};

void runtime_tick(struct runtime *runtime);					 /* soon */
bool runtime_send(struct runtime *runtime, const struct buf *line, bool secret); /* adds the newline */
void runtime_say(
    struct runtime *runtime, const struct buf *line); /* the same for what must be said: a child that does not read it is ended */
void runtime_set_state(struct runtime *runtime, enum runtime_state state); /* tells it */
void runtime_tell(struct runtime *runtime); /* all that has failed or was resolved; what is more than TELL_MAX waits for the next round */
void runtime_fail_waiting(struct runtime *runtime, enum runtime_fault fault, const char *message);
void runtime_end_gently(struct runtime *runtime);
void runtime_need(struct runtime *runtime);
/* Ends the child for a reason of ours; what was under way fails with it. */
void runtime_break(struct runtime *runtime, enum runtime_fault fault, const char *fmt, ...) PRINTF(3, 4);
void runtime_over(struct runtime *runtime, const char *turn_id); /* remembers it */
bool runtime_was_over(const struct runtime *runtime, const char *turn_id);

/* life.c */
void runtime_is_ready(struct runtime *runtime);

/* login.c: it has been greeted; it gets the key if it wants one, then it is ready */
void login_begin(struct runtime *runtime);

#endif
