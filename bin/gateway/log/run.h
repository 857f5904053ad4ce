/* run.h - a run as its events tell it (Clarity contract section 5): a pure fold
 *
 * Where the reference forgets or contradicts itself (contract 19.4, 19.5) this does not: an event without agent keeps the known one, a
 * terminal status is final, a step that starts ends the waiting, agent.waiting without a reason has none.
 *
 * The inbox: an event whose turn is "open" (or "open:N", for gateway N to answer) adds its own seq to the messages that wait for an answer;
 * agent.step_started with turn N says that the answer to message N has begun; agent.waiting with turn N ends it; a terminal event empties
 * the inbox. agent.cancel_requested with turn "cancel" says that the run ends with the answer that has begun, and that the other messages
 * get none. agent.run_created with turn "timer" is open work too, until the run is over. What a turn on a runtime has cost comes with the
 * end of its step, which has the message's turn. Turns are internal to the gateway.
 */
#ifndef RUN_H
#define RUN_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"
#include "usage.h"

struct entry;

#define RUN_OPEN_MAX 1000  /* messages of one run accepted and not yet answered */
#define RUN_STEPS_MAX 4096 /* distinct step ids remembered for stepCount; beyond it each start counts */

enum run_status { RUN_QUEUED, RUN_RUNNING, RUN_WAITING, RUN_COMPLETED, RUN_FAILED, RUN_CANCELLED, RUN_STATUS_COUNT };

struct run {
	struct buf id, agent, service, trigger, trigger_context; /* trigger_context: JSON object or "" */
	struct buf causation, correlation, parent, from_agent;
	enum run_status status;
	int64_t started_ms, updated_ms, completed_ms; /* 0: not yet */
	struct buf waiting_reason, failure_reason;
	int64_t steps, handoffs, tool_calls, llm_calls, events;
	struct usage usage; /* of its turns on a runtime */
	int64_t counted;    /* turns whose usage is known */
	struct buf current_step, last_kind, last_message;
	/* seq of each accepted user message without its answer, oldest first: the run's inbox, which survives a restart */
	int64_t *open;
	size_t n_open;
	int64_t started_open; /* seq of the open message whose answer has begun, 0: none */
	int64_t cancel_asked; /* seq of the event that asked for the run's end, which comes when its handler is gone; 0: none */
	struct buf cancel_reason;
	int64_t timer_open; /* seq of the firing that this run is, while its handler is at work; 0: none */
	int64_t said;	    /* seq of the newest agent.chat.* event since the run is in memory, 0: not known */
	/* private */
	struct buf step_ids; /* NUL-separated */
	size_t n_step_ids;
};

struct run *run_new(struct span id);
void run_free(struct run *run); /* accepts NULL */
bool run_terminal(const struct run *run);
const char *run_status_text(enum run_status status); /* "queued", … */

bool run_is_said(struct span kind); /* does an event of this kind say something in the run's conversation? */
void run_fold(struct run *run, const struct entry *event);

void run_save(const struct run *run, struct buf *doc); /* a compact JSON object, everything in it */
struct run *run_load(struct span id, struct span doc); /* NULL when not understood */

/* Appends the summary as the contract shows it (member order, absent members left out), compact. */
void run_summary(const struct run *run, struct buf *to);

#endif
