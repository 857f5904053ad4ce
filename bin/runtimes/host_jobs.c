/* host_jobs.c - sessions, and what they are asked for: one thing after another in each (contract sections 11.2 and 11.4)
 *
 * A session is an identifier and a thread of the runtime; a job is a bootstrap of it or a turn in it.
 */
#include "compat.h"

#include <stdlib.h>

#include <event2/event.h>

#include "clock.h"
#include "host_internal.h"
#include "http/server.h"
#include "key.h"
#include "xalloc.h"

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

	for (session = host->sessions; session && !buf_equal(&session->identifier, identifier);)
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
	jtext_add_buf(to, "identifier", &session->identifier);
	jtext_add_buf(to, "sessionId", &session->id);
	jtext_add_time_or_null(to, "createdAt", session->created_ms);
	jtext_add_time_or_null(to, "lastSeenAt", session->seen_ms);
	jtext_add_i64(to, "turnCount", (int64_t)session->turns);
	jtext_add_or_null(to, "codexThreadId", &session->thread);
	jtext_add_time_or_null(to, "codexBootstrappedAt", session->bootstrapped_ms);
	buf_addstr(to, "},\"runtime\":{");
	jtext_add_buf(to, "bootId", &host->boot);
	jtext_add_text(to, "engine", host->settings.engine);
	buf_addstr(to, "}}");
}

static void
add_result(const struct job *job, struct span text, const char *status, struct buf *to)
{
	const struct session *session = job->session;
	const struct host *host = job->host;
	struct runtime_status now;

	buf_addch(to, '{');
	jtext_add_buf(to, "turnId", &job->id);
	jtext_add_text(to, "status", "completed");
	jtext_add_string(to, "outputText", text.s ? text.s : "", text.n);
	buf_addstr(to, ",\"runtimeMetadata\":{");
	jtext_add_buf(to, "bootId", &host->boot);
	jtext_add_buf(to, "identifier", &session->identifier);
	jtext_add_buf(to, "sessionId", &session->id);
	jtext_add_text(to, "engine", host->settings.engine);
	if (!host->runtime) {
		jtext_add_i64(to, "sleepMs", job->sleep_ms);
		buf_addstr(to, "}}");
		return;
	}
	runtime_status(host->runtime, &now);
	jtext_add_text(to, "protocol", "jsonrpc-v2");
	jtext_add_text(to, "status", status);
	jtext_add_or_null(to, "codexThreadId", &session->thread);
	jtext_add_or_null(to, "codexTurnId", &job->turn);
	if (now.pid)
		jtext_add_i64(to, "codexPid", now.pid);
	else
		jtext_add_null(to, "codexPid");
	buf_addstr(to, "}}");
}

/* ---- one thing after another */

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
	jtext_add_buf(to, "cwd", cwd);
	jtext_add_filled(to, "developerInstructions", &job->wishes.instructions);
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
		runtime_call(job->host->runtime, "thread/start", span_of(&params), 0, on_thread, job);
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

void
session_go_on(struct session *session)
{
	while (session->jobs && !session->jobs->begun && job_begin(session->jobs))
		job_over(session->jobs);
}

struct job *
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

struct job *
turn_of(const struct host *host, const struct buf *id)
{
	struct session *session;
	struct job *job;

	for (session = host->sessions; session; session = session->next)
		for (job = session->jobs; job; job = job->next)
			if (!job->bootstrap && buf_equal(&job->id, id))
				return job;
	return NULL;
}

const struct ended *
turn_ended(const struct host *host, const struct buf *id)
{
	size_t i;

	for (i = 0; i < HOST_TURNS_MAX; i++)
		if (host->ended[i].id.len && buf_equal(&host->ended[i].id, id))
			return &host->ended[i];
	return NULL;
}

void
jobs_free(struct host *host)
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
