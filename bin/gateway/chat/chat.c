/* chat.c - messages of runs: accepted, queued per run, answered one after another */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "agents/agents.h"
#include "chat/handler.h"
#include "chat/internal.h"
#include "chat/recent.h"
#include "chat/sanitize.h"
#include "clock.h"
#include "err.h"
#include "hash.h"
#include "key.h"
#include "log/log.h"
#include "num.h"
#include "services/services.h"
#include "status.h"
#include "xalloc.h"

#define BUCKETS 4096
#define HISTORY_PAGE 2000  /* chat events of a run that are looked at */
#define RECOVER_MAX 100000 /* runs with unanswered messages that are taken up at the start */

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
	struct conversation *conversations[BUCKETS];
	size_t n_conversations;
	bool draining;
	void (*drained)(void *payload);
	void *drained_payload;
	struct event *grace, *quiet;
};

static void start_job(struct job *job);

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
	buf_init(&job->step);
	buf_init(&job->session);
	buf_init(&job->status_json);
	buf_init(&job->trigger);
	buf_init(&job->trigger_context);
	buf_init(&job->reply);
	buf_add(&job->run, run->s, run->len);
	return job;
}

/* ---- conversations */

static struct conversation **
find(struct chat *chat, const struct buf *run)
{
	struct conversation **at;

	for (at = &chat->conversations[hash(run->s, run->len) % BUCKETS]; *at; at = &(*at)->next)
		if ((*at)->run.len == run->len && !memcmp((*at)->run.s, run->s, run->len))
			break;
	return at;
}

static void
check_quiet(struct chat *chat)
{
	if (chat->draining && !chat->n_conversations && chat->drained)
		event_active(chat->quiet, EV_TIMEOUT, 1);
}

void
chat_enqueue(struct job *job)
{
	struct conversation **at = find(job->chat, &job->run), *conversation = *at;
	bool idle = !conversation;

	if (job->chat->draining) {
		job_free(job); /* it stays in the run's inbox, for the next start */
		return;
	}
	if (!conversation) {
		conversation = *at = xcalloc(1, sizeof *conversation);
		buf_init(&conversation->run);
		buf_add(&conversation->run, job->run.s, job->run.len);
		conversation->last = &conversation->first;
		job->chat->n_conversations++;
	}
	*conversation->last = job;
	conversation->last = &job->next;
	if (idle)
		start_job(job);
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
static void
finish_job(struct job *job)
{
	struct chat *chat = job->chat;
	struct conversation **at = find(chat, &job->run), *conversation = *at;

	conversation->first = job->next;
	firing_ended(job->firing);
	job_free(job);
	if (conversation->first && !chat->draining)
		start_job(conversation->first);
	else {
		conversation_free(chat, at);
		check_quiet(chat);
	}
}

/* ---- the answer of one message */

static void
after_end(struct change *change)
{
	struct job *job = change->payload;

	/* could not be stored: the message stays in the inbox, and the next start closes it */
	change_free(change);
	finish_job(job);
}

/* A run that is over in the meantime gets no more events of ours. */
bool
job_is_over(const void *row, struct change *change)
{
	const struct run *run = row;

	if (!run || !run_terminal(run))
		return false;
	err_set(&change->err, STATUS_CONFLICT, "the run is over");
	return true;
}

static bool
apply_end(struct change *change, const void *row, struct change_context *context)
{
	const struct job *job = change->payload;
	const struct run *run = row;

	if (job_is_over(row, change))
		return false;
	if (run && run->cancel_asked && job->firing)
		events_firing_cancelled(context, job, run);
	else if (run && run->cancel_asked)
		events_cancelled(context, job, run);
	else if (job->firing)
		events_firing(context, job);
	else if (job->failed)
		events_failure(context, job);
	else
		events_reply(context, job, false);
	return true;
}

void
job_submit(struct job *job, bool (*apply)(struct change *, const void *, struct change_context *), void (*done)(struct change *))
{
	struct change *change = change_new(done, job);

	buf_add(&change->stream, job->run.s, job->run.len);
	change->apply = apply;
	log_change(job->chat->log, change);
}

void
job_end(struct job *job, bool failed)
{
	job->failed = failed;
	job_submit(job, apply_end, after_end);
}

void
job_call_handler(struct job *job)
{
	handler_ask(job->chat->handlers, job);
}

static void
after_start(struct change *change)
{
	struct job *job = change->payload;
	enum change_result result = change->result;

	change_free(change);
	if (result == CHANGE_DONE)
		job_call_handler(job);
	else
		finish_job(job); /* over, or not stored */
}

static bool
is_echo(const struct job *job)
{
	return !strcmp(job_mode(job), "echo");
}

static bool
is_disabled(const struct job *job)
{
	return !strcmp(job_mode(job), "disabled");
}

/* An echo is known at once: its whole answer is one change. */
static bool
apply_echo(struct change *change, const void *row, struct change_context *context)
{
	const struct job *job = change->payload;

	if (job_is_over(row, change))
		return false;
	events_start(context, job, true, false);
	events_reply(context, job, true);
	return true;
}

static bool
apply_disabled(struct change *change, const void *row, struct change_context *context)
{
	if (job_is_over(row, change))
		return false;
	events_disabled(context, change->payload);
	return true;
}

static bool
apply_start(struct change *change, const void *row, struct change_context *context)
{
	const struct job *job = change->payload;

	if (job_is_over(row, change))
		return false;
	/* what a runtime calls it tells itself */
	events_start(context, job, false, job->service.len > 0 && !(job->handler && job->handler->origin == ORIGIN_RUNTIME));
	return true;
}

void
chat_make_step(const char *what, struct buf *to)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	struct buf hex = BUF_INIT;
	size_t i;

	key_add_hex(&hex, 6);
	buf_addf(to, "%s_%lld_", what, (long long)clock_wall_ms());
	for (i = 0; i < 6; i++) {
		unsigned high = (unsigned char)hex.s[2 * i], low = (unsigned char)hex.s[2 * i + 1];

		buf_addch(to, digits[(high * 7 + low) % 36]);
	}
	buf_release(&hex);
}

static void
dispatch(struct job *job)
{
	chat_make_step("runtime_chat", &job->step);
	if (is_echo(job)) {
		buf_addstr(&job->reply, "Echo: ");
		buf_add(&job->reply, job->text.s, job->text.len);
		job_submit(job, apply_echo, after_end);
	} else
		job_submit(job, apply_start, after_start);
}

static void
read_history(struct job *job, int limit, void (*done)(struct page *page))
{
	struct page *page = page_new(done, job);

	buf_add(&page->stream, job->run.s, job->run.len);
	page->prefix = "agent.chat.";
	page->last = true;
	page->limit = limit < HISTORY_PAGE ? limit : HISTORY_PAGE;
	log_page(job->chat->log, page);
}

/* The history from what these say, the newest of the run; all: there are no older ones. False: they do not reach far enough. */
static bool
set_history(struct job *job, const struct said *said, size_t n, bool all)
{
	const struct agent *agent = job->handler;
	bool enabled = !agent || agent->history_enabled;
	size_t turns = agent ? (size_t)agent->history_max_turns : 24;

	/* many messages that wait behind this one may have pushed out what was before it */
	if (enabled && !all && !history_reaches(said, n, job->seq, turns))
		return false;
	history_make(
	    said, enabled ? n : 0, job->seq, turns, agent ? (size_t)agent->history_max_chars : 12000, !is_echo(job), &job->history);
	return true;
}

static void
after_history(struct page *page)
{
	struct job *job = page->payload;
	struct said *said = xcalloc(page->n_events, sizeof *said);
	bool all = page->n_events < (size_t)page->limit, far = page->limit >= HISTORY_PAGE, ok = page->err.status == STATUS_OK;
	size_t i;

	for (i = 0; i < page->n_events; i++)
		said_of(page->events[i], &said[i]);
	if (ok && job->chat->news && (all || page->n_events >= RECENT_EVENTS_MAX))
		recent_take(job->chat->recent, (struct span){ job->run.s, job->run.len }, page->events, page->n_events, all);
	ok = set_history(job, said, page->n_events, all || far);
	for (i = 0; i < page->n_events; i++)
		said_release(&said[i]);
	free(said);
	page_free(page);
	if (ok)
		dispatch(job);
	else
		read_history(job, HISTORY_PAGE, after_history);
}

static void
find_history(struct job *job)
{
	int reach = 2 * (job->handler ? (int)job->handler->history_max_turns : 24) + 64;
	const struct said *said = NULL;
	size_t n;
	bool all;

	if (reach <= RECENT_EVENTS_MAX) {
		said = recent_of(job->chat->recent, (struct span){ job->run.s, job->run.len }, job->seq, &n, &all);
		reach = RECENT_EVENTS_MAX;
	}
	if (said && set_history(job, said, n, all))
		dispatch(job);
	else
		read_history(job, said ? HISTORY_PAGE : reach, after_history);
}

static bool
on_said(struct entry *event, void *payload)
{
	struct chat *chat = payload;

	recent_add(chat->recent, event);
	return true;
}

/* What is remembered would grow old now. */
static void
on_news_failed(const struct err *err, void *payload)
{
	struct chat *chat = payload;

	(void)err;
	log_unsubscribe(chat->news);
	chat->news = NULL;
	recent_free(chat->recent);
	chat->recent = recent_new();
}

static const struct subscription_events news_events = { .event = on_said, .failed = on_news_failed };

/* What the run's own record has for the handler. */
static void
after_run(struct rows *rows)
{
	struct job *job = rows->payload;
	const struct run *run = rows->n_rows ? rows->rows[0] : NULL;
	struct span context;

	buf_add(&job->session, job->run.s, job->run.len);
	if (run) {
		buf_add(&job->trigger, run->trigger.s, run->trigger.len);
		buf_add(&job->trigger_context, run->trigger_context.s, run->trigger_context.len);
		context = (struct span){ job->trigger_context.s, job->trigger_context.len };
		if (context.n) {
			struct buf session = BUF_INIT;

			if ((jtext_get_string(context, "sessionId", &session) || jtext_get_string(context, "session_id", &session)) &&
			    session.len) {
				buf_reset(&job->session);
				buf_add(&job->session, session.s, session.len);
			}
			buf_release(&session);
		}
		buf_addch(&job->status_json, '{');
		jtext_add_string(&job->status_json, "status", run_status_text(run->status), strlen(run_status_text(run->status)));
		if (run->waiting_reason.len)
			jtext_add_string(&job->status_json, "waitingReason", run->waiting_reason.s, run->waiting_reason.len);
		jtext_add_i64(&job->status_json, "eventCount", run->events);
		jtext_add_string(&job->status_json, "lastEventKind", run->last_kind.s, run->last_kind.len);
		buf_addch(&job->status_json, '}');
	}
	rows_free(rows, log_rows_ops());
	find_history(job);
}

static const struct agent *
find_handler(const struct chat *chat, const struct job *job)
{
	if (job->service.len)
		return agents_by_service(chat->agents, (struct span){ job->service.s, job->service.len });
	return agents_by_name(chat->agents, (struct span){ job->agent.s, job->agent.len });
}

static void
start_job(struct job *job)
{
	struct chat *chat = job->chat;
	struct rows *rows;

	if (job->firing) {
		job_call_handler(job);
		return;
	}
	job->handler = find_handler(chat, job);
	if (job->handler)
		agent_ref(job->handler);
	if (job->handler && !job->service.len)
		buf_add(&job->service, job->handler->service.s, job->handler->service.len);
	if (is_disabled(job)) {
		job_submit(job, apply_disabled, after_end);
		return;
	}
	if (is_echo(job)) {
		find_history(job);
		return;
	}
	rows = rows_new(after_run, job);
	buf_add(&rows->stream, job->run.s, job->run.len);
	rows->limit = 1;
	log_rows(chat->log, rows);
}

/* ---- accepting a message */

struct post {
	struct chat *chat;
	struct buf role, service, agent, kind;
	struct sanitized text;
	enum chat_channel channel;
	struct trace trace;
	void (*cb)(const struct chat_answer *answer, void *payload);
	void *payload;
	/* from the change */
	int64_t seq;
	bool ours; /* to answer; else another gateway does, that is at the run already */
};

static void
post_free(struct post *post)
{
	buf_release(&post->role);
	buf_release(&post->service);
	buf_release(&post->agent);
	buf_release(&post->kind);
	buf_release(&post->text.text);
	trace_release(&post->trace);
	free(post);
}

static void
add_buf(struct buf *to, const char *key, const struct buf *text)
{
	jtext_add_string(to, key, text->s, text->len);
}

static void
refuse(struct change *change, const struct run *run, const char *what)
{
	const char *status = run_status_text(run->cancel_asked ? RUN_CANCELLED : run->status);
	struct buf text = BUF_INIT;

	buf_addf(&text, "run is terminal and no longer accepts %s: %s", what, run->id.s);
	buf_addch(&change->answer, '{');
	add_buf(&change->answer, "error", &text);
	add_buf(&change->answer, "runId", &run->id);
	jtext_add_string(&change->answer, "status", status, strlen(status));
	buf_addch(&change->answer, '}');
	err_set(&change->err, STATUS_CONFLICT, "%s", text.s);
	change->err.http = 409;
	buf_release(&text);
}

static void
make_answer(struct change *change, const struct post *post)
{
	struct buf *to = &change->answer;

	buf_addstr(to, "{\"ok\":true");
	add_buf(to, "runId", &change->stream);
	if (post->channel == CHAT_MESSAGES)
		add_buf(to, "role", &post->role);
	add_buf(to, "kind", &post->kind);
	jtext_add_bool(to, "runtime_chat_execution_queued", post->channel == CHAT_HITL || !strcmp(post->role.s, "user"));
	jtext_add_bool(to, "message_truncated", post->text.truncated);
	jtext_add_bool(to, "message_redacted", post->text.redacted);
	if (post->service.len)
		add_buf(to, "serviceId", &post->service);
	if (post->agent.len)
		add_buf(to, "agent", &post->agent);
	jtext_add_i64(to, "seq", post->seq);
	buf_addch(to, '}');
}

static void
make_data(const struct change *change, const struct post *post, int64_t now, struct buf *data)
{
	struct buf at = BUF_INIT;

	clock_add_iso(&at, now);
	buf_addch(data, '{');
	add_buf(data, "runId", &change->stream);
	if (post->service.len)
		add_buf(data, "serviceId", &post->service);
	if (post->agent.len)
		add_buf(data, "agent", &post->agent);
	if (post->channel == CHAT_MESSAGES)
		add_buf(data, "role", &post->role);
	add_buf(data, "message", &post->text.text);
	jtext_add_i64(data, "messageOriginalLength", (int64_t)post->text.original_length);
	jtext_add_i64(data, "messageStoredLength", (int64_t)post->text.stored_length);
	jtext_add_bool(data, "messageTruncated", post->text.truncated);
	jtext_add_bool(data, "messageRedacted", post->text.redacted);
	if (post->channel == CHAT_MESSAGES) {
		jtext_add_string(data, "source", "runtime_chat", 12);
		jtext_add_string(data, "channel", "run_messages", 12);
	} else {
		jtext_add_string(data, "source", "gateway_ui", 10);
		jtext_add_string(data, "channel", "virtual_cli", 11);
	}
	add_buf(data, "submittedAt", &at);
	buf_addch(data, '}');
	buf_release(&at);
}

static bool
apply_post(struct change *change, const void *row, struct change_context *context)
{
	struct post *post = change->payload;
	const struct run *run = row;
	struct buf data = BUF_INIT, message = BUF_INIT, turn = BUF_INIT;
	bool queue = post->channel == CHAT_HITL || !strcmp(post->role.s, "user");
	int64_t owner;

	if (run && (run_terminal(run) || run->cancel_asked)) {
		refuse(change, run, post->channel == CHAT_HITL ? "HITL input" : "chat messages");
		return false;
	}
	if (run && queue && run->n_open >= RUN_OPEN_MAX) {
		err_set(&change->err, STATUS_RETRY, "run '%s' has %d unanswered messages already", run->id.s, RUN_OPEN_MAX);
		change->err.http = 429;
		return false;
	}
	/* what the request does not say, the run knows */
	if (run && !post->service.len)
		buf_add(&post->service, run->service.s, run->service.len);
	if (run && !post->agent.len)
		buf_add(&post->agent, run->agent.s, run->agent.len);
	make_data(change, post, change_now_ms(context), &data);
	if (post->channel == CHAT_HITL)
		buf_addf(&message, "HITL input received (%s)", change->stream.s);
	else
		buf_addf(&message, "%s chat message received (%s)", post->role.s, change->stream.s);
	owner = run && run->n_open ? change_owner(context) : change_gateway(context);
	post->ours = owner == change_gateway(context);
	buf_addstr(&turn, "open");
	if (!post->ours)
		buf_addf(&turn, ":%lld", (long long)owner);
	post->seq = change_emit(context, SPAN_NONE, post->kind.s, LEVEL_INFO, queue ? (struct span){ turn.s, turn.len } : SPAN_NONE,
	    (struct span){ message.s, message.len }, post->service.len ? (struct span){ post->service.s, post->service.len } : SPAN_NONE,
	    (struct span){ data.s, data.len });
	if (queue && post->ours)
		change_own(context);
	make_answer(change, post);
	buf_release(&data);
	buf_release(&message);
	buf_release(&turn);
	return true;
}

static void
queue_answer(const struct change *change, const struct post *post)
{
	struct job *job;

	if ((post->channel == CHAT_MESSAGES && strcmp(post->role.s, "user") != 0) || !post->ours)
		return;
	job = job_new(post->chat, &change->stream, post->seq);
	buf_add(&job->service, post->service.s, post->service.len);
	if (strcmp(post->agent.s, "unknown") != 0)
		buf_add(&job->agent, post->agent.s, post->agent.len);
	buf_add(&job->text, post->text.text.s, post->text.text.len);
	job->hitl = post->channel == CHAT_HITL;
	trace_copy(&job->trace, &post->trace);
	chat_enqueue(job);
}

void
chat_outcome(const struct change *change, int ok, struct chat_answer *answer, struct buf *body)
{
	*answer = (struct chat_answer){ .http = ok, .body = change->answer.s, .body_len = change->answer.len };
	switch (change->result) {
	case CHANGE_DONE:
		break;
	case CHANGE_REPLAYED:
		answer->replayed = true;
		break;
	case CHANGE_KEY_REUSED:
		answer->http = 409;
		buf_addstr(body, "{\"error\":\"idempotency key was used for another request\"}");
		break;
	case CHANGE_REFUSED:
	case CHANGE_FAILED:
		answer->http = change->err.http ? change->err.http : 503;
		answer->retry_after_s = answer->http == 409 || answer->http == 404 ? 0 : 1;
		if (change->answer.len)
			break;
		buf_addch(body, '{');
		jtext_add_string(body, "error", change->err.text, strlen(change->err.text));
		buf_addch(body, '}');
		break;
	}
	if (body->len) {
		answer->body = body->s;
		answer->body_len = body->len;
	}
}

static void
after_post(struct change *change)
{
	struct post *post = change->payload;
	struct chat_answer answer;
	struct buf body = BUF_INIT;

	chat_outcome(change, 200, &answer, &body);
	post->cb(&answer, post->payload);
	if (change->result == CHANGE_DONE)
		queue_answer(change, post);
	buf_release(&body);
	post_free(post);
	change_free(change);
}

static void
copy(struct buf *to, struct span from)
{
	buf_init(to);
	buf_add(to, from.s, from.n);
}

void
chat_post(struct chat *chat, const struct chat_message *message, void (*cb)(const struct chat_answer *answer, void *payload), void *payload)
{
	struct post *post = xcalloc(1, sizeof *post);
	struct change *change = change_new(after_post, post);

	post->chat = chat;
	post->channel = message->channel;
	post->cb = cb;
	post->payload = payload;
	trace_copy(&post->trace, message->trace);
	copy(&post->role, message->role);
	copy(&post->service, message->service);
	copy(&post->agent, message->agent);
	copy(&post->kind, message->kind);
	if (!post->kind.len)
		buf_addf(&post->kind, "agent.chat.%s_message", post->role.s);
	sanitize(chat->settings.secrets, message->text.s, message->text.n, chat->settings.message_chars, &post->text);
	buf_add(&change->stream, message->run.s, message->run.n);
	if (message->key.n) {
		buf_addstr(&change->key, "messages ");
		buf_add(&change->key, message->key.s, message->key.n);
	}
	change->print = message->print;
	change->apply = apply_post;
	log_change(chat->log, change);
}

/* ---- a start after an end that came too early */

/* Begun and never finished: it may have had an effect, so it is closed, not repeated. */
static bool
apply_interrupted(struct change *change, const void *row, struct change_context *context)
{
	struct job *job = change->payload;
	const struct run *run = row;

	if (job_is_over(row, change))
		return false;
	buf_reset(&job->step);
	buf_reset(&job->reply);
	if (run)
		buf_add(&job->step, run->current_step.s, run->current_step.len);
	if (!job->step.len)
		buf_addstr(&job->step, "runtime_chat");
	buf_addstr(&job->reply,
	    run && run->timer_open == job->seq ? "the gateway was restarted while the timer's handler was at work"
					       : "the gateway was restarted while this message was being answered");
	job->failed = true;
	if (run && run->timer_open == job->seq)
		events_firing_interrupted(context, job, run);
	else if (run && run->cancel_asked)
		events_cancelled(context, job, run);
	else
		events_failure(context, job);
	return true;
}

static void
after_interrupted(struct change *change)
{
	job_free(change->payload);
	change_free(change);
}

/* A message that is in the log: its text is in its event. */
static void
enqueue_event(struct job *job, const struct entry *event)
{
	(void)jtext_get_string(event->data, "message", &job->text);
	buf_add(&job->service, event->service.s, event->service.n);
	(void)jtext_get_string(event->data, "agent", &job->agent);
	if (!strcmp(job->agent.s, "unknown"))
		buf_reset(&job->agent);
	job->hitl = strcmp(event->kind.s, "agent.chat.user_message") != 0;
	chat_enqueue(job);
}

/* Accepted and not begun. */
static void
after_message(struct page *page)
{
	struct job *job = page->payload;
	const struct entry *event = page->n_events ? page->events[0] : NULL;

	if (event && event->seq == job->seq && event->data.s)
		enqueue_event(job, event);
	else
		job_free(job);
	page_free(page);
}

static void
recover_run(struct chat *chat, const struct run *run)
{
	size_t i;

	for (i = 0; i < run->n_open; i++) {
		struct job *job = job_new(chat, &run->id, run->open[i]);
		struct page *page;

		if (run->open[i] == run->started_open) {
			buf_add(&job->service, run->service.s, run->service.len);
			buf_add(&job->agent, run->agent.s, run->agent.len);
			job_submit(job, apply_interrupted, after_interrupted);
			continue;
		}
		page = page_new(after_message, job);
		buf_add(&page->stream, run->id.s, run->id.len);
		page->after = run->open[i] - 1;
		page->limit = 1;
		log_page(chat->log, page);
	}
}

static void
after_open_runs(struct rows *rows)
{
	size_t i;

	for (i = 0; i < rows->n_rows; i++)
		recover_run(rows->payload, rows->rows[i]);
	rows_free(rows, log_rows_ops());
}

void
chat_set_turns(struct chat *chat, const struct chat_turns *turns)
{
	handlers_set_turns(chat->handlers, turns);
}

void
chat_recover(struct chat *chat)
{
	struct rows *rows = rows_new(after_open_runs, chat);

	rows->open_only = true;
	rows->limit = RECOVER_MAX;
	log_rows(chat->log, rows);
}

/* ---- what other gateways do to the runs that are answered here */

/* "open:N": another gateway took the message, and N is to answer it. */
static bool
is_for(struct span turn, int64_t gateway)
{
	int64_t n;

	return turn.n > 5 && !memcmp(turn.s, "open:", 5) && num_i64(turn.s + 5, turn.n - 5, &n) && n == gateway;
}

void
chat_heard(struct chat *chat, const struct entry *event)
{
	struct buf run = BUF_INIT;
	struct job *job;

	if (event->thread || !event->stream.s)
		return;
	buf_add(&run, event->stream.s, event->stream.n);
	if (is_for(event->turn, log_gateway(chat->log)) && event->data.s)
		enqueue_event(job_new(chat, &run, event->seq), event);
	else if ((!strcmp(event->kind.s, "agent.cancel_requested") && event->turn.n) || !strcmp(event->kind.s, "agent.run_cancelled")) {
		job = chat_keep_first(chat, &run);
		if (job)
			handler_end(job, "the run was cancelled");
	}
	buf_release(&run);
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

struct chat *
chat_new(struct event_base *base, struct log *log, const struct agents *agents, const struct chat_settings *settings)
{
	struct chat *chat = xcalloc(1, sizeof *chat);

	chat->base = base;
	chat->log = log;
	chat->agents = agents;
	chat->settings = *settings;
	chat->recent = recent_new();
	chat->news = log_subscribe(log, SPAN_NONE, "agent.chat.", log_last_seq(log), 0, &news_events, chat);
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
chat_free(struct chat *chat)
{
	size_t i;

	if (!chat)
		return;
	handlers_free(chat->handlers);
	log_unsubscribe(chat->news);
	recent_free(chat->recent);
	for (i = 0; i < BUCKETS; i++)
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
