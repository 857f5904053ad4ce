/* recover.c - messages that another process took: one of ours that ended too early, or another gateway */
#include "compat.h"

#include <string.h>

#include "chat/handler.h"
#include "chat/internal.h"
#include "log/log.h"
#include "num.h"

#define RECOVER_MAX 100000 /* runs with unanswered messages that are taken up at the start */

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
	struct span turn;

	(void)jtext_get_string(event->data, "message", &job->text);
	buf_add(&job->service, event->service.s, event->service.n);
	(void)jtext_get_string(event->data, "agent", &job->agent);
	if (!strcmp(job->agent.s, "unknown"))
		buf_reset(&job->agent);
	if (jtext_get(event->data, "turn", &turn) && jtext_type(turn) == JTEXT_OBJECT)
		jtext_compact(&job->turn_options, turn);
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
