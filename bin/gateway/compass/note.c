/* note.c - what a turn has to tell becomes events, on the store's thread */
#include "compat.h"

#include <stdlib.h>

#include "compass/internal.h"
#include "compass/note.h"
#include "compass/run.h"
#include "xalloc.h"

struct note *
note_new(enum note_kind kind)
{
	struct note *note = xcalloc(1, sizeof *note);

	note->kind = kind;
	note->decision = note->resolution = "";
	buf_init(&note->text);
	buf_init(&note->error);
	buf_init(&note->metadata);
	buf_init(&note->usage);
	buf_init(&note->item);
	approval_init(&note->approval);
	return note;
}

void
notes_free(struct note *note)
{
	struct note *next;

	for (; note; note = next) {
		next = note->next;
		buf_release(&note->text);
		buf_release(&note->error);
		buf_release(&note->metadata);
		buf_release(&note->usage);
		buf_release(&note->item);
		approval_release(&note->approval);
		free(note);
	}
}

/* ---- the store's thread: notes become events */

static void
store_native(struct change_context *context, const struct turn *turn, const struct buf *native)
{
	struct thread thread;

	thread_init(&thread);
	if (change_thread_get(context, span_of(&turn->thread), &thread)) {
		buf_reset(&thread.native);
		buf_add(&thread.native, native->s, native->len);
		change_thread_put(context, &thread);
	}
	thread_release(&thread);
}

/* A piece of text: of the answer, or of something else that is under way. */
static void
store_delta(struct change_context *context, const struct turn *turn, const struct note *note)
{
	static const char *const methods[] = { [RUNTIME_DELTA_PLAN] = "item.plan",
		[RUNTIME_DELTA_REASONING] = "item.reasoning",
		[RUNTIME_DELTA_SUMMARY] = "item.reasoning",
		[RUNTIME_DELTA_COMMAND] = "item.output" };
	struct buf payload = BUF_INIT;

	if (note->delta == RUNTIME_DELTA_MESSAGE) {
		turn_emit_delta(context, turn, span_of(&note->text));
		return;
	}
	buf_addch(&payload, '{');
	jtext_add_buf(&payload, "itemId", &note->item);
	jtext_add_buf(&payload, "text", &note->text);
	buf_addch(&payload, '}');
	turn_emit(context, turn, methods[note->delta], &payload);
	buf_release(&payload);
}

static void
store_end(struct change_context *context, struct turn *turn, const struct note *note)
{
	approvals_give_up(context, turn);
	turn->status = note->status;
	buf_add(&turn->error, note->error.s, note->error.len);
	turn->has_output = note->status == THREAD_COMPLETED;
	if (turn->has_output)
		buf_add(&turn->output, note->text.s, note->text.len);
	else
		buf_reset(&turn->assistant_message);
	(void)turn_finish(context, turn, span_or_none(&note->metadata), span_of(&note->usage));
}

static void
store_note(struct change_context *context, struct turn *turn, struct note *note)
{
	static const struct span by_rule = { "policy", 6 };
	struct approval approval;

	switch (note->kind) {
	case NOTE_EVENT:
		turn_emit(context, turn, note->method, &note->text);
		break;
	case NOTE_DELTA:
		store_delta(context, turn, note);
		break;
	case NOTE_NATIVE:
		break;
	case NOTE_APPROVAL:
		approval_record(context, turn, &note->approval);
		if (!*note->decision)
			break;
		approval_copy(&approval, &note->approval); /* the note may be stored once more */
		note->lost = !approval_resolve(context, &approval, note->decision, "policy", by_rule, SPAN_NONE);
		approval_release(&approval);
		break;
	case NOTE_RESOLVED:
		approval_init(&approval);
		note->lost = !change_approval_get(context, span_of(&note->approval.id), &approval) || !approval.pending ||
		    !approval_resolve(context, &approval, note->decision, note->resolution, SPAN_NONE, SPAN_NONE);
		approval_release(&approval);
		break;
	case NOTE_END:
		store_end(context, turn, note);
		break;
	}
}

bool
notes_apply(struct change *change, const void *row, struct change_context *context)
{
	struct batch *batch = change->payload;
	struct note *note;
	struct turn turn;

	(void)row;
	turn_init(&turn);
	if (change_turn_get(context, span_of(&batch->turn), &turn)) {
		buf_reset(&turn.assistant_message);
		buf_add(&turn.assistant_message, batch->message.s, batch->message.len);
		for (note = batch->notes; note; note = note->next) {
			note->lost = true;
			if (note->kind == NOTE_NATIVE)
				store_native(context, &turn, &note->text);
			else if (turn.status == THREAD_IN_PROGRESS) {
				note->lost = false;
				store_note(context, &turn, note);
			}
		}
		form_turn_answer(&change->answer, &turn);
	} else
		for (note = batch->notes; note; note = note->next)
			note->lost = true;
	for (note = batch->run ? batch->notes : NULL; note; note = note->next)
		if (note->kind == NOTE_END)
			run_turn_store(batch->run, context, note);
	turn_release(&turn);
	return true;
}
