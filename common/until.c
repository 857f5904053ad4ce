/* until.c - how long events are followed */
#include "compat.h"

#include <string.h>

#include "err.h"
#include "event.h"
#include "reply.h"
#include "status.h"
#include "turns.h"
#include "until.h"

bool
until_add(struct until_set *set, const char *word, struct err *err)
{
	set->given = true;
	if (!strcmp(word, "terminal"))
		set->terminal = true;
	else if (!strcmp(word, "waiting"))
		set->waiting = true;
	else if (!strcmp(word, "never"))
		return true;
	else if (!strchr(word, '.') && !strchr(word, '/'))
		return err_set(err, STATUS_USAGE,
		    "unable to use --until '%s': expected terminal, waiting, never or an event kind as agent.waiting", word);
	else if (set->n == UNTIL_KINDS_MAX)
		return err_set(err, STATUS_USAGE, "more than %d kinds for --until", UNTIL_KINDS_MAX);
	else
		set->kinds[set->n++] = word;
	return true;
}

void
until_init(struct until *until, const struct until_set *set, bool one_run)
{
	*until = (struct until){ .set = set, .reply = reply_new(), .one_run = one_run, .over = -1 };
}

void
until_init_thread(struct until *until, const struct until_set *set, const char *turn)
{
	*until = (struct until){ .set = set, .turns = turns_new(turn), .one_turn = turn != NULL, .over = -1 };
}

void
until_release(struct until *until)
{
	turns_free(until->turns);
	until->turns = NULL;
	reply_free(until->reply);
	until->reply = NULL;
}

void
until_past(struct until *until, const struct event_view *event)
{
	struct reply_change change;

	if (until->turns) {
		turns_event(until->turns, event);
		until->over = turns_open(until->turns) ? -1 : turns_outcome(until->turns);
		return;
	}
	reply_event(until->reply, event->seq, event->kind.s, event->whole, &change);
	if (change.terminal)
		until->over = event_outcome(event->kind.s);
}

static bool
waits(const struct until *until)
{
	if (until->turns)
		return until->set->waiting && turns_approvals(until->turns);
	return until->one_run && until->set->waiting && reply_waiting(until->reply);
}

/* A run that is over will never wait, so that ends the waiting for it too; neither will a turn, but a thread may. */
static bool
is_over(const struct until *until)
{
	if (until->turns)
		return until->over >= 0 && (until->set->terminal || (until->one_turn && until->set->waiting));
	return until->one_run && until->over >= 0 && (until->set->terminal || until->set->waiting);
}

bool
until_event(struct until *until, const struct event_view *event, bool behind)
{
	size_t i;

	until_past(until, event);
	for (i = 0; i < until->set->n; i++)
		if (!strcmp(event->kind.s, until->set->kinds[i]))
			return true;
	if ((until->turns ? until->one_turn : event_is_terminal(event->kind.s)) && is_over(until)) {
		until->outcome = until->over;
		return true;
	}
	return !behind && until_edge(until);
}

bool
until_edge(struct until *until)
{
	if (is_over(until))
		until->outcome = until->over;
	else if (waits(until))
		until->outcome = STATUS_WAITING;
	else
		return false;
	return true;
}
