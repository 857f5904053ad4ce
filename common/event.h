/* event.h - the event record of agent-event(5): the members that commands look at
 *
 * {"seq":13,"at":"...","kind":"agent.waiting","serviceId":"...","level":"info","message":"...","data":{...}}
 * or, on the thread side, {"cursor":..,"threadId":..,"turnId":..,"method":..,"payload":..,"createdAt":..}. Pure.
 */
#ifndef EVENT_H
#define EVENT_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"

struct event_view {
	int64_t seq;	  /* seq or cursor; -1 when it has none */
	struct buf kind;  /* kind or method; "" when it has none; a NUL in it reads '?' */
	struct buf run;	  /* data.runId or data.run_id, trimmed; threadId for thread events; NUL as in kind */
	struct span data; /* data or payload, SPAN_NONE without; borrowed from the text */
	struct span whole;
};

void event_view_init(struct event_view *view);
void event_view_release(struct event_view *view);

/* Reads one record, which must be a valid value (jtext.h). False when it is no object with a kind or method. */
bool event_view_read(struct event_view *view, struct span record) USE_RESULT;

bool event_is_terminal(const char *kind); /* agent.run_completed, agent.run_failed, agent.run_cancelled */
int event_outcome(const char *kind);	  /* STATUS_OK, STATUS_FAILED, STATUS_CANCELLED for those; -1 otherwise */

#endif
