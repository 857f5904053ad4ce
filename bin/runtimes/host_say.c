/* host_say.c - what is said of a job: one answer, or the events of a stream and the answer as the last of them */
#include "compat.h"

#include <string.h>

#include "host_internal.h"
#include "http/server.h"

/* ---- answers */

void
say_event(struct job *job, const char *event, const struct buf *data)
{
	struct buf frame = BUF_INIT;

	buf_addf(&frame, "id: %llu\nevent: %s\ndata: ", (unsigned long long)++job->events, event);
	buf_add(&frame, data->s, data->len);
	buf_addstr(&frame, "\n\n");
	stream_write(job->stream, frame.s, frame.len);
	buf_release(&frame);
}

void
say_answer(struct job *job, const struct buf *body)
{
	if (job->request)
		host_reply(job->request, 200, body);
	else if (job->stream)
		say_event(job, "result", body);
	job->request = NULL;
}

/* The runtime's own word for it goes along, as it stands in a turn's error. */
static void
add_info(const struct runtime_end *end, struct buf *to)
{
	if (!*end->info)
		return;
	if (!end->http) {
		jtext_add_text(to, "codexErrorInfo", end->info);
		return;
	}
	buf_addstr(to, ",\"codexErrorInfo\":{");
	jtext_quote(to, end->info, strlen(end->info));
	buf_addf(to, ":{\"httpStatusCode\":%lld}}", (long long)end->http);
}

/* What kind of trouble it was, in the words of a gateway, and until when. */
static void
add_fault(enum runtime_fault fault, int64_t retry_at_ms, struct buf *to)
{
	const char *code = fault_code(fault);

	if (!fault_of_code(code))
		return;
	jtext_add_text(to, "fault", code);
	if (retry_at_ms)
		jtext_add_time(to, "retryAt", retry_at_ms);
}

static void
refuse(struct job *job, int status, const char *code, const char *message, enum runtime_fault fault, const struct runtime_end *end)
{
	struct buf body = BUF_INIT;

	buf_addch(&body, '{');
	jtext_add_text(&body, "code", code);
	jtext_add_text(&body, "message", message);
	if (!job->bootstrap)
		jtext_add_buf(&body, "turnId", &job->id);
	if (end)
		add_info(end, &body);
	add_fault(fault, end ? end->retry_at_ms : 0, &body);
	buf_addch(&body, '}');
	if (job->request)
		host_reply(job->request, status, &body);
	else if (job->stream)
		say_event(job, "error", &body);
	job->request = NULL;
	buf_release(&body);
}

void
say_refusal(struct job *job, int status, const char *code, const char *message, enum runtime_fault fault)
{
	refuse(job, status, code, message, fault, NULL);
}

void
say_failure(struct job *job, const struct runtime_end *end)
{
	refuse(job, 502, "RUNTIME_EXECUTION_FAILED", end->message[0] ? end->message : "Codex turn failed", end->fault, end);
}

/* ---- pieces */

void
say_owed(struct job *job)
{
	struct buf data = BUF_INIT;

	buf_addch(&data, '{');
	jtext_add_buf(&data, "turnId", &job->id);
	jtext_add_buf(&data, "delta", &job->owed);
	buf_addch(&data, '}');
	buf_reset(&job->owed);
	say_event(job, "delta", &data);
	buf_release(&data);
}

/* Pieces are given in their order and without a gap, so what a reader has is always the beginning of the whole. */
void
say_delta(struct job *job, struct span text)
{
	if (!job->stream || job->missed || !text.n)
		return;
	if (job->owed.len + text.n > HOST_OWED_MAX && stream_full(job->stream)) {
		job->missed = true;
		return;
	}
	buf_add(&job->owed, text.s, text.n);
	if (!stream_full(job->stream))
		say_owed(job);
}

void
say_usage(struct job *job, struct span usage)
{
	struct buf data = BUF_INIT;

	if (!job->stream || !usage.s || stream_full(job->stream))
		return;
	buf_addch(&data, '{');
	jtext_add_buf(&data, "turnId", &job->id);
	buf_addstr(&data, ",\"tokenUsage\":");
	jtext_compact(&data, usage);
	buf_addch(&data, '}');
	say_event(job, "usage", &data);
	buf_release(&data);
}

/* Messages are told by their deltas; of what is more than a reader takes, these are left out. */
void
say_notice(struct job *job, const struct runtime_event *event)
{
	struct buf data = BUF_INIT;

	if (!job->stream || !event->params.s || stream_full(job->stream) || !strcmp(event->item_type, "agentMessage") ||
	    !strcmp(event->item_type, "userMessage"))
		return;
	buf_addch(&data, '{');
	jtext_add_buf(&data, "turnId", &job->id);
	jtext_add_text(&data, "method", event->method);
	buf_addstr(&data, ",\"params\":");
	jtext_compact(&data, event->params);
	buf_addch(&data, '}');
	say_event(job, "notice", &data);
	buf_release(&data);
}
