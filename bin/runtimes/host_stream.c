/* host_stream.c - notices of the account as server-sent events (contract section 11.3)
 *
 * More than the contract: the head goes out at once, each event has its cursor as id, a reader that comes back with Last-Event-ID goes on
 * where it was, and a comment now and then shows that somebody is there. A reader that does not read is cut off, and may come back.
 */
#include "compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "clock.h"
#include "host_internal.h"
#include "http/server.h"
#include "jsnum.h"
#include "xalloc.h"

static void
reader_free(struct reader *reader)
{
	*reader->prev = reader->next;
	if (reader->next)
		reader->next->prev = reader->prev;
	reader->host->n_readers--;
	free(reader);
}

static void
reader_end(struct reader *reader)
{
	struct stream *stream = reader->stream;

	reader_free(reader);
	stream_end(stream);
}

static void
on_closed(void *payload)
{
	reader_free(payload);
}

static const struct stream_events events = { .closed = on_closed };

/* As JavaScript reads it: what is no whole number is 0. */
static int64_t
cursor_of(struct request *request)
{
	const char *last = request_header(request, "last-event-id");
	struct buf text = BUF_INIT;
	double n = 0;

	if (request_query(request, "cursor", &text))
		n = js_number(text.s, text.len);
	if (last)
		n = js_number(last, strlen(last));
	buf_release(&text);
	if (!isfinite(n) || n < 0 || n > 9007199254740991.0 || floor(n) < n)
		return 0;
	return (int64_t)n;
}

void
stream_open(struct host *host, struct request *request)
{
	int64_t after = cursor_of(request), i = host->cursor > HOST_RING_MAX ? host->cursor - HOST_RING_MAX : 0;
	struct reader *reader;
	struct stream *stream;

	if (host->n_readers == HOST_STREAMS_MAX) {
		host_refuse(request, 503, "RUNTIME_BUSY", "Too many streams are open", NULL);
		return;
	}
	reader = xcalloc(1, sizeof *reader);
	stream = request_stream(request, "text/event-stream", NULL, &events, reader);
	if (!stream) {
		free(reader);
		return;
	}
	reader->host = host;
	reader->stream = stream;
	reader->next = host->readers;
	reader->prev = &host->readers;
	if (reader->next)
		reader->next->prev = &reader->next;
	host->readers = reader;
	host->n_readers++;
	stream_write(stream, ": live\n\n", 8);
	for (; i < host->cursor; i++)
		if (host->ring[i % HOST_RING_MAX].cursor > after)
			stream_write_shared(stream, host->ring[i % HOST_RING_MAX].frame);
}

static void
keep(struct buf *to, struct span value)
{
	buf_reset(to);
	jtext_compact(to, value);
}

static void
remember(struct host *host, const char *method, struct span params)
{
	struct span value;

	if (params.n > HOST_NOTICE_MAX)
		return;
	if (!strcmp(method, "account/updated") && jtext_get(params, "authMode", &value))
		keep(&host->mode, value);
	if (!strcmp(method, "account/rateLimits/updated") && jtext_get(params, "rateLimits", &value))
		keep(&host->limits, value);
}

void
stream_notice(const char *method, struct span params, void *payload)
{
	struct host *host = payload;
	struct notice *notice = &host->ring[host->cursor % HOST_RING_MAX];
	struct reader *reader, *next;
	struct buf data = BUF_INIT, frame = BUF_INIT;

	remember(host, method, params);
	notice->cursor = ++host->cursor;
	buf_addch(&data, '{');
	jtext_add_i64(&data, "cursor", notice->cursor);
	jtext_add_text(&data, "method", method);
	buf_addstr(&data, ",\"params\":");
	if (params.s && params.n <= HOST_NOTICE_MAX)
		jtext_compact(&data, params);
	else
		buf_addstr(&data, "null");
	jtext_add_time(&data, "createdAt", clock_wall_ms());
	buf_addch(&data, '}');
	buf_addf(&frame, "id: %lld\nevent: runtime\ndata: ", (long long)notice->cursor);
	buf_add(&frame, data.s, data.len);
	buf_addstr(&frame, "\n\n");
	shared_unref(notice->frame);
	notice->frame = shared_new(frame.s, frame.len);
	for (reader = host->readers; reader; reader = next) {
		next = reader->next;
		if (stream_full(reader->stream))
			reader_end(reader);
		else
			stream_write_shared(reader->stream, notice->frame);
	}
	buf_release(&data);
	buf_release(&frame);
}

void
stream_ping(struct host *host)
{
	struct reader *reader, *next;

	for (reader = host->readers; reader; reader = next) {
		next = reader->next;
		if (stream_full(reader->stream))
			reader_end(reader);
		else
			stream_write(reader->stream, ": ping\n\n", 8);
	}
}

void
stream_close(struct host *host)
{
	while (host->readers)
		reader_end(host->readers);
}
