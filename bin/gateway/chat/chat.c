/* chat.c - messages of runs: queued per run, answered one after another */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "agents/agents.h"
#include "chat/handler.h"
#include "chat/internal.h"
#include "chat/recent.h"
#include "hash.h"
#include "log/log.h"
#include "services/services.h"
#include "xalloc.h"

struct log *
chat_log(const struct chat *chat)
{
	return chat->log;
}

const struct secrets *
chat_secrets(const struct chat *chat)
{
	return chat->settings.secrets;
}

size_t
chat_message_chars(const struct chat *chat)
{
	return chat->settings.message_chars;
}

bool
chat_records_services(const struct chat *chat)
{
	return services_record(chat->settings.services);
}

const char *
chat_default_mode(const struct chat *chat)
{
	return chat->settings.default_mode;
}

void
job_free(struct job *job)
{
	if (!job)
		return;
	if (job->turn_options.len && job->chat->handlers)
		handlers_missed(job->chat->handlers, job);
	buf_release(&job->turn_options);
	buf_release(&job->run);
	buf_release(&job->service);
	buf_release(&job->agent);
	buf_release(&job->text);
	buf_release(&job->step);
	buf_release(&job->session);
	buf_release(&job->status_json);
	buf_release(&job->trigger);
	buf_release(&job->trigger_context);
	buf_release(&job->reply);
	buf_release(&job->error);
	buf_release(&job->usage);
	agent_unref(job->handler);
	history_release(&job->history);
	firing_free(job->firing);
	trace_release(&job->trace);
	free(job);
}

struct job *
job_new(struct chat *chat, const struct buf *run, int64_t seq)
{
	struct job *job = xcalloc(1, sizeof *job);

	job->chat = chat;
	job->seq = seq;
	buf_init(&job->run);
	buf_init(&job->service);
	buf_init(&job->agent);
	buf_init(&job->text);
	buf_init(&job->turn_options);
	buf_init(&job->step);
	buf_init(&job->session);
	buf_init(&job->status_json);
	buf_init(&job->trigger);
	buf_init(&job->trigger_context);
	buf_init(&job->reply);
	buf_init(&job->error);
	buf_init(&job->usage);
	buf_add(&job->run, run->s, run->len);
	return job;
}

/* ---- conversations */

static struct conversation **
find(struct chat *chat, const struct buf *run)
{
	struct conversation **at;

	for (at = &chat->conversations[hash(run->s, run->len) % CHAT_BUCKETS]; *at; at = &(*at)->next)
		if (buf_equal(&(*at)->run, run))
			break;
	return at;
}

static void
check_quiet(struct chat *chat)
{
	if (chat->draining && !chat->n_conversations && chat->drained)
		event_active(chat->quiet, EV_TIMEOUT, 1);
}

/* To its run's other jobs; true: it is the first one. */
static bool
append(struct job *job)
{
	struct conversation **at = find(job->chat, &job->run), *conversation = *at;
	bool first = !conversation;

	if (first) {
		conversation = *at = xcalloc(1, sizeof *conversation);
		buf_init(&conversation->run);
		buf_add(&conversation->run, job->run.s, job->run.len);
		conversation->last = &conversation->first;
		job->chat->n_conversations++;
	}
	*conversation->last = job;
	conversation->last = &job->next;
	return first;
}

void
chat_enqueue(struct job *job)
{
	if (job->chat->draining)
		job_free(job); /* it stays in the run's inbox, for the next start */
	else if (append(job))
		job_start(job);
}

bool
chat_begin(struct job *job)
{
	if (job->chat->draining || *find(job->chat, &job->run))
		return false;
	append(job);
	return true;
}

static void
jobs_free(struct job *job)
{
	struct job *next;

	for (; job; job = next) {
		next = job->next;
		job_free(job);
	}
}

struct job *
chat_keep_first(struct chat *chat, const struct buf *run)
{
	struct conversation *conversation = *find(chat, run);

	if (!conversation)
		return NULL;
	jobs_free(conversation->first->next);
	conversation->first->next = NULL;
	conversation->last = &conversation->first->next;
	return conversation->first;
}

static void
conversation_free(struct chat *chat, struct conversation **at)
{
	struct conversation *conversation = *at;

	*at = conversation->next;
	jobs_free(conversation->first);
	buf_release(&conversation->run);
	free(conversation);
	chat->n_conversations--;
}

/* The first job of its run is finished: the next one's turn. */
void
job_finish(struct job *job)
{
	struct chat *chat = job->chat;
	struct conversation **at = find(chat, &job->run), *conversation = *at;

	conversation->first = job->next;
	firing_ended(job->firing);
	job_free(job);
	if (conversation->first && !chat->draining)
		job_start(conversation->first);
	else {
		conversation_free(chat, at);
		check_quiet(chat);
	}
}

/* ---- life cycle */

static void
on_grace(evutil_socket_t fd, short what, void *payload)
{
	struct chat *chat = payload;

	(void)fd;
	(void)what;
	handlers_stop(chat->handlers);
}

static void
on_quiet(evutil_socket_t fd, short what, void *payload)
{
	struct chat *chat = payload;
	void (*cb)(void *) = chat->drained;

	(void)fd;
	(void)what;
	if (!cb || chat->n_conversations)
		return;
	chat->drained = NULL;
	cb(chat->drained_payload);
}

void
chat_set_turns(struct chat *chat, const struct chat_turns *turns)
{
	handlers_set_turns(chat->handlers, turns);
}

const struct chat_turns *
chat_turns(const struct chat *chat)
{
	return handlers_turns(chat->handlers);
}

struct chat *
chat_new(struct event_base *base, struct log *log, const struct agents *agents, const struct chat_settings *settings)
{
	struct chat *chat = xcalloc(1, sizeof *chat);

	chat->base = base;
	chat->log = log;
	chat->agents = agents;
	chat->settings = *settings;
	chat->recent = recent_new();
	chat->news = log_subscribe(log, SPAN_NONE, "agent.chat.", log_last_seq(log), 0, &chat_news, chat);
	chat->handlers = handlers_new(base, agents, settings->services, settings->url, settings->questions);
	chat->grace = event_new(base, -1, 0, on_grace, chat);
	chat->quiet = event_new(base, -1, 0, on_quiet, chat);
	return chat;
}

void
chat_drain(struct chat *chat, int64_t grace_ms, void (*cb)(void *payload), void *payload)
{
	struct timeval after = { (time_t)(grace_ms / 1000), (suseconds_t)(grace_ms % 1000 * 1000) };

	chat->draining = true;
	chat->drained = cb;
	chat->drained_payload = payload;
	event_add(chat->grace, &after);
	check_quiet(chat);
}

void
chat_rest(struct chat *chat)
{
	recent_forget(chat->recent);
}

void
chat_free(struct chat *chat)
{
	size_t i;

	if (!chat)
		return;
	handlers_free(chat->handlers);
	chat->handlers = NULL;
	log_unsubscribe(chat->news);
	recent_free(chat->recent);
	for (i = 0; i < CHAT_BUCKETS; i++)
		while (chat->conversations[i])
			conversation_free(chat, &chat->conversations[i]);
	event_free(chat->grace);
	event_free(chat->quiet);
	free(chat);
}

struct chat_stats
chat_stats(const struct chat *chat)
{
	return (struct chat_stats){ .busy = chat->n_conversations, .handlers = handlers_count(chat->handlers) };
}
