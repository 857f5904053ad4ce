/* post.c - a message of a run: accepted, and queued for its answer */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "agents/agents.h"
#include "chat/internal.h"
#include "chat/sanitize.h"
#include "err.h"
#include "log/log.h"
#include "status.h"
#include "xalloc.h"

#define ANSWER_USUAL 256 /* bytes made room for at once, beside the texts */

struct post {
	struct chat *chat;
	struct buf role, service, agent, kind, turn;
	struct sanitized text;
	enum chat_channel channel;
	struct trace trace;
	void (*cb)(const struct chat_answer *answer, void *payload);
	void *payload;
	struct job *job; /* at_once.c, or NULL */
	/* from the change */
	int64_t seq;
	bool ours;     /* to answer; else another gateway does, that is at the run already */
	bool answered; /* by job */
};

static void
post_free(struct post *post)
{
	buf_release(&post->role);
	buf_release(&post->service);
	buf_release(&post->agent);
	buf_release(&post->kind);
	buf_release(&post->turn);
	buf_release(&post->text.text);
	trace_release(&post->trace);
	free(post);
}

static void
refuse(struct change *change, const struct run *run, const char *what)
{
	const char *status = run_status_text(run->cancel_asked ? RUN_CANCELLED : run->status);
	struct buf text = BUF_INIT;

	buf_addf(&text, "run is terminal and no longer accepts %s: %s", what, run->id.s);
	buf_addch(&change->answer, '{');
	jtext_add_buf(&change->answer, "error", &text);
	jtext_add_buf(&change->answer, "runId", &run->id);
	jtext_add_text(&change->answer, "status", status);
	buf_addch(&change->answer, '}');
	err_set(&change->err, STATUS_CONFLICT, "%s", text.s);
	change->err.http = 409;
	buf_release(&text);
}

/* For a message that is to be a turn now. */
static void
refuse_busy(struct change *change, const struct run *run)
{
	buf_addstr(&change->answer, "{\"error\":\"a message is being answered\"");
	jtext_add_buf(&change->answer, "runId", &run->id);
	buf_addstr(&change->answer, ",\"status\":\"running\"}");
	err_set(&change->err, STATUS_CONFLICT, "a message is being answered");
	change->err.http = 409;
}

/* Else it is just kept. */
static bool
wants_answer(const struct post *post)
{
	return post->channel == CHAT_HITL || !strcmp(post->role.s, "user");
}

static void
make_answer(struct change *change, const struct post *post)
{
	struct buf *to = &change->answer;

	buf_reserve(to, ANSWER_USUAL + change->stream.len);
	buf_addstr(to, "{\"ok\":true");
	jtext_add_buf(to, "runId", &change->stream);
	if (post->channel == CHAT_MESSAGES)
		jtext_add_buf(to, "role", &post->role);
	jtext_add_buf(to, "kind", &post->kind);
	jtext_add_bool(to, "runtime_chat_execution_queued", wants_answer(post));
	jtext_add_bool(to, "message_truncated", post->text.truncated);
	jtext_add_bool(to, "message_redacted", post->text.redacted);
	jtext_add_filled(to, "serviceId", &post->service);
	jtext_add_filled(to, "agent", &post->agent);
	jtext_add_i64(to, "seq", post->seq);
	buf_addch(to, '}');
}

static void
make_data(const struct change *change, const struct post *post, int64_t now, struct buf *data)
{
	buf_reserve(data, CHAT_DATA_USUAL + post->text.text.len);
	buf_addch(data, '{');
	jtext_add_buf(data, "runId", &change->stream);
	jtext_add_filled(data, "serviceId", &post->service);
	jtext_add_filled(data, "agent", &post->agent);
	if (post->channel == CHAT_MESSAGES)
		jtext_add_buf(data, "role", &post->role);
	jtext_add_buf(data, "message", &post->text.text);
	jtext_add_i64(data, "messageOriginalLength", (int64_t)post->text.original_length);
	jtext_add_i64(data, "messageStoredLength", (int64_t)post->text.stored_length);
	jtext_add_bool(data, "messageTruncated", post->text.truncated);
	jtext_add_bool(data, "messageRedacted", post->text.redacted);
	if (post->channel == CHAT_MESSAGES) {
		jtext_add_text(data, "source", "runtime_chat");
		jtext_add_text(data, "channel", "run_messages");
	} else {
		jtext_add_text(data, "source", "gateway_ui");
		jtext_add_text(data, "channel", "virtual_cli");
	}
	jtext_add_time(data, "submittedAt", now);
	if (post->turn.len)
		jtext_add_raw(data, "turn", post->turn.s, post->turn.len);
	buf_addch(data, '}');
}

static void
add_received(struct buf *to, const struct buf *role, const struct buf *run)
{
	buf_add(to, role->s, role->len);
	buf_addstr(to, " chat message received (");
	buf_add(to, run->s, run->len);
	buf_addch(to, ')');
}

static bool
apply_post(struct change *change, const void *row, struct change_context *context)
{
	struct post *post = change->payload;
	const struct run *run = row;
	struct buf data = BUF_INIT, message = BUF_INIT, turn = BUF_INIT;
	bool queue = wants_answer(post);
	int64_t owner;

	if (!run && !chat_adopt(change, context))
		return false;
	if (!run)
		run = change_row(context);
	if (run && (run_terminal(run) || run->cancel_asked)) {
		refuse(change, run, post->channel == CHAT_HITL ? "HITL input" : "chat messages");
		return false;
	}
	if (run && queue && run->n_open >= RUN_OPEN_MAX) {
		err_set(&change->err, STATUS_RETRY, "run '%s' has %d unanswered messages already", run->id.s, RUN_OPEN_MAX);
		change->err.http = 429;
		return false;
	}
	if (run && post->turn.len && run->n_open) {
		refuse_busy(change, run);
		return false;
	}
	/* a thread is answered by its own runtime, whatever agent the message is for */
	if (run && !strcmp(run->service.s, AGENT_THREADS)) {
		buf_reset(&post->service);
		buf_reset(&post->agent);
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
		add_received(&message, &post->role, &change->stream);
	post->answered = post->job && job_fits(post->job, run, &post->service);
	owner = run && run->n_open ? change_owner(context) : change_gateway(context);
	post->ours = owner == change_gateway(context);
	buf_addstr(&turn, "open");
	if (!post->ours)
		buf_addf(&turn, ":%lld", (long long)owner);
	post->seq = change_emit(context, SPAN_NONE, post->kind.s, LEVEL_INFO, queue ? span_of(&turn) : SPAN_NONE, span_of(&message),
	    span_or_none(&post->service), span_of(&data));
	if (queue && post->ours)
		change_own(context);
	if (post->answered)
		job_answer(post->job, context, post->seq, &post->agent);
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

	if (!wants_answer(post) || !post->ours)
		return;
	job = job_new(post->chat, &change->stream, post->seq);
	buf_add(&job->service, post->service.s, post->service.len);
	if (strcmp(post->agent.s, "unknown") != 0)
		buf_add(&job->agent, post->agent.s, post->agent.len);
	buf_add(&job->text, post->text.text.s, post->text.text.len);
	buf_add(&job->turn_options, post->turn.s, post->turn.len);
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
		jtext_add_text(body, "error", change->err.text);
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
	if (post->job && post->answered && change->result == CHANGE_DONE)
		job_remember(post->job, change);
	if (post->job)
		job_finish(post->job);
	if (change->result == CHANGE_DONE && !post->answered)
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

static void
add_kind(struct buf *to, const struct buf *role)
{
	buf_addstr(to, "agent.chat.");
	buf_add(to, role->s, role->len);
	buf_addstr(to, "_message");
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
	copy(&post->turn, message->turn);
	if (!post->kind.len)
		add_kind(&post->kind, &post->role);
	sanitize(chat->settings.secrets, message->text.s, message->text.n, message->turn.n ? SIZE_MAX : chat->settings.message_chars,
	    &post->text);
	buf_add(&change->stream, message->run.s, message->run.n);
	if (message->key.n) {
		buf_addstr(&change->key, "messages ");
		buf_add(&change->key, message->key.s, message->key.n);
	}
	change->print = message->print;
	change->apply = apply_post;
	if (post->channel == CHAT_MESSAGES && wants_answer(post) && !post->turn.len)
		post->job = job_at_once(chat, &change->stream, &post->service, &post->text.text);
	log_change(chat->log, change);
}
