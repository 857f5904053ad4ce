/* remote.h - a session host to which the room speaks as to a child. Private to runtime/: remote.c, remote_ask.c, remote_answer.c.
 *
 * Lines that are written to it become requests over HTTP; their answers, and what comes in streams, become lines, which are given from the
 * loop and never from inside a call. While it is held, nothing more is read and lines wait.
 */
#ifndef RUNTIME_REMOTE_H
#define RUNTIME_REMOTE_H

#include "backoff.h"
#include "buf.h"
#include "compat.h"
#include "fetch/fetch.h"
#include "hash.h"
#include "jtext.h"
#include "runtime/child.h"
#include "runtime/runtime.h"
#include "trace.h"

struct bearer;
struct bearer_wait;
struct container;
struct event;
struct message;
struct sse;

enum ask_kind {
	ASK_BOOTSTRAP,
	ASK_TURN,
	ASK_APPROVAL,
	ASK_INTERRUPT,
	ASK_ACCOUNT,
	ASK_LOGIN,
	ASK_CANCEL,
	ASK_LOGOUT,
	ASK_LIMITS,
	ASK_KINDS
};

/* One request to the host, until it has been answered or given up. */
struct ask {
	struct ask *next, **prev;
	struct remote *remote;
	enum ask_kind kind;
	int64_t id; /* of the line that is to be answered; 0: none is, any more */
	struct buf identifier, turn, body;
	struct buf approval;	     /* its name there */
	struct trace trace;	     /* of a turn */
	struct buf token;	     /* it was sent with this one */
	struct bearer_wait *waiting; /* for a token */
	struct fetch *fetch;
	struct event *timer; /* until the next try; of a turn, until it is given up */
	int tries, interrupts;
	bool parked;		/* until the container is ready */
	bool renewed, stopping; /* it was refused, and has got a new token; the turn is to be interrupted */
	/* of a turn */
	struct sse *sse;     /* it streams */
	struct buf answer;   /* its document, as far as it has come */
	size_t said;	     /* bytes of text given so far */
	uint64_t said_print; /* their hash */
	bool failed;	     /* answer is an error that came in the stream */
	bool whole;	     /* it is all there */
};

/* An approval's id in lines: its name there, and the turn that it is of. */
#define APPROVAL_ID_PARTED ':'
#define APPROVAL_NAME_MAX 64

struct line {
	struct line *next;
	struct buf text;
};

struct remote {
	struct child child; /* the first member */
	struct event_base *base;
	struct child_calls calls;
	void *payload;
	const struct runtime_host *host;
	const char *name; /* how the host is called in messages */
	struct buf url;	  /* scheme, host and path, without a slash at its end */
	char *socket;	  /* NULL: none */
	struct fetcher *fetcher;
	struct bearer *bearer;	     /* NULL: no token is sent */
	struct container *container; /* NULL: the host is there already */
	bool ready, removed;	     /* of the container */
	struct buf token;	     /* the container's */
	struct event *tick;
	struct line *first, **last;
	bool hold, ending;
	struct ask *asks;
	int64_t request_ms, turn_ms;
	/* the account's notices */
	struct fetch *stream;
	struct bearer_wait *stream_waiting;
	struct sse *stream_sse;
	struct event *stream_timer;
	struct backoff stream_pause;
	int64_t stream_cursor;
};

void remote_give(struct remote *remote, struct buf *line); /* takes the text; it is given by the next tick */
void remote_url(const struct remote *remote, const char *path, const struct buf *identifier, struct buf *to);

/* remote_ask.c: what a line asks for. */
void ask_request(struct remote *remote, int64_t id, const char *method, struct span params, struct span trace); /* trace: SPAN_NONE: none */
void ask_approval(struct remote *remote, const struct message *message); /* what was said to an approval of the host's */
void ask_hold(struct remote *remote, bool held);
void ask_ready(struct remote *remote);					 /* the container is: those that wait for it go */
void ask_none(struct remote *remote, const char *code, const char *why); /* it cannot be */
void ask_free(struct ask *ask);
struct ask *ask_turn(const struct remote *remote, const char *turn); /* NULL: it is over */

/* remote_answer.c: what the host says becomes lines. Each frees the ask but the first. */
void answer_begun(struct ask *ask); /* the turn is under way */
void answer_delta(struct ask *ask, const char *text, size_t n);
void answer_notice(struct ask *ask, struct span notice);     /* what the runtime there says besides: {"method","params"} */
void answer_approval(struct ask *ask, struct span approval); /* what it wants approved: the same, and "approvalId" */
void answer_resolved(struct ask *ask, struct span approval);
void answer_usage(struct ask *ask, struct span usage);
void answer_done(struct ask *ask, const struct fetch_answer *answer); /* whatever came */
void answer_failed(struct ask *ask, int status, const char *code, const char *message);
void answer_stopped(struct ask *ask); /* the turn, by us */
void answer_result(struct remote *remote, int64_t id, struct span result);
void answer_error(struct remote *remote, int64_t id, int status, const char *code, const char *message);

#endif
