/* turns.c - where a thread stands */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "compass.h"
#include "event.h"
#include "status.h"
#include "turns.h"
#include "xalloc.h"

struct approval {
	struct buf id, turn;
};

struct turns {
	char *wanted;	 /* NULL: every turn */
	struct buf open; /* "": none in progress */
	struct buf last; /* the turn that ended last: a second end changes nothing */
	int outcome;
	struct approval *approvals;
	size_t n;
};

struct turns *
turns_new(const char *turn)
{
	struct turns *turns = xcalloc(1, sizeof *turns);

	turns->wanted = turn ? xstrdup(turn) : NULL;
	buf_init(&turns->open);
	buf_init(&turns->last);
	turns->outcome = -1;
	return turns;
}

static void
drop_approval(struct turns *turns, size_t i)
{
	buf_release(&turns->approvals[i].id);
	buf_release(&turns->approvals[i].turn);
	turns->approvals[i] = turns->approvals[--turns->n];
}

void
turns_free(struct turns *turns)
{
	if (!turns)
		return;
	while (turns->n)
		drop_approval(turns, turns->n - 1);
	free(turns->approvals);
	free(turns->wanted);
	buf_release(&turns->open);
	buf_release(&turns->last);
	free(turns);
}

/* Appends the turn of an event: its own member, else its payload's. An id with NUL in it is none. */
static void
turn_of(const struct event_view *event, struct buf *to)
{
	if (!jtext_get_string(event->whole, "turnId", to) && event->data.s)
		(void)jtext_get_string(event->data, "turnId", to);
	if (memchr(to->s, '\0', to->len))
		buf_reset(to);
}

bool
turns_about(const struct turns *turns, const struct event_view *event)
{
	struct buf turn = BUF_INIT;
	bool about = true;

	if (turns->wanted) {
		turn_of(event, &turn);
		about = !strcmp(turn.s, turns->wanted);
		buf_release(&turn);
	}
	return about;
}

int
turns_end_of(const struct event_view *event)
{
	struct span status;

	if (strcmp(event->kind.s, "turn.completed"))
		return -1;
	if (!event->data.s || !jtext_get(event->data, "status", &status))
		return STATUS_FAILED;
	if (jtext_is_string(status, "completed"))
		return STATUS_OK;
	return jtext_is_string(status, "interrupted") ? STATUS_CANCELLED : compass_failure(event->data);
}

/* ---- approvals */

static void
ask(struct turns *turns, const struct buf *id, const struct buf *turn)
{
	struct approval *approval;

	if (turns->n == TURNS_APPROVALS_MAX)
		return;
	turns->approvals = xgrow(turns->approvals, turns->n, sizeof *turns->approvals);
	approval = &turns->approvals[turns->n++];
	buf_init(&approval->id);
	buf_init(&approval->turn);
	buf_add(&approval->id, id->s, id->len);
	buf_add(&approval->turn, turn->s, turn->len);
}

static void
approval_event(struct turns *turns, const struct event_view *event, const struct buf *turn)
{
	struct buf id = BUF_INIT;
	size_t i;

	if (event->data.s && jtext_get_string(event->data, "approvalId", &id)) {
		for (i = turns->n; i-- > 0;)
			if (buf_equal(&turns->approvals[i].id, &id))
				drop_approval(turns, i);
		if (!strcmp(event->kind.s, "approval.requested"))
			ask(turns, &id, turn);
	}
	buf_release(&id);
}

static void
withdraw(struct turns *turns, const struct buf *turn)
{
	size_t i;

	for (i = turns->n; i-- > 0;)
		if (buf_equal(&turns->approvals[i].turn, turn))
			drop_approval(turns, i);
}

/* ---- the fold */

void
turns_event(struct turns *turns, const struct event_view *event)
{
	struct buf turn = BUF_INIT;

	if (!turns_about(turns, event))
		return;
	turn_of(event, &turn);
	if (!strcmp(event->kind.s, "turn.started")) {
		buf_reset(&turns->open);
		buf_add(&turns->open, turn.s, turn.len);
	} else if (!strncmp(event->kind.s, "approval.", 9)) {
		approval_event(turns, event, &turn);
	} else if (turns_end_of(event) >= 0) {
		if (turns->outcome < 0 || !buf_equal(&turns->last, &turn))
			turns->outcome = turns_end_of(event);
		buf_reset(&turns->last);
		buf_add(&turns->last, turn.s, turn.len);
		if (buf_equal(&turns->open, &turn))
			buf_reset(&turns->open);
		withdraw(turns, &turn);
	}
	buf_release(&turn);
}

const char *
turns_open(const struct turns *turns)
{
	return turns->open.len ? turns->open.s : NULL;
}

int
turns_outcome(const struct turns *turns)
{
	return turns->outcome;
}

size_t
turns_approvals(const struct turns *turns)
{
	return turns->n;
}
