/* host.h - the routes of the session host (Compass contract section 11): sessions, turns one after another in each, the account, the stream
 *
 * What is kept is bounded: HOST_SESSIONS_MAX sessions (the one that was idle longest goes for a new one), HOST_WAITING_MAX turns of a
 * session at once, HOST_TURNS_MAX ended turns by their ids alone, HOST_RING_MAX notices, HOST_STREAMS_MAX readers of them.
 */
#ifndef HOST_H
#define HOST_H

#include "compat.h"

struct auth;
struct event_base;
struct host;
struct request;
struct roots;

#define HOST_SESSIONS_MAX 1000
#define HOST_WAITING_MAX 16
#define HOST_TURNS_MAX 1000
#define HOST_RING_MAX 500
#define HOST_STREAMS_MAX 100
#define HOST_NAME_MAX 512	     /* bytes of an identifier or a turn's id */
#define HOST_NOTICE_MAX (64u * 1024) /* bytes of a notice's params; longer ones are told as null */
#define HOST_PING_MS 15000
#define HOST_WISH_MAX 4096	     /* bytes of a model, an effort, a personality, a policy's name, a directory */
#define HOST_ASK_MAX (256u * 1024)   /* bytes of an approval's params; a longer one is declined */
#define HOST_OWED_MAX (1024u * 1024) /* bytes of a turn's text that wait for a slow reader; of what is more, only the whole is given */

struct host_settings {
	struct event_base *base;
	struct auth *auth;
	const char *const *argv; /* the runtime, NULL-ended */
	const char *oldest;	 /* version that the runtime must have, or NULL: any */
	const char *engine;	 /* how it is called in answers */
	bool mock;		 /* no runtime: turns are answered with their own text */
	struct roots *roots;	 /* where turns may be; borrowed */
	int64_t init_ms, call_ms, turn_ms, mock_sleep_ms;
	int64_t max_restarts; /* how often one request may take a new runtime, because it ended before it had begun on it */
};

struct host *host_new(const struct host_settings *settings);
void host_handle(struct host *host, struct request *request);
void host_stop(struct host *host, int64_t grace_ms, void (*done)(void *payload), void *payload); /* turns are interrupted, streams end */
void host_free(struct host *host);

#endif
