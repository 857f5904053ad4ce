/* follow.h - follow the events of a run (or of all runs), each once and in order, whatever the network does
 *
 * Catch up by GET, then stream (SSE), then catch up again after whatever goes wrong:
 *   - the run's own stream first; the global one, filtered, when that is missing (404, 405, 501); polling when there is none;
 *   - polling goes on beside a stream that has not proved itself by a byte, or that is late (a proxy that buffers);
 *   - a stream that is silent for FOLLOW_SILENCE_MS is dead (servers ping every 15 s); reconnects back off from FOLLOW_PAUSE_MIN_MS
 *     to FOLLOW_PAUSE_MAX_MS with full jitter, for ever; only the very first contact must succeed;
 *   - duplicates are dropped by seq.
 * After a reconnect the server must still know the last event that was seen, or everything after it (agent-gateway keeps everything);
 * otherwise events may be missing and gap() is told.
 * Contract: Clarity sections 6.5, 6.6, 6.9, 19.11; agent-gateway's additions are in agent-gateway(8).
 */
#ifndef FOLLOW_H
#define FOLLOW_H

#include "compat.h"

struct api;
struct err;
struct event_view;
struct follow;

#define FOLLOW_SILENCE_MS 45000
#define FOLLOW_PAUSE_MIN_MS 250
#define FOLLOW_PAUSE_MAX_MS 15000
#define FOLLOW_POLL_MS 1200	    /* default time between two polls */
#define FOLLOW_CHECK_MS 12000	    /* a proven stream that is silent for so long is checked by one poll */
#define FOLLOW_STREAM_RETRY_MS 15000 /* a missing stream is asked for again */

struct follow_events {
	/* One event, borrowed. Return false: enough. */
	bool (*event)(const struct event_view *event, void *payload);
	/* Everything that the server had is delivered; what comes now is new. Called after each catching up. Return false: enough. */
	bool (*edge)(void *payload);
	/* Events are certainly missing (err: STATUS_GAP). Return false: stop. */
	bool (*gap)(const struct err *err, void *payload);
	/* Something worth saying to a person: a fallback, a reconnect. */
	void (*notice)(const char *text, void *payload);
};

struct follow_settings {
	bool no_stream;	 /* poll only */
	int64_t poll_ms; /* 0: FOLLOW_POLL_MS */
};

/* run NULL: all runs. after: exclusive. Sends nothing yet. */
struct follow *follow_new(struct api *api, const char *run, int64_t after, const struct follow_settings *settings, const struct follow_events *events, void *payload);
void follow_free(struct follow *follow); /* accepts NULL */

enum follow_result { FOLLOW_ON, FOLLOW_DONE, FOLLOW_FAILED };

/* Does what is due: call it at first, then after each http_wait() on api->http and at follow_deadline(). FOLLOW_FAILED: err says
 * why; only a first contact that fails, a refusal (401, 403) and a gap that was not accepted end it so. */
enum follow_result follow_step(struct follow *follow, struct err *err) USE_RESULT;
int64_t follow_deadline(const struct follow *follow);

int64_t follow_last(const struct follow *follow); /* the cursor: seq of the last event delivered */

#endif
