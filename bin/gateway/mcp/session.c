/* session.c - what a server knows us by: opened, named in every request, closed */
#include "compat.h"

#include <string.h>

#include <event2/event.h>

#include "err.h"
#include "fetch/fetch.h"
#include "mcp/auth.h"
#include "mcp/internal.h"
#include "xalloc.h"

#define SESSION_MAX 1024 /* bytes of a session id */

static void
on_notice(const struct fetch_answer *answer, void *payload)
{
	struct mcp *mcp = payload;

	(void)answer; /* a notification has no answer that could be wrong */
	mcp->notice = NULL;
	mcp->session = SESSION_OPEN;
	mcp_go_on(mcp);
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

void
mcp_session_take(struct mcp *mcp, const struct fetch_answer *answer)
{
	struct buf id = BUF_INIT;

	buf_reset(&mcp->session_id);
	if (fetch_header(answer, "mcp-session-id", &id) && is_visible(&id))
		buf_add(&mcp->session_id, id.s, id.len);
	buf_release(&id);
}

/* ---- header lines */

static struct buf *
head_add(struct mcp_head *head)
{
	struct buf *line = &head->lines[head->n];

	buf_init(line);
	head->n++;
	return line;
}

/* A value made safe: what is not visible ASCII is percent-encoded. */
static void
head_add_text(struct mcp_head *head, const char *name, const char *value)
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

static void
head_add_trace(struct mcp_head *head, const struct trace *trace)
{
	if (trace->parent)
		buf_addf(head_add(head), "traceparent: %s", trace->parent);
	if (trace->state)
		buf_addf(head_add(head), "tracestate: %s", trace->state);
}

bool
mcp_head_make(const struct mcp *mcp, const struct mcp_call *call, struct mcp_head *head, struct err *err)
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
		head_add_trace(head, &call->trace);
	}
	if (mcp->auth_ref && !mcp_auth_header(mcp->auth_ref, mcp_auth_root(), head_add(head), err))
		return false;
	for (i = 0; i < head->n; i++)
		head->list[i] = head->lines[i].s;
	head->list[i] = NULL;
	return true;
}

void
mcp_head_release(struct mcp_head *head)
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
	struct fetch_request request = { .method = "POST",
		.url = mcp_post_url(mcp),
		.body = body,
		.body_len = sizeof body - 1,
		.timeout_ms = mcp->settings.timeout_ms,
		.body_max = MCP_ANSWER_EXTRA };
	struct mcp_head head;
	struct err err = ERR_INIT;

	if (mcp_head_make(mcp, NULL, &head, &err)) {
		request.headers = head.list;
		mcp->notice = fetch_start(mcp->fetcher, &request, on_notice, mcp);
	} else {
		mcp->session = SESSION_OPEN; /* the secret has gone meanwhile: the next request says so */
		mcp_go_on(mcp);
	}
	mcp_head_release(&head);
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
		mcp_call_end(call, answer->outcome, answer->why);
	}
}

void
mcp_session_open(struct mcp *mcp)
{
	struct mcp_call *call = mcp_call_new(mcp, after_opening, mcp);

	mcp->session = SESSION_OPENING;
	mcp->openings++;
	call->opens = true;
	call->method = xstrdup("initialize");
	call->params = xstrdup("{\"protocolVersion\":\"" MCP_PROTOCOL
			       "\",\"capabilities\":{},\"clientInfo\":{\"name\":\"agent-gateway\",\"version\":\"" PACKAGE_VERSION "\"}}");
	call->timeout_ms = mcp->settings.timeout_ms;
	call->timer = event_new(mcp->base, -1, 0, mcp_on_timer, call);
	call->state = SENT;
	mcp_list_add(&mcp->under_way, call, false);
	mcp_stream_close(mcp);
	if (mcp->streams)
		mcp_stream_open(mcp, call, NULL);
	else
		mcp_call_send(call);
}

/* ---- the end */

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
void
mcp_session_close(struct mcp *mcp)
{
	struct fetch_request request = {
		.method = "DELETE", .url = mcp->endpoint, .timeout_ms = mcp->settings.timeout_ms, .body_max = MCP_ANSWER_EXTRA
	};
	struct mcp_head head;
	struct err err = ERR_INIT;

	if (!mcp->session_id.len)
		return;
	if (mcp_head_make(mcp, NULL, &head, &err)) {
		request.headers = head.list;
		fetch_start(mcp->fetcher, &request, on_farewell, NULL);
	}
	mcp_head_release(&head);
}
