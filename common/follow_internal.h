/* follow_internal.h - the parts of follow.c: what is fetched (follow_get.c) and what is streamed (follow_stream.c) */
#ifndef FOLLOW_INTERNAL_H
#define FOLLOW_INTERNAL_H

#include "backoff.h"
#include "buf.h"
#include "compat.h"
#include "err.h"
#include "event.h"
#include "follow.h"
#include "lead.h"
#include "pages.h"

enum source { SOURCE_RUN, SOURCE_GLOBAL, SOURCE_SOCKET, SOURCE_NONE };

enum followed { FOLLOW_RUNS, FOLLOW_THREAD, FOLLOW_RUNTIME };

/* What a GET is for. */
enum get { GET_NOTHING, GET_HISTORY, GET_CATCH_UP, GET_POLL };

struct follow {
	struct api *api;
	enum followed what_kind;
	char *run; /* NULL: all; the thread's id */
	struct follow_settings settings;
	const struct follow_events *events;
	void *payload;
	struct event_view view;
	struct buf what, line; /* "follow run 'r'"; a record of the stream, compact */
	struct buf said;       /* the last notice: the same is not said again */
	bool contacted, done;
	uint64_t unreadable;

	/* the cursor, and by what its event is known again */
	int64_t last;
	bool seen;  /* it was delivered here, so last_mark is known */
	bool paged; /* the server keeps everything (pages.h) */
	bool ours;  /* it is agent-gateway */
	uint64_t last_mark;
	struct err gap; /* set when one was refused */

	/* GET: what must be done before anything else, and what runs */
	enum get need, get;
	int64_t from; /* the cursor when it began */
	bool from_seen;
	uint64_t from_mark;
	struct paging *paging;
	struct pages pages;
	bool verified; /* nothing is missing before what comes now */
	bool anew;     /* the server's log began anew, so does the GET */
	bool fresh;    /* it was first with an event */
	bool listing;  /* it is giving events right now */
	bool trouble;  /* the last one failed, and that was said */
	int64_t next_get, next_poll;
	struct backoff get_pause;

	/* the stream */
	enum source source;
	struct http_call *call; /* NULL: none open */
	struct sse *sse;
	struct wsclient *ws; /* NULL: none open */
	bool ws_new;	     /* nothing has come on it */
	bool ws_behind;	     /* a list was first with an event, and nothing has come since */
	struct buf last_at;  /* runtime: the time of the last notification */
	struct lead lead;
	struct backoff open_pause;
	int64_t opened, next_open;
	int64_t replay_to;	       /* the cursor when it was opened: up to there it replays */
	bool marked, replaying, begun; /* it says where its replay ends; it has not; its first event has come */
	bool news;		       /* it was first with an event */
	bool polling_said;

	/* A record could not be read, or events may have passed before the stream began: what it brings is not listened to until a GET that
	 * began after it has caught up. */
	bool deaf, deaf_live;
	int64_t heard; /* the newest seq that was not listened to */
	unsigned fetches;
	bool fetching; /* the GET that runs began after it */
};

/* ---- follow.c */

void follow_notice(struct follow *follow, const char *fmt, ...) PRINTF(2, 3);

/* The event in follow->view: does it belong to what is followed? */
bool follow_belongs(const struct follow *follow);

/* Gives the event in follow->view on, unless it was given already. True when it was new. */
bool follow_deliver(struct follow *follow);

void follow_edge(struct follow *follow);

/* What tells an event from another one with the same seq, of a log that began anew: its time and kind. */
uint64_t follow_mark(const struct event_view *view);

/* A time at least a pause away, and not before the time that the server asked for. err may be NULL. */
int64_t follow_later(struct backoff *pause, const struct err *err);

/* ---- follow_get.c */

void follow_get_start(struct follow *follow, enum get get);

/* Before anything else this GET must be done, from that time on. */
void follow_get_need(struct follow *follow, enum get get, int64_t at);

/* It has ended. False: all is over: follow->done, follow->gap or err says why. */
bool follow_get_ended(struct follow *follow, bool ok, const struct err *why, struct err *err) USE_RESULT;

/* Is a stream open? */
static inline bool
follow_streaming(const struct follow *follow)
{
	return follow->call || follow->ws;
}

/* ---- follow_stream.c */

void follow_stream_open(struct follow *follow);
void follow_stream_close(struct follow *follow);

/* It has ended, well or badly. False: all is over, err says why. */
bool follow_stream_ended(struct follow *follow, bool ok, const struct err *why, struct err *err) USE_RESULT;

/* What the stream brings is not listened to until a GET that begins from now on has caught up; live: it is news. */
void follow_deaf(struct follow *follow, bool live);

/* ---- follow_socket.c */

void follow_socket_open(struct follow *follow);
void follow_socket_close(struct follow *follow);

/* Takes what the socket has brought. */
void follow_socket_step(struct follow *follow);

#endif
