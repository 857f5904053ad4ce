/* turnstream.h - start a turn and give its events as they happen
 *
 * The thread is followed from its last event on, then the turn is asked for, without waiting for its end where the server can do that. Its
 * events are those with its id. The id comes with the answer, or with a turn.started that names our request; until then what happens is
 * kept, TURNSTREAM_KEPT_MAX bytes of it. When the answer is lost, a gateway is asked again (it knows the request by its id), and of any
 * other server a turn that began after our question with our text is taken for ours.
 */
#ifndef TURNSTREAM_H
#define TURNSTREAM_H

#include "compat.h"
#include "follow.h"

struct api;
struct buf;
struct err;
struct turnstream;

#define TURNSTREAM_KEPT_MAX (16u << 20)
#define TURNSTREAM_LOST_MS 30000 /* after a lost answer: how long a sign of the turn is waited for */

struct turnstream_request {
	const char *thread, *text, *request_id; /* copied */
	const struct buf *body;			/* of the POST, with text and clientRequestId; copied */
	int64_t from;				/* a cursor that is known to be past, or 0 */
	struct follow_settings follow;
	/* One event of the turn, in order, each once. */
	void (*event)(const struct event_view *event, void *payload);
	void (*notice)(const char *text, void *payload);
	void *payload;
};

/* Asks for the thread's end and starts. NULL: err says why. */
struct turnstream *turnstream_new(struct api *api, const struct turnstream_request *request, struct err *err);
void turnstream_free(struct turnstream *stream); /* accepts NULL; ends no turn */

/* Drive it as follow.h says: FOLLOW_DONE when the turn has ended; FOLLOW_FAILED: err says why, also when there was no turn to begin
 * with. */
enum follow_result turnstream_step(struct turnstream *stream, struct err *err) USE_RESULT;
int64_t turnstream_deadline(const struct turnstream *stream);
int turnstream_fd(const struct turnstream *stream);

/* Its id, NULL while it is not known. */
const char *turnstream_turn(const struct turnstream *stream);
int turnstream_outcome(const struct turnstream *stream); /* once it is done: as turns_outcome() */

#endif
