/* localturn.h - one turn on a runtime that is started here, as events of a thread
 *
 * The program speaks agent-runtime(7). What it says becomes events as a gateway writes them: item.delta for the pieces of its messages,
 * item.started and item.completed for its other items, error, and local.approval for what it asked and was answered by policy. The
 * beginning and the end of the turn are the caller's to tell. Nothing waits here: poll localturn_fds().
 */
#ifndef LOCALTURN_H
#define LOCALTURN_H

#include "compat.h"

#include <poll.h>
#include "jtext.h"

struct buf;
struct err;
struct localturn;

#define LOCALTURN_ANSWER_MS 30000      /* for each answer of the runtime */
#define LOCALTURN_INTERRUPT_MS 10000   /* for the end after an interrupt */
#define LOCALTURN_TEXT_MAX (16u << 20) /* bytes of the whole answer that are kept */

struct localturn_request {
	const char *command; /* of the shell */
	const char *dir;     /* where it works; NULL: here */
	const struct buf *text;
	const char *model, *effort, *personality; /* NULL: as the runtime has it */
	const char *approval_policy, *sandbox;
	const char *decision; /* the answer to each approval: "accept", "decline", "cancel" ... */
	const char *oldest;   /* version that the program must have, or NULL: any */
	void (*event)(const char *method, struct span what, void *payload); /* borrowed */
	void *payload;
};

/* Starts the program; everything in request is copied. NULL: err says why. */
struct localturn *localturn_new(const struct localturn_request *request, struct err *err);
void localturn_free(struct localturn *turn); /* ends the program; accepts NULL */

/* Sets two descriptors to poll. */
void localturn_fds(const struct localturn *turn, struct pollfd *fds);
int64_t localturn_deadline(const struct localturn *turn);

/* Takes what has come. True: the turn has ended. */
bool localturn_step(struct localturn *turn) USE_RESULT;

/* Asks the runtime to end the turn; where it cannot be asked, or was asked before, the turn ends here. */
void localturn_interrupt(struct localturn *turn);

/* Once it has ended: "completed", "interrupted" or "error"; the whole answer; why it failed ("" else). */
const char *localturn_status(const struct localturn *turn);
const struct buf *localturn_text(const struct localturn *turn);
const char *localturn_message(const struct localturn *turn);

/* What somebody can do about that; "": nobody knows. */
const char *localturn_hint(const struct localturn *turn);

/* The same for programs, as a gateway says it (fault_add()): of an "error" with its code, what to do, and until when a limit is met. */
void localturn_add_error(const struct localturn *turn, struct buf *to);

#endif
