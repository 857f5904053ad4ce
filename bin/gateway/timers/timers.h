/* timers.h - the door of timers/: schedules that fire (Clarity contract section 10)
 *
 * The schedules of every agent whose service runs, as its manifest declares them. A schedule begins when its service does: its first firing
 * comes one period later, and from then on one each period, counted from there. When the service is stopped, removed or given another
 * period, that is over.
 *
 * Missed firings: one that could not happen when it was due - the gateway was not there, or (serial) the run before still goes on - is
 * missed. However many were missed, one firing makes up for them as soon as it can, and says in triggerContext.missed how many more there
 * were. The times of the following ones do not move.
 *
 * When the next one is due is kept in the store, in the change that records a firing: after a restart nothing fires twice for one due time.
 */
#ifndef TIMERS_H
#define TIMERS_H

#include "compat.h"

struct agents;
struct chat;
struct event_base;
struct log;
struct timers;

#define TIMERS_SHORTEST_MS 100 /* between two firings of one schedule; what its period would have between them is missed */
#define TIMERS_MAX 10000       /* schedules of one gateway; further ones do not fire, and that is said */
#define TIMERS_OPEN_MAX 16     /* runs of one schedule at once when it is not serial; a firing beyond is missed */

struct timers_settings {
	struct event_base *base;
	struct log *log;
	struct chat *chat;
	const struct agents *agents;
	void (*problem)(const char *text, void *payload); /* something that an operator must know */
	void *payload;
};

/* Begins when what was kept has been read. */
struct timers *timers_new(const struct timers_settings *settings);
void timers_stop(struct timers *timers); /* nothing fires any more */
void timers_free(struct timers *timers); /* accepts NULL; after the chat room's end nothing comes from there */

#endif
