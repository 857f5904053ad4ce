/* mcp.c - requests to a Model Context Protocol server somewhere else: session, turn, retry */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "err.h"
#include "fetch/fetch.h"
#include "mcp/auth.h"
#include "mcp/mcp.h"
#include "mcp/reader.h"
#include "utf8.h"
#include "xalloc.h"

#define ANSWER_EXTRA 65536 /* bytes of an event stream besides the message: field names, comments, notifications */
#define SHOWN_MAX 200	   /* characters of a refusal's body that are told */
#define SESSION_MAX 1024   /* bytes of a session id */

enum session { SESSION_NONE, SESSION_OPENING, SESSION_OPEN };

enum state { WAITING, SENT, PAUSED, ENDED };

struct mcp_call {
	struct mcp *mcp;
	enum state state;
	char *method, *params, *session, *run; /* method NULL: only the session */
	int64_t timeout_ms;
	mcp_done_cb *done;
	void *payload;
	struct buf id;
	struct fetch *fetch;
	struct mcp_reader reader;
	bool reading;
	bool opens;	  /* our own initialize */
	unsigned opening; /* the session it was sent in */
	bool again;	  /* sent once more already, after the session was lost */
	unsigned retries;
	struct event *timer; /* WAITING: the turn must come; PAUSED: the next try */
	/* the end, when it is told later */
	enum mcp_outcome outcome;
	struct buf why;
	struct mcp_call *next, **prev;
};

/* Calls in one order. */
struct list {
	struct mcp_call *first, **last;
	size_t n;
};

struct mcp {
	struct event_base *base;
	struct fetcher *fetcher;
	struct mcp_settings settings;
	char *name, *endpoint, *auth_ref;
	struct list waiting, under_way, ended;
	enum session session;
	struct buf session_id, protocol;
	struct fetch *notice; /* notifications/initialized on its way */
	unsigned openings; /* how many sessions there were */
	uint64_t last_id;
	struct event *turn;
};

static void on_turn(evutil_socket_t fd, short what, void *payload);
static void send_call(struct mcp_call *call);

/* ---- lists */

static void
list_add(struct list *list, struct mcp_call *call, bool front)
{
	struct mcp_call **at = front ? &list->first : list->last;

	call->next = *at;
	call->prev = at;
	*at = call;
	if (call->next)
		call->next->prev = &call->next;
	else
		list->last = &call->next;
	list->n++;
}

static struct list *
list_of(struct mcp_call *call)
{
	return call->state == WAITING ? &call->mcp->waiting : call->state == ENDED ? &call->mcp->ended : &call->mcp->under_way;
}

static void
list_take(struct mcp_call *call)
{
	struct list *list = list_of(call);

	*call->prev = call->next;
	if (call->next)
		call->next->prev = call->prev;
	else
		list->last = call->prev;
	list->n--;
}

static void
move(struct mcp_call *call, enum state state, bool front)
{
	list_take(call);
	call->state = state;
	list_add(list_of(call), call, front);
}

static void
wait_for_turn(struct mcp_call *call)
{
	int64_t ms = call->mcp->settings.wait_ms;
	struct timeval after = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	event_add(call->timer, &after);
}

static void
go_on(struct mcp *mcp)
{
	event_active(mcp->turn, EV_TIMEOUT, 1);
}

/* ---- the end of a call */

static void
drop_answer(struct mcp_call *call)
{
	fetch_cancel(call->fetch);
	call->fetch = NULL;
	if (call->reading)
		mcp_reader_release(&call->reader);
	call->reading = false;
}

static void
call_free(struct mcp_call *call)
{
	list_take(call);
	drop_answer(call);
	event_free(call->timer);
	free(call->method);
	free(call->params);
	free(call->session);
	free(call->run);
	buf_release(&call->id);
	buf_release(&call->why);
	free(call);
}

static void
tell(struct mcp_call *call, enum mcp_outcome outcome, const char *why)
{
	struct mcp_answer answer = { .outcome = outcome, .why = why, .retries = call->retries, .result = { "{}", 2 } };
	struct mcp *mcp = call->mcp;

	if (outcome == MCP_OK && call->reading)
		answer.result = (struct span){ call->reader.text.s, call->reader.text.len };
	/* not in a list that done() could meet it in */
	move(call, ENDED, false);
	call->done(&answer, call->payload);
	call_free(call);
	go_on(mcp);
}

/* The end, told from the loop. */
static void
end_later(struct mcp_call *call, enum mcp_outcome outcome, const char *why)
{
	event_del(call->timer);
	drop_answer(call);
	call->outcome = outcome;
	buf_reset(&call->why);
	buf_addstr(&call->why, why);
	move(call, ENDED, false);
	go_on(call->mcp);
}

/* ---- the session */

static void
on_notice(const struct fetch_answer *answer, void *payload)
{
	struct mcp *mcp = payload;

	(void)answer; /* a notification has no answer that could be wrong */
	mcp->notice = NULL;
	mcp->session = SESSION_OPEN;
	go_on(mcp);
}

static bool
is_visible(const struct buf *text)
{
	size_t i;

	for (i = 0; i < text->len; i++)
		if (text->s[i] < '!' || text->s[i] > '~')
			return false;
	return text->len > 0 && text->len <= SESSION_MAX;
}

/* ---- header lines; the last one is NULL */

struct head {
	struct buf lines[8];
	const char *list[9];
	size_t n;
};

static struct buf *
head_add(struct head *head)
{
	struct buf *line = &head->lines[head->n];

	buf_init(line);
	head->n++;
	return line;
}

/* A value made safe: what is not visible ASCII is percent-encoded. */
static void
head_add_text(struct head *head, const char *name, const char *value)
{
	struct buf *line;

	if (!value || !*value)
		return;
	line = head_add(head);
	buf_addf(line, "%s: ", name);
	for (; *value; value++)
		if (*value >= '!' && *value <= '~')
			buf_addch(line, *value);
		else
			buf_addf(line, "%%%02X", (unsigned char)*value);
}

static bool
head_make(const struct mcp *mcp, const struct mcp_call *call, struct head *head, struct err *err)
{
	size_t i;

	head->n = 0;
	buf_addstr(head_add(head), "content-type: application/json");
	buf_addstr(head_add(head), "accept: application/json, text/event-stream");
	if (!call || !call->opens) {
		head_add_text(head, "mcp-session-id", mcp->session_id.s);
		head_add_text(head, "mcp-protocol-version", mcp->protocol.s);
	}
	if (call) {
		head_add_text(head, "x-clarity-session-id", call->session);
		head_add_text(head, "x-clarity-run-id", call->run);
	}
	if (mcp->auth_ref && !mcp_auth_header(mcp->auth_ref, mcp_auth_root(), head_add(head), err))
		return false;
	for (i = 0; i < head->n; i++)
		head->list[i] = head->lines[i].s;
	head->list[i] = NULL;
	return true;
}

static void
head_release(struct head *head)
{
	size_t i;

	for (i = 0; i < head->n; i++) {
		explicit_bzero(head->lines[i].s, head->lines[i].len);
		buf_release(&head->lines[i]);
	}
}

/* ---- opening */

static void
send_notice(struct mcp *mcp)
{
	static const char body[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\",\"params\":{}}";
	struct fetch_request request = { .method = "POST", .url = mcp->endpoint, .body = body, .body_len = sizeof body - 1, .timeout_ms = mcp->settings.timeout_ms,
		.body_max = ANSWER_EXTRA };
	struct head head;
	struct err err = ERR_INIT;

	if (head_make(mcp, NULL, &head, &err)) {
		request.headers = head.list;
		mcp->notice = fetch_start(mcp->fetcher, &request, on_notice, mcp);
	} else {
		mcp->session = SESSION_OPEN; /* the secret has gone meanwhile: the next request says so */
		go_on(mcp);
	}
	head_release(&head);
}

static void
after_opening(const struct mcp_answer *answer, void *payload)
{
	struct mcp *mcp = payload;
	struct mcp_call *call;

	if (answer->outcome == MCP_OK) {
		buf_reset(&mcp->protocol);
		if (!jtext_get_string(answer->result, "protocolVersion", &mcp->protocol) || !is_visible(&mcp->protocol))
			buf_reset(&mcp->protocol);
		send_notice(mcp);
		return;
	}
	mcp->session = SESSION_NONE;
	while ((call = mcp->waiting.first)) {
		call->retries = answer->retries;
		end_later(call, answer->outcome, answer->why);
	}
}

static struct mcp_call *
call_new(struct mcp *mcp, mcp_done_cb *done, void *payload)
{
	struct mcp_call *call = xcalloc(1, sizeof *call);

	call->mcp = mcp;
	call->done = done;
	call->payload = payload;
	buf_init(&call->id);
	buf_init(&call->why);
	return call;
}

static void on_timer(evutil_socket_t fd, short what, void *payload);

static void
open_session(struct mcp *mcp)
{
	struct mcp_call *call = call_new(mcp, after_opening, mcp);

	mcp->session = SESSION_OPENING;
	mcp->openings++;
	call->opens = true;
	call->method = xstrdup("initialize");
	call->params = xstrdup("{\"protocolVersion\":\"" MCP_PROTOCOL "\",\"capabilities\":{},\"clientInfo\":{\"name\":\"agent-gateway\",\"version\":\"" PACKAGE_VERSION "\"}}");
	call->timeout_ms = mcp->settings.timeout_ms;
	call->timer = event_new(mcp->base, -1, 0, on_timer, call);
	call->state = SENT;
	list_add(&mcp->under_way, call, false);
	send_call(call);
}

/* ---- an answer */

static bool
on_body(const struct fetch_answer *answer, const char *bytes, size_t n, void *payload)
{
	struct mcp_call *call = payload;

	if (!call->reading) {
		mcp_reader_init(&call->reader, answer->content_type.s, (struct span){ call->id.s, call->id.len }, call->mcp->settings.payload_max);
		call->reading = true;
	}
	return mcp_reader_feed(&call->reader, bytes, n) == MCP_READ_MORE;
}

static void
too_large(struct mcp_call *call, uint64_t size)
{
	struct buf why = BUF_INIT;

	buf_addf(&why, "remote response payload too large (%llu > %zu bytes)", (unsigned long long)size, call->mcp->settings.payload_max);
	tell(call, MCP_REFUSED, why.s);
	buf_release(&why);
}

static void
tell_failed(struct mcp_call *call, const char *what, const char *why)
{
	struct buf text = BUF_INIT;

	buf_addf(&text, "%s: %s", what, why);
	tell(call, MCP_OUTAGE, text.s);
	buf_release(&text);
}

/* A status other than 2xx. */
static void
take_refusal(struct mcp_call *call, const struct fetch_answer *answer)
{
	struct mcp *mcp = call->mcp;
	struct buf why = BUF_INIT;

	if (answer->status == 404 && mcp->session_id.len && !call->opens && !call->again) {
		/* the server has forgotten the session, and so has done nothing: open one and ask again */
		call->again = true;
		if (mcp->session == SESSION_OPEN && call->opening == mcp->openings)
			mcp_forget(mcp);
		move(call, WAITING, true);
		wait_for_turn(call);
		go_on(mcp);
		return;
	}
	buf_addf(&why, "remote %d: ", answer->status);
	utf8_safe(&why, answer->body.s, utf8_utf16_prefix(answer->body.s, answer->body.len, SHOWN_MAX), UTF8_SAFE_TEXT);
	tell(call, answer->status >= 500 ? MCP_OUTAGE : MCP_REFUSED, why.s);
	buf_release(&why);
}

static void
take_answer(struct mcp_call *call, const struct fetch_answer *answer)
{
	struct buf id = BUF_INIT;

	if (!call->reading) {
		tell_failed(call, "remote answer cannot be used", "the answer is empty");
		return;
	}
	switch (mcp_reader_end(&call->reader)) {
	case MCP_READ_RESULT:
		if (call->opens) {
			buf_reset(&call->mcp->session_id);
			if (fetch_header(answer, "mcp-session-id", &id) && is_visible(&id))
				buf_add(&call->mcp->session_id, id.s, id.len);
			buf_release(&id);
		}
		tell(call, MCP_OK, NULL);
		break;
	case MCP_READ_ERROR:
		tell(call, MCP_REFUSED, call->reader.text.s);
		break;
	case MCP_READ_LARGE:
		too_large(call, answer->size);
		break;
	case MCP_READ_MORE:
	case MCP_READ_BROKEN:
		tell_failed(call, "remote answer cannot be used", call->reader.text.s);
		break;
	}
}

static void
on_answer(const struct fetch_answer *answer, void *payload)
{
	struct mcp_call *call = payload;
	const struct mcp_settings *settings = &call->mcp->settings;
	struct buf why = BUF_INIT;

	call->fetch = NULL;
	switch (answer->result) {
	case FETCH_DONE:
		if (answer->status >= 200 && answer->status < 300)
			take_answer(call, answer);
		else
			take_refusal(call, answer);
		break;
	case FETCH_UNREACHABLE:
		if (call->retries < settings->retry_max) {
			int64_t ms = settings->retry_backoff_ms * ++call->retries;
			struct timeval after = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

			call->state = PAUSED;
			event_add(call->timer, &after);
			break;
		}
		tell_failed(call, "fetch failed", answer->why.s);
		break;
	case FETCH_TIMEOUT:
		buf_addf(&why, "no answer within %lld ms", (long long)call->timeout_ms);
		tell_failed(call, "This operation was aborted", why.s);
		break;
	case FETCH_TOO_LARGE:
		too_large(call, answer->size);
		break;
	case FETCH_BROKEN:
		tell_failed(call, "fetch failed", answer->why.s);
		break;
	}
	buf_release(&why);
}

/* ---- sending */

static void
send_call(struct mcp_call *call)
{
	struct mcp *mcp = call->mcp;
	struct fetch_request request = { .method = "POST", .url = mcp->endpoint, .timeout_ms = call->timeout_ms, .body_max = mcp->settings.payload_max + ANSWER_EXTRA,
		.body_cb = on_body };
	struct buf body = BUF_INIT, why = BUF_INIT;
	struct err err = ERR_INIT;
	struct head head;

	event_del(call->timer);
	drop_answer(call);
	buf_reset(&call->id);
	buf_addf(&call->id, "%s-%llu", mcp->name, (unsigned long long)++mcp->last_id);
	buf_addch(&body, '{');
	jtext_add_string(&body, "jsonrpc", "2.0", 3);
	jtext_add_string(&body, "id", call->id.s, call->id.len);
	jtext_add_string(&body, "method", call->method, strlen(call->method));
	jtext_add_raw(&body, "params", call->params, strlen(call->params));
	buf_addch(&body, '}');
	if (body.len > mcp->settings.payload_max) {
		buf_addf(&why, "remote request payload too large (%zu > %zu bytes)", body.len, mcp->settings.payload_max);
		end_later(call, MCP_REFUSED, why.s);
	} else if (!head_make(mcp, call, &head, &err)) {
		end_later(call, MCP_REFUSED, err.text);
		head_release(&head);
	} else {
		request.once = !strcmp(call->method, "tools/call"); /* the others may come twice */
		request.headers = head.list;
		request.body = body.s;
		request.body_len = body.len;
		call->state = SENT;
		call->opening = mcp->openings;
		call->fetch = fetch_start(mcp->fetcher, &request, on_answer, call);
		head_release(&head);
	}
	buf_release(&body);
	buf_release(&why);
}

static void
on_timer(evutil_socket_t fd, short what, void *payload)
{
	struct mcp_call *call = payload;
	struct buf why = BUF_INIT;

	(void)fd;
	(void)what;
	if (call->state == PAUSED) {
		send_call(call);
		return;
	}
	buf_addf(&why, "remote concurrency limit reached (%u): no turn within %lld ms", call->mcp->settings.concurrency,
	    (long long)call->mcp->settings.wait_ms);
	end_later(call, MCP_REFUSED, why.s);
	buf_release(&why);
}

/* Whose turn it is. Those that wait for the session wait for all their turns. */
static void
on_turn(evutil_socket_t fd, short what, void *payload)
{
	struct mcp *mcp = payload;
	struct mcp_call *call;

	(void)fd;
	(void)what;
	if ((call = mcp->ended.first)) {
		struct buf why = call->why;

		/* one at a time: its done() may cancel others */
		buf_init(&call->why);
		tell(call, call->outcome, why.s);
		buf_release(&why);
		return;
	}
	while (mcp->session != SESSION_OPENING && (call = mcp->waiting.first)) {
		if (mcp->session == SESSION_NONE)
			open_session(mcp);
		else if (!call->method)
			end_later(call, MCP_OK, "");
		else if (mcp->under_way.n >= mcp->settings.concurrency)
			break;
		else {
			move(call, SENT, false);
			send_call(call);
		}
	}
}

/* ---- the door */

struct mcp_call *
mcp_call(struct mcp *mcp, const struct mcp_request *request, mcp_done_cb *done, void *payload)
{
	struct mcp_call *call = call_new(mcp, done, payload);
	struct buf params = BUF_INIT;

	if (request->method) {
		call->method = xstrdup(request->method);
		buf_add(&params, request->params.s, request->params.n);
		call->params = buf_detach(&params, NULL);
	}
	call->session = request->session ? xstrdup(request->session) : NULL;
	call->run = request->run ? xstrdup(request->run) : NULL;
	call->timeout_ms = request->timeout_ms ? request->timeout_ms : mcp->settings.timeout_ms;
	call->timer = event_new(mcp->base, -1, 0, on_timer, call);
	call->state = WAITING;
	list_add(&mcp->waiting, call, false);
	if (mcp->waiting.n > MCP_QUEUE_MAX)
		end_later(call, MCP_REFUSED, "remote concurrency limit reached: too many requests wait already");
	else {
		wait_for_turn(call);
		go_on(mcp);
	}
	return call;
}

void
mcp_end(struct mcp_call *call, const char *why)
{
	if (call->state != ENDED)
		end_later(call, MCP_REFUSED, why);
}

void
mcp_forget(struct mcp *mcp)
{
	buf_reset(&mcp->session_id);
	buf_reset(&mcp->protocol);
	if (mcp->session == SESSION_OPEN)
		mcp->session = SESSION_NONE;
}

static void
on_farewell(const struct fetch_answer *answer, void *payload)
{
	(void)answer;
	(void)payload;
}

/* The server may forget the session; whether it does is its own business. */
static void
say_farewell(struct mcp *mcp)
{
	struct fetch_request request = { .method = "DELETE", .url = mcp->endpoint, .timeout_ms = mcp->settings.timeout_ms, .body_max = ANSWER_EXTRA };
	struct head head;
	struct err err = ERR_INIT;

	if (!mcp->session_id.len)
		return;
	if (head_make(mcp, NULL, &head, &err)) {
		request.headers = head.list;
		fetch_start(mcp->fetcher, &request, on_farewell, NULL);
	}
	head_release(&head);
}

void
mcp_stop(struct mcp *mcp, const char *why)
{
	struct mcp_call *call;

	while ((call = mcp->under_way.first)) {
		if (call->opens) {
			mcp->session = SESSION_NONE;
			call_free(call);
		} else
			end_later(call, MCP_REFUSED, why);
	}
	while ((call = mcp->waiting.first))
		end_later(call, MCP_REFUSED, why);
	if (mcp->notice) {
		fetch_cancel(mcp->notice);
		mcp->notice = NULL;
		mcp->session = SESSION_OPEN;
	}
	say_farewell(mcp);
	mcp_forget(mcp);
}

size_t
mcp_count(const struct mcp *mcp)
{
	return mcp->waiting.n + mcp->under_way.n + mcp->ended.n;
}

struct mcp *
mcp_new(struct event_base *base, struct fetcher *fetcher, const struct mcp_settings *settings)
{
	struct mcp *mcp = xcalloc(1, sizeof *mcp);

	mcp->base = base;
	mcp->fetcher = fetcher;
	mcp->settings = *settings;
	if (!mcp->settings.wait_ms)
		mcp->settings.wait_ms = MCP_WAIT_MS;
	mcp->name = xstrdup(settings->name);
	mcp->endpoint = xstrdup(settings->endpoint);
	mcp->auth_ref = settings->auth_ref ? xstrdup(settings->auth_ref) : NULL;
	mcp->settings.name = mcp->settings.endpoint = mcp->settings.auth_ref = NULL;
	mcp->waiting.last = &mcp->waiting.first;
	mcp->under_way.last = &mcp->under_way.first;
	mcp->ended.last = &mcp->ended.first;
	buf_init(&mcp->session_id);
	buf_init(&mcp->protocol);
	mcp->turn = event_new(base, -1, 0, on_turn, mcp);
	return mcp;
}

void
mcp_free(struct mcp *mcp)
{
	if (!mcp)
		return;
	while (mcp->under_way.first)
		call_free(mcp->under_way.first);
	while (mcp->waiting.first)
		call_free(mcp->waiting.first);
	while (mcp->ended.first)
		call_free(mcp->ended.first);
	fetch_cancel(mcp->notice);
	event_free(mcp->turn);
	buf_release(&mcp->session_id);
	buf_release(&mcp->protocol);
	free(mcp->name);
	free(mcp->endpoint);
	free(mcp->auth_ref);
	free(mcp);
}
