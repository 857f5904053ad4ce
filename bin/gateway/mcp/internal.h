/* internal.h - what the files of mcp/ share. Private to mcp/. */
#ifndef MCP_INTERNAL_H
#define MCP_INTERNAL_H

#include "buf.h"
#include "compat.h"
#include "mcp/mcp.h"
#include "mcp/reader.h"
#include "trace.h"

struct err;
struct event;
struct fetch;
struct fetch_answer;
struct mcp_stream;

#define MCP_ANSWER_EXTRA 65536 /* bytes of an event stream besides the message: field names, comments, notifications */

enum session { SESSION_NONE, SESSION_OPENING, SESSION_OPEN };

enum state { WAITING, SENT, PAUSED, ENDED };

struct mcp_call {
	struct mcp *mcp;
	enum state state;
	char *method, *params, *session, *run; /* method NULL: only the session */
	struct trace trace;
	int64_t timeout_ms;
	mcp_done_cb *done;
	void *payload;
	struct buf id;
	struct fetch *fetch;
	struct mcp_reader reader;
	bool reading;
	bool opens;	  /* our own initialize */
	bool streamed;	  /* its answer comes on the stream */
	unsigned opening; /* the session it was sent in */
	bool again;	  /* sent once more already, after the session was lost */
	unsigned retries;
	struct event *timer; /* WAITING: the turn must come; PAUSED: the next try; SENT, streamed: the answer must come */
	/* the end, when it is told later */
	enum mcp_outcome outcome;
	struct buf why;
	struct mcp_call *next, **prev;
};

/* Calls in one order. */
struct mcp_list {
	struct mcp_call *first, **last;
	size_t n;
};

struct mcp {
	struct event_base *base;
	struct fetcher *fetcher;
	struct mcp_settings settings;
	char *name, *endpoint, *auth_ref;
	struct mcp_list waiting, under_way, ended;
	enum session session;
	struct buf session_id, protocol;
	struct fetch *notice; /* notifications/initialized on its way */
	unsigned openings;    /* how many sessions there were */
	uint64_t last_id;
	struct event *turn;
	struct mcp_stream *stream; /* of a server of the older transport; NULL: none is open */
	bool streams;		   /* it is known to be one */
};

/* call.c */
struct mcp_call *mcp_call_new(struct mcp *mcp, mcp_done_cb *done, void *payload); /* in no list yet */
void mcp_call_free(struct mcp_call *call);
void mcp_list_add(struct mcp_list *list, struct mcp_call *call, bool front);
void mcp_call_move(struct mcp_call *call, enum state state, bool front);	      /* to the list of that state */
void mcp_call_wait(struct mcp_call *call);					      /* no longer than settings.wait_ms */
void mcp_call_drop(struct mcp_call *call);					      /* its answer, or what there is of it */
void mcp_call_tell(struct mcp_call *call, enum mcp_outcome outcome, const char *why); /* and free it */
void mcp_call_end(struct mcp_call *call, enum mcp_outcome outcome, const char *why);  /* told later, from the loop */
void mcp_go_on(struct mcp *mcp);						      /* whose turn is it? */

/* mcp.c */
void mcp_call_send(struct mcp_call *call);
void mcp_on_timer(int fd, short what, void *call);
/* What was read, `size` bytes, is its answer; head: of the answer that initialize got, NULL when it has none. Tells and frees it. */
void mcp_take_read(struct mcp_call *call, const struct fetch_answer *head, uint64_t size);

/* session.c */
void mcp_session_open(struct mcp *mcp);
void mcp_session_take(struct mcp *mcp, const struct fetch_answer *answer); /* the id that initialize was answered with */
void mcp_session_close(struct mcp *mcp);				   /* tells the server, which may care or not */

/* stream.c */
const char *mcp_post_url(const struct mcp *mcp);
void mcp_stream_open(
    struct mcp *mcp, struct mcp_call *opener, const char *refusal); /* refusal: what it said to a POST; NULL: it was not asked */
void mcp_stream_turn(struct mcp *mcp);				    /* from the loop: takes what came */
void mcp_stream_left(struct mcp *mcp, const struct mcp_call *call); /* it will not wait for the stream any more */
void mcp_stream_doubt(struct mcp *mcp);				    /* an answer did not come */
bool mcp_stream_doubted(const struct mcp *mcp);
void mcp_stream_close(struct mcp *mcp);

/* Header lines of a request; the last one is NULL. */
struct mcp_head {
	struct buf lines[10];
	const char *list[11];
	size_t n;
};
bool mcp_head_make(const struct mcp *mcp, const struct mcp_call *call, struct mcp_head *head, struct err *err); /* release it in any case */
void mcp_head_release(struct mcp_head *head);

#endif
