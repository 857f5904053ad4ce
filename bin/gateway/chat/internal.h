/* internal.h - what the files of chat/ share. Private to chat/. */
#ifndef CHAT_INTERNAL_H
#define CHAT_INTERNAL_H

#include "chat/chat.h"
#include "chat/history.h"

struct agent;
struct change_context;
struct run;

/* One message on its way to its answer. */
struct job {
	struct chat *chat;
	struct buf run, service, agent; /* as recorded with the message; service and agent may be "" */
	struct buf text;		/* sanitised */
	struct buf step;		/* stepId */
	struct buf session;		/* sessionId */
	struct buf status_json;		/* runtimeState of the context */
	struct buf trigger, trigger_context;
	int64_t seq;			/* of the message */
	bool hitl;
	const struct agent *handler;	/* NULL: none found */
	struct history history;
	struct buf reply;		/* or, with failed, the error */
	bool failed;
	struct job *next;
};

void job_free(struct job *job);

/* events.c - the executor's events; all on the store's thread, from a change's apply */
void events_disabled(struct change_context *context, const struct job *job);
void events_start(struct change_context *context, const struct job *job, bool echo, bool tool);
void events_reply(struct change_context *context, const struct job *job, bool echo);
void events_failure(struct change_context *context, const struct job *job);
const char *job_mode(const struct job *job);

/* arguments.c - what a handler is given (contract section 9), and what its answer says */
void arguments_make(const struct job *job, struct buf *to);
/* The reply's text; false with the reason in ret. */
bool arguments_reply(const struct job *job, const struct buf *output, struct buf *ret);

const char *chat_default_mode(const struct chat *chat);

#endif
