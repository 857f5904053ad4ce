/* others.c - what other gateways of the same store do to the turns that the runtime works on here: interrupts, answers to approvals */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "compass/internal.h"
#include "xalloc.h"

/* The store is asked for what the event does not tell. */
struct word {
	struct compass *compass;
	struct buf turn, id, answer, result;
	struct approval approval;
};

static void
word_free(struct word *word)
{
	buf_release(&word->turn);
	buf_release(&word->id);
	buf_release(&word->answer);
	buf_release(&word->result);
	approval_release(&word->approval);
	free(word);
}

static void
ask(struct compass *compass, const struct entry *event, bool (*apply)(struct change *, const void *, struct change_context *),
    void (*done)(struct change *))
{
	struct word *word = xcalloc(1, sizeof *word);
	struct change *change = change_new(done, word);

	word->compass = compass;
	buf_init(&word->turn);
	buf_init(&word->id);
	buf_init(&word->answer);
	buf_init(&word->result);
	approval_init(&word->approval);
	buf_add(&word->turn, event->turn.s, event->turn.n);
	(void)jtext_get_string(event->data, "approvalId", &word->id);
	change->apply = apply;
	log_change(compass->settings.log, change);
}

/* ---- the turn is over, and not by our word */

static bool
apply_turn(struct change *change, const void *row, struct change_context *context)
{
	struct word *word = change->payload;
	struct turn turn;
	bool over;

	(void)row;
	turn_init(&turn);
	over = change_turn_get(context, span_of(&word->turn), &turn) && turn.status != THREAD_IN_PROGRESS;
	buf_reset(&word->answer);
	if (over)
		form_turn_answer(&word->answer, &turn);
	turn_release(&turn);
	return over;
}

static void
done_turn(struct change *change)
{
	struct word *word = change->payload;

	if (change->result == CHANGE_DONE)
		flight_interrupt(word->compass, &word->turn, &word->answer);
	word_free(word);
	change_free(change);
}

/* ---- an approval is answered */

void
approval_result_key(const struct buf *id, struct buf *to)
{
	buf_addf(to, "approval/%s", id->s);
}

static bool
apply_answer(struct change *change, const void *row, struct change_context *context)
{
	struct word *word = change->payload;
	struct buf key = BUF_INIT;
	bool found;

	(void)row;
	approval_release(&word->approval);
	approval_init(&word->approval);
	buf_reset(&word->result);
	found = change_approval_get(context, span_of(&word->id), &word->approval) && !word->approval.pending;
	approval_result_key(&word->id, &key);
	if (found && change_get(context, span_of(&key), &word->result))
		change_put(context, span_of(&key), SPAN_NONE);
	buf_release(&key);
	return found;
}

static void
done_answer(struct change *change)
{
	struct word *word = change->payload;
	struct buf decision = BUF_INIT;

	/* one that nobody decided was withdrawn, and its turn is over */
	if (change->result == CHANGE_DONE && jtext_get_string(span_of(&word->approval.doc), "decision", &decision))
		flight_approve(word->compass, &word->approval, decision_of(decision.s), span_or_none(&word->result));
	buf_release(&decision);
	word_free(word);
	change_free(change);
}

/* ---- the door */

void
compass_heard(struct compass *compass, const struct entry *event)
{
	struct buf turn = BUF_INIT;

	if (!event->thread || !event->turn.n || !event->data.s)
		return;
	buf_add(&turn, event->turn.s, event->turn.n);
	if (flight_is_here(compass, &turn)) {
		if (!strcmp(event->kind.s, "turn.completed"))
			ask(compass, event, apply_turn, done_turn);
		else if (!strcmp(event->kind.s, "approval.resolved"))
			ask(compass, event, apply_answer, done_answer);
	}
	buf_release(&turn);
}
