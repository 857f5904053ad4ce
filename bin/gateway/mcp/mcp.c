/* mcp.c - requests to a Model Context Protocol server somewhere else: session, turn, retry */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "err.h"
#include "fetch/fetch.h"
#include "mcp/internal.h"
#include "utf8.h"
#include "xalloc.h"

#define SHOWN_MAX 200 /* characters of a refusal's body that are told */

/* ---- an answer */

static bool
on_body(const struct fetch_answer *answer, const char *bytes, size_t n, void *payload)
{
	struct mcp_call *call = payload;

	if (!call->reading) {
		mcp_reader_init(&call->reader, answer->content_type.s, span_of(&call->id), call->mcp->settings.payload_max);
		call->reading = true;
	}
	return mcp_reader_feed(&call->reader, bytes, n) == MCP_READ_MORE;
}

static void
too_large(struct mcp_call *call, uint64_t size)
{
	struct buf why = BUF_INIT;

	buf_addf(&why, "remote response payload too large (%llu > %zu bytes)", (unsigned long long)size, call->mcp->settings.payload_max);
	mcp_call_tell(call, MCP_REFUSED, why.s);
	buf_release(&why);
}

static void
tell_failed(struct mcp_call *call, const char *what, const char *why)
{
	struct buf text = BUF_INIT;

	buf_addf(&text, "%s: %s", what, why);
	mcp_call_tell(call, MCP_OUTAGE, text.s);
	buf_release(&text);
}

static void
tell_late(struct mcp_call *call)
{
	struct buf why = BUF_INIT;

	buf_addf(&why, "no answer within %lld ms", (long long)call->timeout_ms);
	tell_failed(call, "This operation was aborted", why.s);
	buf_release(&why);
}

/* Who refuses a POST so may be a server of the older transport. */
static bool
may_stream(int status)
{
	return status >= 400 && status < 500 && status != 401 && status != 403 && status != 429;
}

/* A status other than 2xx. */
static void
take_refusal(struct mcp_call *call, const struct fetch_answer *answer)
{
	struct mcp *mcp = call->mcp;
	struct buf why = BUF_INIT;

	if (answer->status == 404 && (mcp->session_id.len || call->streamed) && !call->opens && !call->again) {
		/* the server has forgotten the session, and so has done nothing: open one and ask again */
		call->again = true;
		if (mcp->session == SESSION_OPEN && call->opening == mcp->openings)
			mcp_forget(mcp);
		mcp_call_move(call, WAITING, true);
		mcp_call_wait(call);
		mcp_go_on(mcp);
		return;
	}
	buf_addf(&why, "remote %d: ", answer->status);
	utf8_safe(&why, answer->body.s, utf8_utf16_prefix(answer->body.s, answer->body.len, SHOWN_MAX), UTF8_SAFE_TEXT);
	if (call->opens && mcp->settings.sse && !call->streamed && may_stream(answer->status))
		mcp_stream_open(mcp, call, why.s);
	else
		mcp_call_tell(call, answer->status >= 500 ? MCP_OUTAGE : MCP_REFUSED, why.s);
	buf_release(&why);
}

void
mcp_take_read(struct mcp_call *call, const struct fetch_answer *head, uint64_t size)
{
	switch (mcp_reader_end(&call->reader)) {
	case MCP_READ_RESULT:
		if (call->opens && head)
			mcp_session_take(call->mcp, head);
		mcp_call_tell(call, MCP_OK, NULL);
		break;
	case MCP_READ_ERROR:
		mcp_call_tell(call, MCP_REFUSED, call->reader.text.s);
		break;
	case MCP_READ_LARGE:
		too_large(call, size);
		break;
	case MCP_READ_MORE:
	case MCP_READ_BROKEN:
		tell_failed(call, "remote answer cannot be used", call->reader.text.s);
		break;
	}
}

static void
take_answer(struct mcp_call *call, const struct fetch_answer *answer)
{
	if (call->streamed)
		return; /* accepted; the answer comes on the stream, or its time passes */
	if (call->reading)
		mcp_take_read(call, answer, answer->size);
	else
		tell_failed(call, "remote answer cannot be used", "the answer is empty");
}

static void
on_answer(const struct fetch_answer *answer, void *payload)
{
	struct mcp_call *call = payload;
	const struct mcp_settings *settings = &call->mcp->settings;

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
		tell_late(call);
		break;
	case FETCH_TOO_LARGE:
		too_large(call, answer->size);
		break;
	case FETCH_BROKEN:
		tell_failed(call, "fetch failed", answer->why.s);
		break;
	}
}

/* ---- sending */

static bool
on_accepted(const struct fetch_answer *answer, const char *bytes, size_t n, void *payload)
{
	(void)answer;
	(void)bytes;
	(void)n;
	(void)payload;
	return true;
}

void
mcp_call_send(struct mcp_call *call)
{
	struct mcp *mcp = call->mcp;
	struct fetch_request request = { .method = "POST",
		.url = mcp_post_url(mcp),
		.timeout_ms = call->timeout_ms,
		.body_max = mcp->settings.payload_max + MCP_ANSWER_EXTRA,
		.body_cb = mcp->stream ? on_accepted : on_body };
	struct timeval after = { (time_t)(call->timeout_ms / 1000), (suseconds_t)(call->timeout_ms % 1000 * 1000) };
	struct buf body = BUF_INIT, why = BUF_INIT;
	struct err err = ERR_INIT;
	struct mcp_head head;

	event_del(call->timer);
	mcp_call_drop(call);
	buf_reset(&call->id);
	buf_addf(&call->id, "%s-%llu", mcp->name, (unsigned long long)++mcp->last_id);
	buf_addch(&body, '{');
	jtext_add_text(&body, "jsonrpc", "2.0");
	jtext_add_buf(&body, "id", &call->id);
	jtext_add_text(&body, "method", call->method);
	jtext_add_raw(&body, "params", call->params, strlen(call->params));
	buf_addch(&body, '}');
	if (body.len > mcp->settings.payload_max) {
		buf_addf(&why, "remote request payload too large (%zu > %zu bytes)", body.len, mcp->settings.payload_max);
		mcp_call_end(call, MCP_REFUSED, why.s);
	} else if (!mcp_head_make(mcp, call, &head, &err)) {
		mcp_call_end(call, MCP_REFUSED, err.text);
		mcp_head_release(&head);
	} else {
		request.once = !strcmp(call->method, "tools/call"); /* the others may come twice */
		request.headers = head.list;
		request.body = body.s;
		request.body_len = body.len;
		call->state = SENT;
		call->streamed = mcp->stream != NULL;
		if (call->streamed)
			event_add(call->timer, &after);
		call->opening = mcp->openings;
		call->fetch = fetch_start(mcp->fetcher, &request, on_answer, call);
		mcp_head_release(&head);
	}
	buf_release(&body);
	buf_release(&why);
}

void
mcp_on_timer(evutil_socket_t fd, short what, void *payload)
{
	struct mcp_call *call = payload;
	struct buf why = BUF_INIT;

	(void)fd;
	(void)what;
	if (call->state == PAUSED) {
		mcp_call_send(call);
		return;
	}
	if (call->state == SENT) {
		mcp_stream_doubt(call->mcp);
		tell_late(call);
		return;
	}
	buf_addf(&why, "remote concurrency limit reached (%u): no turn within %lld ms", call->mcp->settings.concurrency,
	    (long long)call->mcp->settings.wait_ms);
	mcp_call_end(call, MCP_REFUSED, why.s);
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
		mcp_call_tell(call, call->outcome, why.s);
		buf_release(&why);
		return;
	}
	mcp_stream_turn(mcp);
	if (mcp_stream_doubted(mcp) && mcp->session == SESSION_OPEN && !mcp->under_way.n)
		mcp_forget(mcp);
	while (mcp->session != SESSION_OPENING && (call = mcp->waiting.first)) {
		if (mcp->session == SESSION_NONE)
			mcp_session_open(mcp);
		else if (!call->method)
			mcp_call_end(call, MCP_OK, "");
		else if (mcp->under_way.n >= mcp->settings.concurrency)
			break;
		else {
			mcp_call_move(call, SENT, false);
			mcp_call_send(call);
		}
	}
}

/* ---- the door */

struct mcp_call *
mcp_call(struct mcp *mcp, const struct mcp_request *request, mcp_done_cb *done, void *payload)
{
	struct mcp_call *call = mcp_call_new(mcp, done, payload);
	struct buf params = BUF_INIT;

	if (request->method) {
		call->method = xstrdup(request->method);
		buf_add(&params, request->params.s, request->params.n);
		call->params = buf_detach(&params, NULL);
	}
	call->session = request->session ? xstrdup(request->session) : NULL;
	call->run = request->run ? xstrdup(request->run) : NULL;
	trace_copy(&call->trace, request->trace);
	call->timeout_ms = request->timeout_ms ? request->timeout_ms : mcp->settings.timeout_ms;
	call->timer = event_new(mcp->base, -1, 0, mcp_on_timer, call);
	call->state = WAITING;
	mcp_list_add(&mcp->waiting, call, false);
	if (mcp->waiting.n > MCP_QUEUE_MAX)
		mcp_call_end(call, MCP_REFUSED, "remote concurrency limit reached: too many requests wait already");
	else {
		mcp_call_wait(call);
		mcp_go_on(mcp);
	}
	return call;
}

void
mcp_end(struct mcp_call *call, const char *why)
{
	if (call->state != ENDED)
		mcp_call_end(call, MCP_REFUSED, why);
}

void
mcp_stop(struct mcp *mcp, const char *why)
{
	struct mcp_call *call;

	while ((call = mcp->under_way.first)) {
		if (call->opens) {
			mcp->session = SESSION_NONE;
			mcp_call_free(call);
		} else
			mcp_call_end(call, MCP_REFUSED, why);
	}
	while ((call = mcp->waiting.first))
		mcp_call_end(call, MCP_REFUSED, why);
	if (mcp->notice) {
		fetch_cancel(mcp->notice);
		mcp->notice = NULL;
		mcp->session = SESSION_OPEN;
	}
	mcp_session_close(mcp);
	mcp_stream_close(mcp);
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
		mcp_call_free(mcp->under_way.first);
	while (mcp->waiting.first)
		mcp_call_free(mcp->waiting.first);
	while (mcp->ended.first)
		mcp_call_free(mcp->ended.first);
	fetch_cancel(mcp->notice);
	mcp_stream_close(mcp);
	event_free(mcp->turn);
	buf_release(&mcp->session_id);
	buf_release(&mcp->protocol);
	free(mcp->name);
	free(mcp->endpoint);
	free(mcp->auth_ref);
	free(mcp);
}
