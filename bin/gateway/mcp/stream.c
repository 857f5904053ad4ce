/* stream.c - MCP's older HTTP+SSE transport: requests are posted, their answers come on one event stream that stays open
 *
 * As the protocol's later versions have it for servers of either kind: initialize is posted to the address first; a server that answers it
 * is spoken to like any other, one that refuses is asked for its stream. Its first event names where to post.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "err.h"
#include "fetch/fetch.h"
#include "mcp/endpoint.h"
#include "mcp/internal.h"
#include "sse.h"
#include "xalloc.h"

struct mcp_stream {
	struct mcp *mcp;
	struct fetch *fetch; /* NULL: it has ended */
	struct sse *sse;
	struct mcp_call *opener; /* initialize, until it can be posted */
	struct buf post;	 /* where to; "": not said yet */
	struct buf inbox;	 /* messages that have come, one a line */
	struct buf refusal;	 /* what the server said to the first attempt */
	struct buf why;		 /* it cannot go on */
	size_t unfinished;	 /* bytes since the last event */
	bool events;		 /* it is an event stream */
	bool doubt;		 /* an answer did not come: it may be dead */
};

const char *
mcp_post_url(const struct mcp *mcp)
{
	return mcp->stream && mcp->stream->post.len ? mcp->stream->post.s : mcp->endpoint;
}

void
mcp_stream_doubt(struct mcp *mcp)
{
	if (mcp->stream)
		mcp->stream->doubt = true;
}

bool
mcp_stream_doubted(const struct mcp *mcp)
{
	return mcp->stream && mcp->stream->doubt;
}

void
mcp_stream_close(struct mcp *mcp)
{
	struct mcp_stream *stream = mcp->stream;

	if (!stream)
		return;
	mcp->stream = NULL;
	fetch_cancel(stream->fetch);
	sse_free(stream->sse);
	buf_release(&stream->post);
	buf_release(&stream->inbox);
	buf_release(&stream->refusal);
	buf_release(&stream->why);
	free(stream);
}

/* ---- as it comes: only noted, because libcurl is at work */

static void
take_endpoint(struct mcp_stream *stream, const struct sse_event *event)
{
	if (!stream->post.len && !mcp_endpoint(stream->mcp->endpoint, event->data, event->data_len, &stream->post))
		buf_addstr(&stream->why, "the event stream names an endpoint that is not the server's own");
}

static bool
on_event(const struct sse_event *event, void *payload)
{
	struct mcp_stream *stream = payload;
	struct span value;

	stream->unfinished = 0;
	if (!strcmp(event->type, "endpoint"))
		take_endpoint(stream, event);
	else if (!strcmp(event->type, "message") && jtext_check(event->data, event->data_len, true, &value, NULL)) {
		jtext_compact(&stream->inbox, value);
		buf_addch(&stream->inbox, '\n');
	}
	mcp_go_on(stream->mcp);
	return true;
}

static bool
on_body(const struct fetch_answer *answer, const char *bytes, size_t n, void *payload)
{
	struct mcp_stream *stream = payload;
	struct err err = ERR_INIT;

	stream->events = !strcmp(answer->content_type.s, "text/event-stream");
	stream->unfinished += n;
	if (!stream->events)
		return false;
	if (!sse_feed(stream->sse, bytes, n, &err))
		buf_addstr(&stream->why, err.text);
	else if (stream->unfinished > stream->mcp->settings.payload_max + MCP_ANSWER_EXTRA)
		buf_addstr(&stream->why, "the event stream holds a message that is too large");
	return !stream->why.len;
}

static void
on_end(const struct fetch_answer *answer, void *payload)
{
	struct mcp_stream *stream = payload;

	stream->fetch = NULL;
	if (stream->why.len)
		;
	else if (answer->result != FETCH_DONE)
		buf_addstr(&stream->why, answer->why.s);
	else if (answer->status >= 200 && answer->status < 300)
		buf_addstr(&stream->why, stream->events ? "the event stream ended" : "there is no event stream");
	else
		buf_addf(&stream->why, "the event stream was refused with status %d", answer->status);
	mcp_go_on(stream->mcp);
}

/* ---- what there is to do for what came */

/* Who waited for it is told; what was posted is not posted again. */
static void
lose(struct mcp *mcp)
{
	struct mcp_stream *stream = mcp->stream;
	struct mcp_call *call, *next;
	struct buf why = BUF_INIT;

	if (stream->opener && !stream->events) {
		mcp->streams = false;
		/* neither kind of server: the first refusal is the better reason */
		if (stream->refusal.len)
			mcp_call_end(stream->opener, MCP_REFUSED, stream->refusal.s);
	}
	buf_addf(&why, "fetch failed: %s", stream->why.s);
	for (call = mcp->under_way.first; call; call = next) {
		next = call->next;
		if (call->streamed && call->state == SENT)
			mcp_call_end(call, MCP_OUTAGE, why.s);
	}
	buf_release(&why);
	fetch_cancel(mcp->notice);
	if (mcp->notice)
		mcp->session = SESSION_NONE;
	mcp->notice = NULL;
	mcp_forget(mcp);
	mcp_stream_close(mcp);
	mcp_go_on(mcp);
}

static struct mcp_call *
call_of(const struct mcp *mcp, struct span message)
{
	struct mcp_call *call;
	struct span value;
	struct buf id = BUF_INIT;

	if (jtext_type(message) != JTEXT_OBJECT || !jtext_get(message, "id", &value) || !jtext_string(value, &id)) {
		buf_release(&id);
		return NULL;
	}
	for (call = mcp->under_way.first; call; call = call->next)
		if (call->streamed && call->state == SENT && buf_equal(&call->id, &id))
			break;
	buf_release(&id);
	return call;
}

static void
take_message(struct mcp *mcp, struct span message)
{
	struct mcp_call *call = call_of(mcp, message);

	if (!call)
		return;
	mcp_call_drop(call);
	mcp_reader_init(&call->reader, "application/json", span_of(&call->id), mcp->settings.payload_max);
	call->reading = true;
	(void)mcp_reader_feed(&call->reader, message.s, message.n);
	mcp_take_read(call, NULL, message.n);
}

static void
take_inbox(struct mcp *mcp)
{
	struct buf inbox = mcp->stream->inbox;
	struct span value, item;
	const char *at, *end;

	buf_init(&mcp->stream->inbox);
	/* an answer may end the stream: it is looked for each time */
	for (at = inbox.s; (end = memchr(at, '\n', (size_t)(inbox.s + inbox.len - at))) && mcp->stream; at = end + 1) {
		size_t pos = 0;

		if (!jtext_check(at, (size_t)(end - at), true, &value, NULL))
			continue;
		if (jtext_type(value) != JTEXT_ARRAY)
			take_message(mcp, value);
		else
			while (mcp->stream && jtext_each(value, &pos, NULL, &item))
				take_message(mcp, item);
	}
	buf_release(&inbox);
}

void
mcp_stream_turn(struct mcp *mcp)
{
	struct mcp_stream *stream = mcp->stream;

	if (!stream)
		return;
	if (stream->opener && stream->post.len && !stream->why.len) {
		struct mcp_call *opener = stream->opener;

		stream->opener = NULL;
		mcp->streams = true;
		mcp_call_send(opener);
	}
	if (stream->inbox.len)
		take_inbox(mcp);
	if (mcp->stream == stream && stream->why.len)
		lose(mcp);
}

void
mcp_stream_left(struct mcp *mcp, const struct mcp_call *call)
{
	if (mcp->stream && mcp->stream->opener == call)
		mcp->stream->opener = NULL;
}

/* ---- its beginning */

void
mcp_stream_open(struct mcp *mcp, struct mcp_call *opener, const char *refusal)
{
	struct mcp_stream *stream = xcalloc(1, sizeof *stream);
	struct timeval after = { (time_t)(opener->timeout_ms / 1000), (suseconds_t)(opener->timeout_ms % 1000 * 1000) };
	struct fetch_request request = { .method = "GET", .url = mcp->endpoint, .body_max = SIZE_MAX, .body_cb = on_body };
	struct mcp_head head;
	struct err err = ERR_INIT;

	mcp_stream_close(mcp);
	mcp->stream = stream;
	stream->mcp = mcp;
	stream->opener = opener;
	buf_init(&stream->post);
	buf_init(&stream->inbox);
	buf_init(&stream->refusal);
	buf_init(&stream->why);
	if (refusal)
		buf_addstr(&stream->refusal, refusal);
	stream->sse = sse_new(on_event, NULL, stream);
	opener->state = SENT;
	opener->streamed = true;
	event_add(opener->timer, &after);
	if (mcp_head_make(mcp, opener, &head, &err)) {
		request.headers = head.list + 1; /* there is no content whose type could be told */
		stream->fetch = fetch_start(mcp->fetcher, &request, on_end, stream);
	} else
		mcp_call_end(opener, MCP_REFUSED, err.text);
	mcp_head_release(&head);
}
