/* until.h - how long events are followed: until a kind of event, until the run waits, until it is over
 *
 * A thread waits while an approval is open; a turn is over with its end, and a thread when none of its turns is in progress and one has
 * ended (turns.h).
 * A run waits when every message sent so far is answered and its last word is agent.waiting (reply.h). That is looked at where nothing
 * more is known, the live edge: an agent.waiting in the middle of a replay is past. Pure.
 */
#ifndef UNTIL_H
#define UNTIL_H

#include "compat.h"

struct err;
struct event_view;
struct reply;
struct turns;

#define UNTIL_KINDS_MAX 64

/* What was asked for; the first that happens counts. */
struct until_set {
	const char *kinds[UNTIL_KINDS_MAX]; /* borrowed */
	size_t n;
	bool terminal, waiting, given;
};

/* "terminal", "waiting", "never" or a kind of event. err: STATUS_USAGE. */
bool until_add(struct until_set *set, const char *word, struct err *err) USE_RESULT;

/* Where one run stands. For all runs together (one_run false) only kinds count. */
struct until {
	const struct until_set *set;
	struct reply *reply;
	struct turns *turns; /* of a thread, NULL for runs */
	bool one_run, one_turn;
	int over;    /* the outcome that the run came to, -1 while it is not over */
	int outcome; /* what was reached, once something was: STATUS_OK, STATUS_WAITING, or the run's outcome */
};

void until_init(struct until *until, const struct until_set *set, bool one_run);

/* Of a thread, and of one of its turns when turn is not NULL. */
void until_init_thread(struct until *until, const struct until_set *set, const char *turn);
void until_release(struct until *until);

/* An event from before the cursor: it tells where the run stands, and ends nothing. */
void until_past(struct until *until, const struct event_view *event);

/* The next event; behind: more is known already. True: something is reached. */
bool until_event(struct until *until, const struct event_view *event, bool behind);

/* Nothing more is known. True: something is reached. */
bool until_edge(struct until *until);

#endif
