/* host_internal.h - what the files of the session host share */
#ifndef HOST_INTERNAL_H
#define HOST_INTERNAL_H

#include "buf.h"
#include "compat.h"
#include "host.h"
#include "jtext.h"
#include "runtime/runtime.h"
#include "trace.h"

struct event;
struct shared;
struct stream;

struct session {
	struct session *next, **prev; /* the one used last is first */
	struct buf identifier, id, thread;
	int64_t created_ms, seen_ms, bootstrapped_ms;
	uint64_t turns;
	struct job *jobs, **jobs_end; /* the first one is under way */
	size_t n_jobs;
};

/* What a turn is asked for with (agent-runtime(7)); "" is not given. The policies and the sandbox as runtime_turn_request has them. */
struct wishes {
	struct buf model, effort, personality, approval_policy, sandbox_policy, cwd, instructions;
};

/* A bootstrap or a turn. */
struct job {
	struct job *next;
	struct host *host;
	struct session *session;
	struct request *request; /* NULL: answered, or streamed */
	struct stream *stream;	 /* NULL: none, or its reader has gone */
	struct buf owed;	 /* text that waits until the reader has read */
	bool missed;		 /* there was too much of it: no more pieces */
	bool bootstrap, begun, stopped;
	int64_t restarts;
	int64_t sleep_ms; /* of a mock turn */
	struct event *timer;
	struct buf id, text; /* of a turn */
	struct wishes wishes;
	bool asks;			      /* its reader answers what the runtime wants approved */
	uint64_t open[RUNTIME_APPROVALS_MAX]; /* what it has been asked and has not answered: the runtime's numbers */
	size_t n_open;
	struct buf turn; /* the runtime's id */
	struct trace trace;
	uint64_t number, events;
};

struct ended {
	struct buf id;
	int64_t at_ms;
};

struct notice {
	int64_t cursor;
	struct shared *frame;
};

struct reader {
	struct reader *next, **prev;
	struct stream *stream;
	struct host *host;
};

struct host {
	struct host_settings settings;
	struct runtime *runtime; /* NULL: the mock engine */
	struct event *ping;
	struct buf boot, name, dir;
	int64_t boot_ms, boot_mono;
	uint64_t requests;
	struct session *sessions;
	size_t n_sessions;
	struct ended ended[HOST_TURNS_MAX];
	size_t ended_at;
	struct notice ring[HOST_RING_MAX];
	int64_t cursor;
	struct reader *readers;
	size_t n_readers;
	struct buf mode, limits; /* last notified, JSON; "" before */
};

void host_reply(struct request *request, int status, const struct buf *body);
void host_refuse(
    struct request *request, int status, const char *code, const char *message, const struct buf *turn); /* turn: NULL or its id */

/* A body that is absent or blank is {}. False: it has been answered. */
bool host_body(struct request *request, struct span *ret) USE_RESULT;

/* host_say.c: of a turn, to whoever waits for its answer */
void say_event(struct job *job, const char *event, const struct buf *data); /* it streams */
void say_answer(struct job *job, const struct buf *body);
void say_refusal(
    struct job *job, int status, const char *code, const char *message, enum runtime_fault fault); /* NONE: it is no fault of the runtime */
void say_failure(struct job *job, const struct runtime_end *end);				   /* of a turn, by the runtime */
void say_delta(struct job *job, struct span text); /* pieces are given in their order and without a gap */
void say_owed(struct job *job);
void say_usage(struct job *job, struct span usage);
void say_notice(struct job *job, const struct runtime_event *event); /* anything else, as the runtime says it */

/* host_ask.c: what a turn is asked for with, and what it asks */
void wishes_init(struct wishes *wishes);
void wishes_release(struct wishes *wishes);
bool wishes_take(const struct host *host, struct request *request, struct span body, struct wishes *ret) USE_RESULT; /* false: answered */
void ask_reader(struct job *job, const struct runtime_event *event); /* APPROVAL or APPROVAL_RESOLVED */
void ask_nobody(struct job *job);				     /* there is no reader any more: what is open is declined */
void ask_answer(struct host *host, struct request *request, const struct buf *turn, const struct buf *approval);

/* host_jobs.c */
struct job *job_new(
    struct host *host, struct request *request, const struct buf *identifier); /* the last of its session's; NULL: it has been answered */
void session_go_on(struct session *session);				       /* begins on the first job, if nothing is under way */
struct job *turn_of(const struct host *host, const struct buf *id);	       /* one that waits or is under way, or NULL */
const struct ended *turn_ended(const struct host *host, const struct buf *id); /* one of the last HOST_TURNS_MAX, or NULL */
void turn_done(struct job *job, struct span text);			       /* the mock engine answers */
void jobs_free(struct host *host);					       /* with their jobs and the ended turns */

/* host_turns.c */
void turns_bootstrap(struct host *host, struct request *request);
void turns_start(struct host *host, struct request *request);
void turns_interrupt(struct host *host, struct request *request, const struct buf *id);
void turns_ping(struct host *host); /* streams of turns show that somebody is there */

/* host_mock.c */
int64_t mock_sleep(const struct host *host, struct span body);
void mock_begin(struct job *job);
void mock_interrupt(struct job *job); /* its answer comes at once */
bool mock_account(struct request *request, const char *what);

/* host_account.c */
bool account_handle(struct host *host, struct request *request, const char *what); /* what: the path after /agent/account/ */

/* host_stream.c */
void stream_open(struct host *host, struct request *request);
void stream_notice(const char *method, struct span params, void *host);
void stream_ping(struct host *host);
void stream_close(struct host *host);

#endif
