/* stream.c - answers that go on, and bytes that many of them share */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "clock.h"
#include "http/conn.h"
#include "xalloc.h"

#define COPY_MAX 2048 /* bytes; more are shared and not copied: a chain link costs about as much */

/* Kept with its chunk frame around it, so that a write is one piece. */
struct shared {
	unsigned refs;
	size_t frame; /* bytes of the size line */
	size_t n;     /* bytes of the payload */
	char bytes[]; /* size line, payload, CR LF */
};

struct shared *
shared_new(const void *bytes, size_t n)
{
	char line[24];
	int frame = snprintf(line, sizeof line, "%zx\r\n", n);
	struct shared *shared = xmalloc(sizeof *shared + (size_t)frame + n + 2);

	shared->refs = 1;
	shared->frame = (size_t)frame;
	shared->n = n;
	memcpy(shared->bytes, line, (size_t)frame);
	memcpy(shared->bytes + frame, bytes, n);
	memcpy(shared->bytes + frame + n, "\r\n", 2);
	return shared;
}

struct shared *
shared_ref(struct shared *shared)
{
	shared->refs++;
	return shared;
}

void
shared_unref(struct shared *shared)
{
	if (shared && !--shared->refs)
		free(shared);
}

static void
release_shared(const void *bytes, size_t n, void *payload)
{
	(void)bytes;
	(void)n;
	shared_unref(payload);
}

struct stream *
request_stream(
    struct request *request, const char *content_type, const char *const *headers, const struct stream_events *events, void *payload)
{
	static const char *const fixed[] = { "cache-control", "no-cache", "x-accel-buffering", "no", NULL };
	const char *all[32];
	struct stream *stream = xcalloc(1, sizeof *stream);
	struct conn *conn = request->conn;
	bool head_only = !strcmp(request->method, "HEAD");
	size_t n = 0, i;

	stream->events = events;
	stream->payload = payload;
	request_tell(request, 200);
	if (!conn || head_only)
		request_ended(request, 200, 0);
	if (!conn) {
		/* the client left before the answer began: closed() must still come, but not from inside this call */
		request_free(request);
		free(stream);
		return NULL;
	}
	for (i = 0; fixed[i]; i++)
		all[n++] = fixed[i];
	for (i = 0; headers && headers[i] && n < ARRAY_LEN(all) - 1; i++)
		all[n++] = headers[i];
	all[n] = NULL;
	stream->chunked = !request->http10;
	request_head(request, 200, content_type, all, -1, stream->chunked, stream->chunked && !head_only);
	if (head_only) {
		conn_answered(conn, false);
		free(stream);
		return NULL;
	}
	conn->request = NULL;
	conn->stream = stream;
	conn->server->stats.streams++;
	request_hold(request, 200);
	conn->state = CONN_STREAM;
	conn->deadline = DEADLINE_NONE;
	stream->conn = conn;
	stream->server = conn->server;
	return stream;
}

static void
note_full(struct stream *stream)
{
	if (stream_full(stream))
		stream->was_full = true;
}

void
stream_write(struct stream *stream, const void *bytes, size_t n)
{
	struct evbuffer *output = conn_output(stream->conn);

	if (!n)
		return;
	if (stream->chunked)
		evbuffer_add_printf(output, "%zx\r\n", n);
	evbuffer_add(output, bytes, n);
	if (stream->chunked)
		evbuffer_add(output, "\r\n", 2);
	note_full(stream);
}

void
stream_write_shared(struct stream *stream, struct shared *shared)
{
	struct evbuffer *output = conn_output(stream->conn);
	const char *start = stream->chunked ? shared->bytes : shared->bytes + shared->frame;
	size_t n = stream->chunked ? shared->frame + shared->n + 2 : shared->n;

	if (n <= COPY_MAX)
		evbuffer_add(output, start, n);
	else
		evbuffer_add_reference(output, start, n, release_shared, shared_ref(shared));
	note_full(stream);
}

size_t
stream_pending(const struct stream *stream)
{
	return evbuffer_get_length(conn_output(stream->conn));
}

bool
stream_full(const struct stream *stream)
{
	return stream_pending(stream) > stream->conn->server->settings.output_max;
}

void
stream_moved(struct stream *stream)
{
	if (!stream->was_full || stream_pending(stream) > stream->conn->server->settings.output_max / 2)
		return;
	stream->was_full = false;
	if (stream->events->drained)
		stream->events->drained(stream->payload);
}

void
stream_closed(struct stream *stream)
{
	void (*closed)(void *) = stream->events->closed;
	void *payload = stream->payload;

	stream->server->stats.streams--;
	free(stream);
	closed(payload);
}

void
stream_end(struct stream *stream)
{
	struct conn *conn = stream->conn;

	if (stream->chunked)
		evbuffer_add(conn_output(conn), "0\r\n\r\n", 5);
	conn->stream = NULL;
	conn->server->stats.streams--;
	free(stream);
	request_let_go(conn);
	conn_answered(conn, false);
}
