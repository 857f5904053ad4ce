/* handler.h - whoever answers a job: a program for each message, one that stays, or a remote agent. Private to chat/. */
#ifndef CHAT_HANDLER_H
#define CHAT_HANDLER_H

#include "compat.h"

struct agents;
struct chat_turns;
struct event_base;
struct handlers;
struct job;
struct services;

struct handlers *handlers_new(
    struct event_base *base, const struct agents *agents, struct services *services, const char *url, const char *questions);
void handlers_set_turns(struct handlers *handlers, const struct chat_turns *turns);
const struct chat_turns *handlers_turns(const struct handlers *handlers); /* start NULL: nobody runs turns */
/* What comes of it goes to job_end(): the reply, or with failed the reason, in job->reply. */
void handler_ask(struct handlers *handlers, struct job *job);
/* Ends what is at work for the job, if anything is; job_end() comes with this reason. */
void handler_end(struct job *job, const char *why);
void handlers_stop(struct handlers *handlers);
void handlers_free(struct handlers *handlers);				/* accepts NULL */
void handlers_missed(struct handlers *handlers, const struct job *job); /* one with turn options is over */
size_t handlers_count(const struct handlers *handlers);			/* programs started for a message, at work and waiting */

#endif
