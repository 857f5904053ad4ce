/* host_turns.c - sessions, and what they are asked for: one thing after another in each (contract sections 11.2 and 11.4)
 *
 * A session is an identifier and a thread of the runtime. A turn's answer is one JSON document; a caller that accepts text/event-stream is
 * given its pieces as they come, and then the same document.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "blank.h"
#include "clock.h"
#include "host_internal.h"
#include "http/server.h"
#include "key.h"
#include "xalloc.h"

static bool
same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && !memcmp(a->s, b->s, a->len);
}

/* ---- sessions */

static void
session_link(struct host *host, struct session *session)
{
	session->next = host->sessions;
	session->prev = &host->sessions;
	if (session->next)
		session->next->prev = &session->next;
	host->sessions = session;
}

static void
session_unlink(struct session *session)
{
	*session->prev = session->next;
	if (session->next)
		session->next->prev = session->prev;
}

static void
session_free(struct host *host, struct session *session)
{
	session_unlink(session);
	host->n_sessions--;
	buf_release(&session->identifier);
	buf_release(&session->id);
	buf_release(&session->thread);
	free(session);
}

/* Makes room: the one that has been idle longest goes. False: all have something to do. */
static bool
sessions_room(struct host *host)
{
	struct session *session, *last = NULL;

	if (host->n_sessions < HOST_SESSIONS_MAX)
		return true;
	for (session = host->sessions; session; session = session->next)
		if (!session->jobs)
			last = session;
	if (last)
		session_free(host, last);
	return last != NULL;
}

static struct session *
session_of(struct host *host, const struct buf *identifier)
{
	struct session *session;

	for (session = host->sessions; session && !same(&session->identifier, identifier);)
		session = session->next;
	if (session)
		session_unlink(session);
	else if (!sessions_room(host))
		return NULL;
	else {
		session = xcalloc(1, sizeof *session);
		buf_init(&session->identifier);
		buf_init(&session->id);
		buf_init(&session->thread);
		buf_add(&session->identifier, identifier->s, identifier->len);
		key_add_uuid(&session->id);
		session->created_ms = clock_wall_ms();
		session->jobs_end = &session->jobs;
		host->n_sessions++;
	}
	session_link(host, session);
	session->seen_ms = clock_wall_ms();
	return session;
}

/* ---- jobs */

static void
job_free(struct job *job)
{
	if (job->stream)
		stream_end(job->stream);
	if (job->timer)
		event_free(job->timer);
	buf_release(&job->id);
	buf_release(&job->text);
	buf_release(&job->turn);
	buf_release(&job->owed);
	wishes_release(&job->wishes);
	trace_release(&job->trace);
	free(job);
}

static void
add_session(const struct host *host, const struct session *session, struct buf *to)
{
	buf_addstr(to, "{\"ok\":true,\"session\":{");
	jtext_add_string(to, "identifier", session->identifier.s, session->identifier.len);
	jtext_add_string(to, "sessionId", session->id.s, session->id.len);
	host_time(to, "createdAt", session->created_ms);
	host_time(to, "lastSeenAt", session->seen_ms);
	jtext_add_i64(to, "turnCount", (int64_t)session->turns);
	host_text(to, "codexThreadId", &session->thread);
	host_time(to, "codexBootstrappedAt", session->bootstrapped_ms);
	buf_addstr(to, "},\"runtime\":{");
	jtext_add_string(to, "bootId", host->boot.s, host->boot.len);
	jtext_add_string(to, "engine", host->settings.engine, strlen(host->settings.engine));
	buf_addstr(to, "}}");
}

static void
add_result(const struct job *job, struct span text, const char *status, struct buf *to)
{
	const struct session *session = job->session;
	const struct host *host = job->host;
	struct runtime_status now;

	buf_addch(to, '{');
	jtext_add_string(to, "turnId", job->id.s, job->id.len);
	jtext_add_string(to, "status", "completed", 9);
	jtext_add_string(to, "outputText", text.s ? text.s : "", text.n);
	buf_addstr(to, ",\"runtimeMetadata\":{");
	jtext_add_string(to, "bootId", host->boot.s, host->boot.len);
	jtext_add_string(to, "identifier", session->identifier.s, session->identifier.len);
	jtext_add_string(to, "sessionId", session->id.s, session->id.len);
	jtext_add_string(to, "engine", host->settings.engine, strlen(host->settings.engine));
	if (!host->runtime) {
		jtext_add_i64(to, "sleepMs", job->sleep_ms);
		buf_addstr(to, "}}");
		return;
	}
	runtime_status(host->runtime, &now);
	jtext_add_string(to, "protocol", "jsonrpc-v2", 10);
	jtext_add_string(to, "status", status, strlen(status));
	host_text(to, "codexThreadId", &session->thread);
	host_text(to, "codexTurnId", &job->turn);
	if (now.pid)
		jtext_add_i64(to, "codexPid", now.pid);
	else
		jtext_add_raw(to, "codexPid", "null", 4);
	buf_addstr(to, "}}");
}

/* ---- one thing after another */

static void session_go_on(struct session *session);

static void
turn_over(struct host *host, const struct buf *id)
{
	struct ended *ended = &host->ended[host->ended_at++ % HOST_TURNS_MAX];

	buf_reset(&ended->id);
	buf_add(&ended->id, id->s, id->len);
	ended->at_ms = clock_wall_ms();
}

/* The first job is over. */
static void
job_over(struct job *job)
{
	struct session *session = job->session;

	session->jobs = job->next;
	if (!session->jobs)
		session->jobs_end = &session->jobs;
	session->n_jobs--;
	if (!job->bootstrap)
		turn_over(job->host, &job->id);
	job_free(job);
}

static void
take_thread(struct session *session, const char *id)
{
	buf_reset(&session->thread);
	buf_addstr(&session->thread, id);
	session->bootstrapped_ms = clock_wall_ms();
}

/* True: the runtime ended before it had begun on the job, which may be asked again of a new one. */
static bool
again(struct job *job, enum runtime_fault fault)
{
	return fault == RUNTIME_FAULT_GONE && !job->turn.len && !job->stopped && job->restarts++ < job->host->settings.max_restarts;
}

static void job_send(struct job *job);

static void
on_thread(const struct runtime_reply *reply, void *payload)
{
	struct job *job = payload;
	struct session *session = job->session;
	struct buf id = BUF_INIT, body = BUF_INIT;
	struct span thread;

	if (again(job, reply->fault)) {
		job_send(job);
		return;
	}
	if (reply->fault != RUNTIME_FAULT_NONE)
		say_refusal(job, 502, "RUNTIME_BOOTSTRAP_FAILED", reply->message, reply->fault);
	else if (!((jtext_get(reply->result, "thread", &thread) && jtext_get_string(thread, "id", &id)) ||
		     jtext_get_string(reply->result, "threadId", &id)) ||
	    !id.len)
		say_refusal(job, 502, "RUNTIME_BOOTSTRAP_FAILED", "thread/start did not return thread.id", RUNTIME_FAULT_NONE);
	else {
		take_thread(session, id.s);
		add_session(job->host, session, &body);
		say_answer(job, &body);
	}
	buf_release(&id);
	buf_release(&body);
	job_over(job);
	session_go_on(session);
}

void
turn_done(struct job *job, struct span text)
{
	struct session *session = job->session;
	struct buf body = BUF_INIT;

	say_delta(job, text);
	add_result(job, text, "completed", &body);
	say_answer(job, &body);
	buf_release(&body);
	job_over(job);
	session_go_on(session);
}

static void
on_end(struct job *job, const struct runtime_end *end)
{
	struct session *session = job->session;
	struct buf body = BUF_INIT;

	if (again(job, end->fault)) {
		job_send(job);
		return;
	}
	if (end->outcome == RUNTIME_FAILED)
		say_failure(job, end);
	else {
		add_result(job, end->text, end->outcome == RUNTIME_COMPLETED ? "completed" : "interrupted", &body);
		say_answer(job, &body);
	}
	buf_release(&body);
	job_over(job);
	session_go_on(session);
}

static void
on_event(const struct runtime_event *event, void *payload)
{
	struct job *job = payload;

	switch (event->type) {
	case RUNTIME_THREAD:
		if (event->started || event->lost)
			take_thread(job->session, event->thread);
		break;
	case RUNTIME_TURN_STARTED:
		buf_reset(&job->turn);
		buf_addstr(&job->turn, event->turn_id);
		break;
	case RUNTIME_ITEM_DELTA:
		if (event->delta == RUNTIME_DELTA_MESSAGE)
			say_delta(job, event->text);
		else if (event->delta != RUNTIME_DELTA_FILE && event->delta != RUNTIME_DELTA_OTHER)
			say_notice(job, event);
		break;
	case RUNTIME_USAGE:
		say_usage(job, event->item);
		break;
	case RUNTIME_APPROVAL:
	case RUNTIME_APPROVAL_RESOLVED:
		ask_reader(job, event);
		break;
	case RUNTIME_ITEM_STARTED:
	case RUNTIME_ITEM_COMPLETED:
	case RUNTIME_NOTICE:
		say_notice(job, event);
		break;
	case RUNTIME_END:
		on_end(job, event->end);
		break;
	}
}

/* Of a new thread; of one that is resumed too. */
static void
add_thread_params(const struct job *job, struct buf *to)
{
	const struct buf *cwd = job->wishes.cwd.len ? &job->wishes.cwd : &job->host->dir;

	buf_addch(to, '{');
	jtext_add_string(to, "cwd", cwd->s, cwd->len);
	if (job->wishes.instructions.len)
		jtext_add_string(to, "developerInstructions", job->wishes.instructions.s, job->wishes.instructions.len);
	buf_addch(to, '}');
}

static void
turn_begin(struct job *job)
{
	const struct wishes *wishes = &job->wishes;
	struct runtime_turn_request request = { .new_if_lost = true,
		.text = span_of(&job->text),
		.model = span_or_none(&wishes->model),
		.effort = span_or_none(&wishes->effort),
		.personality = span_or_none(&wishes->personality),
		.approval_policy = span_or_none(&wishes->approval_policy),
		.sandbox_policy = span_or_none(&wishes->sandbox_policy),
		.cwd = span_or_none(&wishes->cwd),
		.timeout_ms = job->host->settings.turn_ms,
		.trace = &job->trace };
	struct session *session = job->session;
	struct buf params = BUF_INIT;

	add_thread_params(job, &params);
	request.thread_params = span_of(&params);
	if (session->thread.len)
		request.thread = span_of(&session->thread);
	job->number = runtime_turn_start(job->host->runtime, &request, on_event, job);
	buf_release(&params);
}

static void
job_send(struct job *job)
{
	struct buf params = BUF_INIT;

	if (!job->host->runtime)
		mock_begin(job);
	else if (!job->bootstrap)
		turn_begin(job);
	else {
		add_thread_params(job, &params);
		(void)runtime_call(job->host->runtime, "thread/start", span_of(&params), 0, on_thread, job);
	}
	buf_release(&params);
}

/* True: it is over already. */
static bool
job_begin(struct job *job)
{
	struct buf text = BUF_INIT;
	bool over = true;

	job->begun = true;
	if (job->stopped) {
		add_result(job, SPAN_NONE, "interrupted", &text);
		say_answer(job, &text);
	} else if (job->bootstrap && (job->session->thread.len || !job->host->runtime)) {
		add_session(job->host, job->session, &text);
		say_answer(job, &text);
	} else {
		if (!job->bootstrap)
			job->session->turns++;
		job_send(job);
		over = false;
	}
	buf_release(&text);
	return over;
}

static void
session_go_on(struct session *session)
{
	while (session->jobs && !session->jobs->begun && job_begin(session->jobs))
		job_over(session->jobs);
}

/* NULL: it has been answered. */
static struct job *
job_new(struct host *host, struct request *request, const struct buf *identifier)
{
	struct session *session = session_of(host, identifier);
	struct job *job;

	if (!session || session->n_jobs == HOST_WAITING_MAX) {
		host_refuse(request, session ? 429 : 503, "RUNTIME_BUSY",
		    session ? "Too many turns wait in this session" : "Too many sessions are in use", NULL);
		return NULL;
	}
	job = xcalloc(1, sizeof *job);
	job->host = host;
	job->session = session;
	job->request = request;
	request_trace(request, &job->trace);
	buf_init(&job->id);
	buf_init(&job->text);
	buf_init(&job->turn);
	buf_init(&job->owed);
	wishes_init(&job->wishes);
	*session->jobs_end = job;
	session->jobs_end = &job->next;
	session->n_jobs++;
	return job;
}

/* ---- the routes */

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

struct job *
turn_of(const struct host *host, const struct buf *id)
{
	struct session *session;
	struct job *job;

	for (session = host->sessions; session; session = session->next)
		for (job = session->jobs; job; job = job->next)
			if (!job->bootstrap && same(&job->id, id))
				return job;
	return NULL;
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
	jtext_add_string(&body, "turnId", id->s, id->len);
	jtext_add_string(&body, "status", status, strlen(status));
	host_time(&body, "completedAt", at_ms);
	buf_addstr(&body, ",\"interrupt\":{");
	jtext_add_bool(&body, "interrupted", job != NULL && job->host->runtime);
	if (job && job->host->runtime) {
		host_text(&body, "threadId", &job->session->thread);
		host_text(&body, "turnId", &job->turn);
	} else
		jtext_add_string(&body, "reason", "NOT_REQUIRED", 12);
	buf_addstr(&body, "}}");
	host_reply(request, 200, &body);
	buf_release(&body);
}

void
turns_interrupt(struct host *host, struct request *request, const struct buf *id)
{
	struct job *job = turn_of(host, id);
	size_t i;

	if (job) {
		job->stopped = true;
		reply_interrupt(request, id, "interrupted", clock_wall_ms(), job);
		if (job->number)
			(void)runtime_turn_interrupt(host->runtime, job->number);
		else if (!host->runtime)
			mock_interrupt(job);
		return;
	}
	for (i = 0; i < HOST_TURNS_MAX; i++)
		if (host->ended[i].id.len && same(&host->ended[i].id, id)) {
			reply_interrupt(request, id, "completed", host->ended[i].at_ms, NULL);
			return;
		}
	host_refuse(request, 404, "TURN_NOT_FOUND", "Turn not found", NULL);
}

void
turns_free(struct host *host)
{
	struct job *job, *next;
	size_t i;

	while (host->sessions) {
		for (job = host->sessions->jobs; job; job = next) {
			next = job->next;
			job_free(job);
		}
		session_free(host, host->sessions);
	}
	for (i = 0; i < HOST_TURNS_MAX; i++)
		buf_release(&host->ended[i].id);
}
