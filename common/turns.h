/* turns.h - where a thread stands: a fold over its events, in order
 *
 * Compass contract, section 8. turn.started begins a turn and turn.completed ends it, the first one for good: a server may send a second
 * one. approval.requested asks people, approval.resolved ends the question, and so does the end of its turn. The fold may begin in the
 * middle of a thread. Pure; memory is bounded by TURNS_APPROVALS_MAX (beyond it approvals are not remembered).
 */
#ifndef TURNS_H
#define TURNS_H

#include "compat.h"

struct event_view;
struct turns;

#define TURNS_APPROVALS_MAX 256 /* open ones */

/* turn NULL: every turn of the thread; else only that one counts. */
struct turns *turns_new(const char *turn);
void turns_free(struct turns *turns); /* accepts NULL */

/* The next event, each once. */
void turns_event(struct turns *turns, const struct event_view *event);

/* Is the event about the turn that counts? Always, when every turn does. */
bool turns_about(const struct turns *turns, const struct event_view *event);

/* The turn in progress, NULL when there is none. */
const char *turns_open(const struct turns *turns);

/* What the turn that ended last came to, as turns_end_of(); -1: none has ended. */
int turns_outcome(const struct turns *turns);

size_t turns_approvals(const struct turns *turns); /* open ones */

/* turn.completed: STATUS_OK, STATUS_CANCELLED, else compass_failure(), also of a status that nobody knows. -1: another event. */
int turns_end_of(const struct event_view *event);

#endif
