/* uplink.h - events that go into a thread from here, several in one request (Compass contract, section 6.5)
 *
 * A batch is taken whole or not at all. It is sent with an idempotency key, so that a gateway that knows keys is asked again when an answer
 * was lost; any other server is not (post.h).
 */
#ifndef UPLINK_H
#define UPLINK_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"

struct api;
struct err;

#define UPLINK_EVENTS_MAX 200
#define UPLINK_BYTES_MAX 65536 /* of a batch with more than one event; servers take bodies of 102400 */

struct uplink {
	struct buf thread;
	struct buf events; /* the elements, with commas between */
	size_t n;
	bool patient; /* a server that cannot be reached is tried again for a while (post.h) */
};

#define UPLINK_INIT                                                                                                                        \
	{                                                                                                                                  \
		.thread = BUF_INIT, .events = BUF_INIT                                                                                     \
	}
void uplink_release(struct uplink *uplink);

/* Is there room for one more event whose payload has n bytes? An empty batch always has. */
bool uplink_room(const struct uplink *uplink, size_t n);

/* turn "": of no turn. payload: a value, SPAN_NONE for none. */
void uplink_add(struct uplink *uplink, const char *turn, const char *method, struct span payload);

/* Sends what is there, if anything, and empties it either way. key NULL: a fresh one. False: as api_call(); nothing of it was taken, but
 * for a hint that says otherwise. */
bool uplink_send(struct uplink *uplink, struct api *api, const char *key, struct err *err) USE_RESULT;

#endif
