/* answer.c - the answer of one message: what was said before, the handler, and what the log has of it */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "agents/agents.h"
#include "chat/handler.h"
#include "chat/internal.h"
#include "chat/recent.h"
#include "clock.h"
#include "err.h"
#include "key.h"
#include "log/log.h"
#include "status.h"
#include "xalloc.h"

#define HISTORY_PAGE 2000 /* chat events of a run that are looked at */

static void
after_end(struct change *change)
{
	struct job *job = change->payload;

	/* could not be stored: the message stays in the inbox, and the next start closes it */
	change_free(change);
	job_finish(job);
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

void
job_store_end(struct change_context *context, const struct job *job)
{
	const struct run *run = change_row(context);

	if (run && run_terminal(run))
		return;
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
}

static bool
apply_end(struct change *change, const void *row, struct change_context *context)
{
	if (job_is_over(row, change))
		return false;
	job_store_end(context, change->payload);
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

static void
call_handler(struct job *job)
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
		call_handler(job);
	else
		job_finish(job); /* over, or not stored */
}

bool
job_is_echo(const struct job *job)
{
	return !strcmp(job_mode(job), "echo");
}

static bool
is_disabled(const struct job *job)
{
	return !strcmp(job_mode(job), "disabled");
}

void
job_store_echo(struct change_context *context, const struct job *job)
{
	events_start(context, job, true, false);
	events_reply(context, job, true);
}

/* An echo is known at once: its whole answer is one change. */
static bool
apply_echo(struct change *change, const void *row, struct change_context *context)
{
	const struct job *job = change->payload;

	if (job_is_over(row, change))
		return false;
	job_store_echo(context, job);
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
	buf_addstr(to, what);
	buf_addch(to, '_');
	buf_addu64(to, (uint64_t)clock_wall_ms());
	buf_addch(to, '_');
	for (i = 0; i < 6; i++) {
		unsigned high = (unsigned char)hex.s[2 * i], low = (unsigned char)hex.s[2 * i + 1];

		buf_addch(to, digits[(high * 7 + low) % 36]);
	}
	buf_release(&hex);
}

void
job_make_echo(struct job *job)
{
	chat_make_step("runtime_chat", &job->step);
	buf_addstr(&job->reply, "Echo: ");
	buf_add(&job->reply, job->text.s, job->text.len);
}

static void
dispatch(struct job *job)
{
	if (job_is_echo(job)) {
		job_make_echo(job);
		job_submit(job, apply_echo, after_end);
	} else {
		chat_make_step("runtime_chat", &job->step);
		job_submit(job, apply_start, after_start);
	}
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

bool
job_set_history(struct job *job, const struct said *said, size_t n, bool all)
{
	const struct agent *agent = job->handler;
	bool enabled = !agent || agent->history_enabled;
	size_t turns = agent ? (size_t)agent->history_max_turns : 24;

	/* many messages that wait behind this one may have pushed out what was before it */
	if (enabled && !all && !history_reaches(said, n, job->seq, turns))
		return false;
	history_make(
	    said, enabled ? n : 0, job->seq, turns, agent ? (size_t)agent->history_max_chars : 12000, !job_is_echo(job), &job->history);
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
		recent_take(job->chat->recent, span_of(&job->run), page->events, page->n_events, all);
	ok = job_set_history(job, said, page->n_events, all || far);
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
		said = recent_of(job->chat->recent, span_of(&job->run), job->seq, &n, &all);
		reach = RECENT_EVENTS_MAX;
	}
	if (said && job_set_history(job, said, n, all))
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
	recent_forget(chat->recent);
}

const struct subscription_events chat_news = { .event = on_said, .failed = on_news_failed };

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
		context = span_of(&job->trigger_context);
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
		jtext_add_text(&job->status_json, "status", run_status_text(run->status));
		jtext_add_filled(&job->status_json, "waitingReason", &run->waiting_reason);
		jtext_add_i64(&job->status_json, "eventCount", run->events);
		jtext_add_buf(&job->status_json, "lastEventKind", &run->last_kind);
		buf_addch(&job->status_json, '}');
	}
	rows_free(rows, log_rows_ops());
	find_history(job);
}

void
job_find_handler(struct job *job)
{
	const struct agents *agents = job->chat->agents;

	job->handler = job->service.len ? agents_by_service(agents, span_of(&job->service)) : agents_by_name(agents, span_of(&job->agent));
	if (job->handler)
		agent_ref(job->handler);
}

void
job_start(struct job *job)
{
	struct chat *chat = job->chat;
	struct rows *rows;

	if (job->firing) {
		call_handler(job);
		return;
	}
	job_find_handler(job);
	if (job->handler && !job->service.len)
		buf_add(&job->service, job->handler->service.s, job->handler->service.len);
	if (is_disabled(job)) {
		job_submit(job, apply_disabled, after_end);
		return;
	}
	if (job_is_echo(job)) {
		find_history(job);
		return;
	}
	rows = rows_new(after_run, job);
	buf_add(&rows->stream, job->run.s, job->run.len);
	rows->limit = 1;
	log_rows(chat->log, rows);
}
