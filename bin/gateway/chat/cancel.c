/* cancel.c - the end of a run that somebody asks for
 *
 * One change decides: what waits is dropped, and when nothing is being answered the run is over at once. Otherwise the handler is stopped,
 * its whole process group, and the change that closes its answer closes the run: agent.run_cancelled comes after everything the handler
 * did. A restart in between does the same, because the run's row remembers that its end was asked for.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "chat/handler.h"
#include "chat/internal.h"
#include "chat/sanitize.h"
#include "err.h"
#include "key.h"
#include "log/log.h"
#include "status.h"
#include "store/thread.h"
#include "xalloc.h"

#define TRIES_MAX 10 /* turns that are interrupted for one cancel: somebody may start another one meanwhile */

struct cancel {
	struct chat *chat;
	struct sanitized reason;
	bool stop;		   /* a handler is at work */
	bool ours;		   /* what is being answered is answered here */
	struct buf run, key, turn; /* turn: one of the thread that is none of the run's, and in progress */
	uint64_t print;
	int tries;
	void (*cb)(const struct chat_answer *answer, void *payload);
	void *payload;
};

/* ---- the events */

static void
begin(const struct run *run, struct buf *data)
{
	buf_addch(data, '{');
	jtext_add_filled(data, "runId", &run->id);
	jtext_add_filled(data, "serviceId", &run->service);
	jtext_add_filled(data, "agent", &run->agent);
}

static int64_t
emit(struct change_context *context, const struct run *run, const char *kind, enum level level, const char *turn, const struct buf *message,
    struct buf *data)
{
	buf_addch(data, '}');
	return change_emit(context, SPAN_NONE, kind, level, turn ? (struct span){ turn, strlen(turn) } : SPAN_NONE, span_of(message),
	    span_or_none(&run->service), span_of(data));
}

/* Which messages get no answer: their seq. */
static void
emit_dropped(struct change_context *context, const struct run *run, size_t n)
{
	struct buf data = BUF_INIT, message = BUF_INIT;
	size_t i;

	begin(run, &data);
	jtext_add_text(&data, "reason", "the run was cancelled");
	jtext_add_i64(&data, "dropped", (int64_t)n);
	buf_addstr(&data, ",\"messages\":[");
	for (i = 0; i < run->n_open; i++)
		if (run->open[i] != run->started_open)
			buf_addf(&data, "%s%lld", data.s[data.len - 1] == '[' ? "" : ",", (long long)run->open[i]);
	buf_addch(&data, ']');
	buf_addf(&message, "%zu waiting message%s dropped (%s)", n, n == 1 ? "" : "s", run->id.s);
	(void)emit(context, run, "agent.messages_dropped", LEVEL_WARN, NULL, &message, &data);
	buf_release(&data);
	buf_release(&message);
}

static int64_t
emit_cancel(struct change_context *context, const struct run *run, const struct cancel *cancel)
{
	struct buf data = BUF_INIT, message = BUF_INIT;
	int64_t seq;

	begin(run, &data);
	jtext_add_filled(&data, "reason", &cancel->reason.text);
	jtext_add_text(&data, "source", "run_cancel");
	buf_addf(&message, "%s (%s)", cancel->stop ? "Run cancellation requested" : "Run cancelled", run->id.s);
	seq = emit(context, run, cancel->stop ? "agent.cancel_requested" : "agent.run_cancelled", LEVEL_INFO,
	    cancel->stop ? "cancel" : NULL, &message, &data);
	buf_release(&data);
	buf_release(&message);
	return seq;
}

/* ---- the change */

static void
refuse(struct change *change, int http, const char *text, const struct run *run)
{
	const char *status = run ? run_status_text(run->status) : NULL;

	buf_addch(&change->answer, '{');
	jtext_add_text(&change->answer, "error", text);
	if (run) {
		jtext_add_filled(&change->answer, "runId", &run->id);
		jtext_add_text(&change->answer, "status", status);
	}
	buf_addch(&change->answer, '}');
	err_set(&change->err, STATUS_CONFLICT, "%s", text);
	change->err.http = http;
}

static void
make_answer(struct change *change, const struct run *run, const struct cancel *cancel, size_t dropped, int64_t seq)
{
	const char *status = cancel->stop ? "cancelling" : "cancelled";

	buf_addstr(&change->answer, "{\"ok\":true");
	jtext_add_filled(&change->answer, "runId", &change->stream);
	jtext_add_text(&change->answer, "status", status);
	jtext_add_i64(&change->answer, "dropped", (int64_t)dropped);
	jtext_add_filled(&change->answer, "serviceId", &run->service);
	jtext_add_filled(&change->answer, "agent", &run->agent);
	jtext_add_i64(&change->answer, "seq", seq);
	buf_addch(&change->answer, '}');
}

/* Is a turn of the thread in progress that is none of the run's? It is interrupted first. */
static bool
finds_turn(struct change *change, const struct run *run, struct change_context *context)
{
	struct cancel *cancel = change->payload;
	struct span id = { change->stream.s, change->stream.len };
	struct thread thread;
	struct turn turn;

	buf_reset(&cancel->turn);
	if (!key_is_uuid(change->stream.s) || (run && run_terminal(run)) || !chat_turns(cancel->chat)->interrupt)
		return false;
	thread_init(&thread);
	turn_init(&turn);
	if (change_thread_get(context, id, &thread) && thread.mode != THREAD_LOCAL && change_turn_open(context, id, &turn) &&
	    (!change_thread_shared(context, id) || change_turn_alone(context, span_of(&turn.id))))
		buf_add(&cancel->turn, turn.id.s, turn.id.len);
	thread_release(&thread);
	turn_release(&turn);
	return cancel->turn.len > 0;
}

static bool
apply_cancel(struct change *change, const void *row, struct change_context *context)
{
	struct cancel *cancel = change->payload;
	const struct run *run = row;
	struct buf text = BUF_INIT;
	size_t dropped;
	int64_t seq;

	if (finds_turn(change, run, context)) {
		err_set(&change->err, STATUS_RETRY, "a turn is in progress: %s", change->stream.s);
		if (cancel->tries == TRIES_MAX)
			buf_reset(&cancel->turn);
		return false;
	}
	if (!run && !chat_adopt(change, context))
		return false;
	if (!run)
		run = change_row(context);
	if (!run || run_terminal(run)) {
		if (run)
			buf_addf(&text, "run is terminal and can no longer be cancelled: %s", run->id.s);
		else
			buf_addf(&text, "run not found: %s", change->stream.s);
		refuse(change, run ? 409 : 404, text.s, run);
		buf_release(&text);
		return false;
	}
	cancel->stop = run->started_open != 0;
	cancel->ours = change_owner(context) == change_gateway(context);
	if (run->cancel_asked) {
		/* asked twice: the first one stands */
		make_answer(change, run, cancel, 0, run->cancel_asked);
		return true;
	}
	dropped = run->n_open - (cancel->stop ? 1 : 0);
	if (dropped)
		emit_dropped(context, run, dropped);
	seq = emit_cancel(context, run, cancel);
	make_answer(change, run, cancel, dropped, seq);
	return true;
}

/* ---- what is being answered */

/* Nothing is at work although the store says so: an end that could not be stored. */
static bool
apply_close(struct change *change, const void *row, struct change_context *context)
{
	struct job *job = change->payload;
	const struct run *run = row;

	if (job_is_over(row, change))
		return false;
	if (run) {
		buf_reset(&job->service);
		buf_reset(&job->agent);
		buf_reset(&job->step);
		buf_add(&job->service, run->service.s, run->service.len);
		buf_add(&job->agent, run->agent.s, run->agent.len);
		buf_add(&job->step, run->current_step.s, run->current_step.len);
		events_cancelled(context, job, run);
	}
	return true;
}

static void
after_close(struct change *change)
{
	job_free(change->payload);
	change_free(change);
}

static void
stop_handler(const struct cancel *cancel, const struct buf *run)
{
	struct job *job = chat_keep_first(cancel->chat, run);

	if (job)
		handler_end(job, "the run was cancelled");
	else if (cancel->stop && cancel->ours) {
		job = job_new(cancel->chat, run, 0);
		job->failed = true;
		job_submit(job, apply_close, after_close);
	}
}

static void submit(struct cancel *cancel);

static void
on_interrupted(void *payload)
{
	submit(payload);
}

static void
after_cancel(struct change *change)
{
	struct cancel *cancel = change->payload;
	const struct chat_turns *turns = chat_turns(cancel->chat);
	struct chat_answer answer;
	struct buf body = BUF_INIT;

	if (change->result == CHANGE_REFUSED && cancel->turn.len) {
		cancel->tries++;
		turns->interrupt(span_of(&cancel->turn), on_interrupted, cancel, turns->payload);
		change_free(change);
		return;
	}
	chat_outcome(change, 202, &answer, &body);
	cancel->cb(&answer, cancel->payload);
	if (change->result == CHANGE_DONE)
		stop_handler(cancel, &change->stream);
	buf_release(&body);
	buf_release(&cancel->reason.text);
	buf_release(&cancel->run);
	buf_release(&cancel->key);
	buf_release(&cancel->turn);
	free(cancel);
	change_free(change);
}

static void
submit(struct cancel *cancel)
{
	struct change *change = change_new(after_cancel, cancel);

	buf_add(&change->stream, cancel->run.s, cancel->run.len);
	buf_add(&change->key, cancel->key.s, cancel->key.len);
	change->print = cancel->print;
	change->apply = apply_cancel;
	log_change(chat_log(cancel->chat), change);
}

void
chat_cancel(
    struct chat *chat, const struct chat_cancel *request, void (*cb)(const struct chat_answer *answer, void *payload), void *payload)
{
	struct cancel *cancel = xcalloc(1, sizeof *cancel);

	cancel->chat = chat;
	cancel->cb = cb;
	cancel->payload = payload;
	sanitize(chat_secrets(chat), request->reason.s, request->reason.n, chat_message_chars(chat), &cancel->reason);
	buf_init(&cancel->run);
	buf_init(&cancel->key);
	buf_init(&cancel->turn);
	buf_add(&cancel->run, request->run.s, request->run.n);
	if (request->key.n) {
		buf_addstr(&cancel->key, "cancel ");
		buf_add(&cancel->key, request->key.s, request->key.n);
	}
	cancel->print = request->print;
	submit(cancel);
}
