/* host_turns.c - the routes of sessions and turns (contract sections 11.2 and 11.4)
 *
 * A turn's answer is one JSON document; a caller that accepts text/event-stream is given its pieces as they come, and then the same
 * document.
 */
#include "compat.h"

#include <string.h>

#include "blank.h"
#include "clock.h"
#include "host_internal.h"
#include "http/server.h"
#include "key.h"

static bool
identifier_of(struct request *request, struct buf *to)
{
	if (request_query(request, "identifier", to) && to->s[strspn(to->s, " \t\r\n")] && to->len <= HOST_NAME_MAX)
		return true;
	if (to->len > HOST_NAME_MAX)
		host_refuse(request, 400, "IDENTIFIER_TOO_LONG", "Query param 'identifier' is too long", NULL);
	else
		host_refuse(request, 400, "IDENTIFIER_REQUIRED", "Query param 'identifier' is required", NULL);
	return false;
}

void
turns_bootstrap(struct host *host, struct request *request)
{
	struct buf identifier = BUF_INIT;
	struct job *job = NULL;

	if (identifier_of(request, &identifier))
		job = job_new(host, request, &identifier);
	if (job) {
		job->bootstrap = true;
		session_go_on(job->session);
	}
	buf_release(&identifier);
}

static void
on_closed(void *payload)
{
	struct job *job = payload;

	job->stream = NULL;
	ask_nobody(job);
}

static void
on_drained(void *payload)
{
	struct job *job = payload;

	if (job->owed.len)
		say_owed(job);
}

void
turns_ping(struct host *host)
{
	const struct session *session;
	const struct job *job;

	for (session = host->sessions; session; session = session->next)
		for (job = session->jobs; job; job = job->next)
			if (job->stream && !stream_full(job->stream))
				stream_write(job->stream, ": ping\n\n", 8);
}

static const struct stream_events stream_events = { .closed = on_closed, .drained = on_drained };

/* Takes the wishes. */
static void
turn_open(struct job *job, const struct buf *id, const struct buf *text, struct wishes *wishes)
{
	const char *accept = request_header(job->request, "accept"), *prefer = request_header(job->request, "prefer");

	job->wishes = *wishes;
	wishes_init(wishes);
	job->asks = prefer && strstr(prefer, "approvals");
	buf_add(&job->id, id->s, id->len);
	buf_add(&job->text, text->s, text->len);
	if (accept && strstr(accept, "text/event-stream")) {
		job->stream = request_stream(job->request, "text/event-stream", NULL, &stream_events, job);
		job->request = NULL;
		if (job->stream)
			stream_write(job->stream, ": live\n\n", 8);
	}
	session_go_on(job->session);
}

void
turns_start(struct host *host, struct request *request)
{
	struct buf identifier = BUF_INIT, text = BUF_INIT, id = BUF_INIT;
	struct wishes wishes;
	struct job *job;
	struct span body;

	wishes_init(&wishes);
	if (identifier_of(request, &identifier) && host_body(request, &body)) {
		(void)jtext_get_string(body, "text", &text);
		(void)jtext_get_string(body, "turnId", &id);
		blank_trim_buf(&text, BLANK_ASCII);
		blank_trim_buf(&id, BLANK_ASCII);
		if (!id.len)
			key_add_uuid(&id);
		if (!text.len)
			host_refuse(request, 400, "TEXT_REQUIRED", "Body field 'text' is required", NULL);
		else if (id.len > HOST_NAME_MAX)
			host_refuse(request, 400, "TURN_ID_TOO_LONG", "Body field 'turnId' is too long", NULL);
		else if (turn_of(host, &id))
			host_refuse(request, 409, "TURN_IN_PROGRESS", "A turn with this turnId is in progress", &id);
		else if (wishes_take(host, request, body, &wishes)) {
			job = job_new(host, request, &identifier);
			if (job && !host->runtime)
				job->sleep_ms = mock_sleep(host, body);
			if (job)
				turn_open(job, &id, &text, &wishes);
		}
	}
	wishes_release(&wishes);
	buf_release(&identifier);
	buf_release(&text);
	buf_release(&id);
}

static void
reply_interrupt(struct request *request, const struct buf *id, const char *status, int64_t at_ms, const struct job *job)
{
	struct buf body = BUF_INIT;

	buf_addch(&body, '{');
	jtext_add_buf(&body, "turnId", id);
	jtext_add_text(&body, "status", status);
	jtext_add_time_or_null(&body, "completedAt", at_ms);
	buf_addstr(&body, ",\"interrupt\":{");
	jtext_add_bool(&body, "interrupted", job != NULL && job->host->runtime);
	if (job && job->host->runtime) {
		jtext_add_or_null(&body, "threadId", &job->session->thread);
		jtext_add_or_null(&body, "turnId", &job->turn);
	} else
		jtext_add_text(&body, "reason", "NOT_REQUIRED");
	buf_addstr(&body, "}}");
	host_reply(request, 200, &body);
	buf_release(&body);
}

void
turns_interrupt(struct host *host, struct request *request, const struct buf *id)
{
	struct job *job = turn_of(host, id);
	const struct ended *ended = job ? NULL : turn_ended(host, id);

	if (job) {
		job->stopped = true;
		reply_interrupt(request, id, "interrupted", clock_wall_ms(), job);
		if (job->number)
			(void)runtime_turn_interrupt(host->runtime, job->number);
		else if (!host->runtime)
			mock_interrupt(job);
	} else if (ended)
		reply_interrupt(request, id, "completed", ended->at_ms, NULL);
	else
		host_refuse(request, 404, "TURN_NOT_FOUND", "Turn not found", NULL);
}
