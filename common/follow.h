/* follow.h - follow the events of a run (or of all runs), each once and in order, whatever the network does
 *
 * Catch up by GET, then stream (SSE), and catch up again after whatever goes wrong:
 *   - the run's own stream first; the global one, filtered, when that is missing (404, 405, 501, or no event stream); polling when
 *     there is none. A missing stream is asked for again every FOLLOW_STREAM_RETRY_MS;
 *   - polling goes on beside a stream that has not brought a byte yet, or that polling overtakes (a proxy that buffers; lead.h);
 *   - a stream that is silent for FOLLOW_SILENCE_MS is dead (servers ping every 15 s). Tries that fail are repeated for ever, with
 *     pauses that grow from FOLLOW_PAUSE_MIN_MS to FOLLOW_PAUSE_MAX_MS with full jitter; only the very first contact must succeed;
 *   - duplicates are dropped by seq; a record of the stream that cannot be read is fetched instead.
 * After a break the server must still hold the last event that was seen here; otherwise events may be missing and gap() is told: a
 * Clarity runtime keeps 2000 events in all, and a server may have lost its state. So must it when a cursor was given at the start, unless
 * its list reaches back behind it, begins with the run's first event, or comes from agent-gateway, which keeps everything.
 *
 * Events of a thread come the same way: lists by cursor, and a WebSocket for the stream. From a server other than agent-gateway what the
 * socket brings is only taken as news: such a server may leave events out there, so they are fetched. The runtime's notifications come
 * from its WebSocket alone: what happens while it is down is lost, unless the server replays it.
 * Contract: Compass sections 6.5, 7, 18; Clarity sections 6.5, 6.6, 6.9, 19.11; agent-gateway's additions are in agent-gateway(8).
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
#define FOLLOW_POLL_MS 1200 /* default time between two polls */
#define FOLLOW_STREAM_RETRY_MS 15000
#define FOLLOW_STREAM_GOOD_MS 10000  /* a stream that lived so long, or brought news, was a good one: no pause has grown */
#define FOLLOW_OPEN_MS 10000	     /* longest wait for a WebSocket to open */
#define FOLLOW_SOCKET_CHECK_MS 15000 /* a list now and then beside a WebSocket */
#define FOLLOW_SOCKET_NEW_MS 3000    /* a socket of another server than agent-gateway is new so long: polling goes on */
#define FOLLOW_FETCHES 3	     /* times that a record which could not be read is asked for */

struct follow_events {
	/* One event, borrowed. Return false: enough. */
	bool (*event)(const struct event_view *event, void *payload);
	/* An event up to the cursor that was given at the start; only with settings.history, all of them before any other. May be NULL. */
	void (*history)(const struct event_view *event, void *payload);
	/* Everything that the server had is delivered; what comes now is new. Called after each catching up. Return false: enough. */
	bool (*edge)(void *payload);
	/* Events may be missing (err: STATUS_GAP). Return false, or NULL: stop. */
	bool (*gap)(const struct err *err, void *payload);
	/* Something worth saying to a person: a fallback, a reconnect. May be NULL. */
	void (*notice)(const char *text, void *payload);
};

struct follow_settings {
	bool no_stream;	 /* poll only */
	bool history;	 /* of the newest 2000 events give those up to the cursor to history() */
	int64_t poll_ms; /* 0: FOLLOW_POLL_MS */
};

/* The events of a thread; seq is the cursor. */
struct follow *follow_thread_new(struct api *api, const char *thread, int64_t after, const struct follow_settings *settings,
    const struct follow_events *events, void *payload);

/* The notifications of the server's runtime: account/updated and so on. edge() is called each time they are listened to. */
struct follow *follow_runtime_new(struct api *api, const struct follow_events *events, void *payload);

/* run NULL: all runs. after: exclusive; 0: everything. Sends nothing yet. */
struct follow *follow_new(struct api *api, const char *run, int64_t after, const struct follow_settings *settings,
    const struct follow_events *events, void *payload);
void follow_free(struct follow *follow); /* accepts NULL */

enum follow_result { FOLLOW_ON, FOLLOW_DONE, FOLLOW_FAILED };

/* Does what is due; waits for nothing but a WebSocket that opens, at most FOLLOW_OPEN_MS. Call it at first, then after each http_wait() on
 * api->http and at follow_deadline(). FOLLOW_FAILED: err says why; only a first contact that fails, a refusal (401, 403) and a gap that was
 * not accepted end it so. */
enum follow_result follow_step(struct follow *follow, struct err *err) USE_RESULT;
int64_t follow_deadline(const struct follow *follow);

/* A descriptor to wait for beside, as a further one of http_wait(); -1: none now. */
int follow_fd(const struct follow *follow);

/* Is the server agent-gateway? Known once it has answered. */
bool follow_is_gateway(const struct follow *follow);

/* Inside event(): more that the server has already is about to come, so that this is not the live edge. */
bool follow_behind(const struct follow *follow);

/* Records of streams that could not be read and could not be fetched either. */
uint64_t follow_unreadable(const struct follow *follow);

#endif
