/* internal.h - what the files of chat/ share. Private to chat/. */
#ifndef CHAT_INTERNAL_H
#define CHAT_INTERNAL_H

#include "chat/chat.h"
#include "chat/history.h"
#include "trace.h"

struct agent;
struct change;
struct change_context;
struct command_call;
struct firing;
struct resident_call;
struct run;
struct service_call;

#define CHAT_BUCKETS 4096
#define CHAT_DATA_USUAL 512 /* bytes of an event's data without its text: room made at once */

/* The messages of one run that are not answered yet; the first one is being answered. */
struct conversation {
	struct buf run;
	struct job *first, **last;
	struct conversation *next;
};

struct chat {
	struct event_base *base;
	struct log *log;
	const struct agents *agents;
	struct chat_settings settings;
	struct handlers *handlers;
	struct recent *recent;
	struct subscription *news; /* of what is said, for recent; NULL: the log failed */
	struct conversation *conversations[CHAT_BUCKETS];
	size_t n_conversations;
	bool draining;
	void (*drained)(void *payload);
	void *drained_payload;
	struct event *grace, *quiet;
};

/* One message on its way to its answer. */
struct job {
	struct chat *chat;
	struct buf run, service, agent; /* as recorded with the message; service and agent may be "" */
	struct buf text;		/* sanitised */
	struct buf turn_options;	/* of the turn that it is to be: JSON, "": any */
	struct buf step;		/* stepId */
	struct buf session;		/* sessionId */
	struct buf status_json;		/* runtimeState of the context */
	struct buf trigger, trigger_context;
	int64_t seq; /* of the message */
	bool hitl;
	const struct agent *handler;	/* NULL: none found */
	struct command_call *call;	/* the handler at work, or NULL */
	struct resident_call *resident; /* the same, one that stays */
	struct service_call *remote;	/* the same, somewhere else */
	struct chat_turn_call *turn;	/* the same, a turn of the run's thread */
	void (*stop_turn)(struct chat_turn_call *call);
	bool tool_called; /* it answered */
	struct history history;
	int64_t said;	  /* at_once.c: seq of the newest event of the history, 0: there was none */
	struct buf reply; /* or, with failed, the error */
	struct buf error; /* with failed, what its turn on a runtime says of it: JSON, or "" */
	struct buf usage; /* what its turn on a runtime has cost: JSON, or "" */
	bool failed;
	struct firing *firing; /* a timer's, or NULL: a message */
	struct trace trace;    /* of the request that brought it, as long as this process lives */
	struct job *next;
};

struct job *job_new(struct chat *chat, const struct buf *run, int64_t seq);
void job_free(struct job *job);
/* answer.c */
void job_start(struct job *job);
extern const struct subscription_events chat_news; /* what is said, on its way into chat->recent */
/* Queues a change of the job's run, with the job as its payload. */
void job_submit(struct job *job, bool (*apply)(struct change *, const void *, struct change_context *), void (*done)(struct change *));
/* What answers its service or agent: into job->handler. */
void job_find_handler(struct job *job);
bool job_is_echo(const struct job *job);
void job_make_echo(struct job *job); /* its step and its reply */
void job_store_echo(struct change_context *context, const struct job *job);
/* The history from what these say, the newest of the run; all: there are no older ones. False: they do not reach far enough. */
bool job_set_history(struct job *job, const struct said *said, size_t n, bool all);
/* The handler is done: job->reply is the answer, or with failed the reason. */
void job_end(struct job *job, bool failed);
/* The same on the store's thread, in a change of the job's run; nothing for a run that is over. */
void job_store_end(struct change_context *context, const struct job *job);
/* A run that is over gets no more events of ours: then true, and the change is refused. */
bool job_is_over(const void *row, struct change *change);

/* at_once.c - a message whose answer is known when it comes. NULL: it is none, and is answered when it is stored; else the job is the first one
 * of its run. */
struct job *job_at_once(struct chat *chat, const struct buf *run, const struct buf *service, const struct buf *text);
bool job_fits(const struct job *job, const struct run *run, const struct buf *service); /* before the message, on the store's thread */
void job_answer(struct job *job, struct change_context *context, int64_t seq, const struct buf *agent); /* after it */
void job_remember(const struct job *job, const struct change *change); /* when both are stored, on the loop */

/* What of the run is in progress, NULL: nothing; what waits behind it is dropped. */
struct job *chat_keep_first(struct chat *chat, const struct buf *run);
struct log *chat_log(const struct chat *chat);
size_t chat_message_chars(const struct chat *chat);
const struct chat_turns *chat_turns(const struct chat *chat); /* start NULL: nobody runs turns */
const struct secrets *chat_secrets(const struct chat *chat);
/* post.c: hands the outcome of a change to who asked; body is built in `body` when the change left no answer. */
void chat_outcome(const struct change *change, int ok, struct chat_answer *answer, struct buf *body);

/* events.c - the executor's events; all on the store's thread, from a change's apply */
void events_disabled(struct change_context *context, const struct job *job);
void events_start(struct change_context *context, const struct job *job, bool echo, bool tool);
void events_reply(struct change_context *context, const struct job *job, bool echo);
void events_failure(struct change_context *context, const struct job *job);
/* The call of a remote tool is an event of the service; nothing for others. */
void events_tool_called(struct change_context *context, const struct job *job);
/* The end of a cancelled run: the job's answer, when it came all the same, or its failure; then the run's. */
void events_cancelled(struct change_context *context, const struct job *job, const struct run *run);
const char *job_mode(const struct job *job);

/* arguments.c - what a handler is given (contract section 9), and what its answer says */
void arguments_make(const struct job *job, struct buf *to);
/* The same of what a remote tool returned (contract section 9). */
bool arguments_remote_reply(const struct job *job, struct span result, struct buf *ret);
/* The reply's text; false with the reason in ret. */
bool arguments_reply(const struct job *job, const struct buf *output, struct buf *ret);
bool arguments_text(struct span answer, struct buf *ret); /* the same of an answer that is read already; false: it has none */

/* timer.c - runs of timers */
void firing_free(struct firing *firing); /* accepts NULL */
void firing_ended(struct firing *firing);
const char *firing_tool(const struct firing *firing);
void firing_arguments(const struct job *job, struct buf *to);
void firing_text(const struct job *job, struct buf *to);		   /* the same for a runtime */
void firing_answer(struct job *job, const struct buf *output);		   /* into reply and failed */
void events_firing(struct change_context *context, const struct job *job); /* its end */
void events_firing_cancelled(struct change_context *context, const struct job *job, const struct run *run);
void events_firing_interrupted(struct change_context *context, const struct job *job, const struct run *run);

/* chat.c */
void chat_enqueue(struct job *job);
bool chat_begin(struct job *job);		       /* for one that is at work already; false: its run has others, and nothing happens */
void job_finish(struct job *job);		       /* the first one of its run, which is freed: the next one's turn */
void chat_make_step(const char *what, struct buf *to); /* WHAT_<ms>_<6 base36> */
bool chat_records_services(const struct chat *chat);
const char *chat_default_mode(const struct chat *chat);

#endif
