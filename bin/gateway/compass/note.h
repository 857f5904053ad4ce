/* note.h - what a turn has to tell, on its way into the store. Private to compass/. */
#ifndef COMPASS_NOTE_H
#define COMPASS_NOTE_H

#include "buf.h"
#include "compat.h"
#include "runtime/runtime.h"
#include "store/thread.h"

struct change;
struct change_context;
struct chat_turn_call;
struct flight;

enum note_kind { NOTE_EVENT, NOTE_DELTA, NOTE_NATIVE, NOTE_APPROVAL, NOTE_RESOLVED, NOTE_END };

struct note {
	enum note_kind kind;
	const char *method;		   /* EVENT; static */
	struct buf text;		   /* EVENT: payload; DELTA: text; NATIVE: the runtime's thread */
	struct approval approval;	   /* APPROVAL, RESOLVED */
	enum runtime_delta delta;	   /* DELTA */
	struct buf item;		   /* DELTA: the item it is of; not of messages */
	const char *decision, *resolution; /* APPROVAL: "" or a rule's; RESOLVED */
	bool lost;			   /* somebody else was first */
	/* END */
	enum thread_status status;
	struct buf error, metadata, usage;
	struct note *next;
};

struct note *note_new(enum note_kind kind);
void notes_free(struct note *note); /* and those after it */

/* Payload of a change: notes become events, in order, in one transaction. */
struct batch {
	struct flight *flight; /* for the loop only */
	struct note *notes;
	struct buf turn, message;	  /* copies, for the store's thread */
	const struct chat_turn_call *run; /* a run's message, or NULL; what of it the store's thread reads never changes */
};
bool notes_apply(struct change *change, const void *row, struct change_context *context);

#endif
