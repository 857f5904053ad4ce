/* stream.c - events as they happen: server-sent events (contract sections 6.6 and 6.9)
 *
 * More than the contract: the head goes out at once, each event has its seq as id, a client that comes back with Last-Event-ID or ?after=
 * gets everything after it, and ": live" tells when the replay is over.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "clarity/internal.h"
#include "clock.h"
#include "err.h"
#include "http/server.h"
#include "log/log.h"
#include "xalloc.h"

#define GLOBAL_REPLAY 100 /* contract section 6.9 */

struct sse_client {
	struct clarity *clarity;
	struct stream *stream;
	struct subscription *subscription;
	struct principal *who; /* the stream ends with the token that opened it */
	int64_t next_ping;
	struct sse_client *next, **prev;
};

static void
client_free(struct sse_client *client)
{
	log_unsubscribe(client->subscription);
	*client->prev = client->next;
	if (client->next)
		client->next->prev = client->prev;
	principal_unref(client->who);
	free(client);
}

static void
free_frame(void *frame)
{
	shared_unref(frame);
}

static void
make_frame(const struct entry *event, struct buf *frame)
{
	buf_addstr(frame, "id: ");
	buf_addu64(frame, (uint64_t)event->seq);
	buf_addstr(frame, "\ndata: ");
	shape_event(event, frame);
	buf_addstr(frame, "\n\n");
}

/* One frame for all who watch. */
static struct shared *
frame_of(struct entry *event)
{
	struct buf frame = BUF_INIT;

	if (!event->frame) {
		make_frame(event, &frame);
		event->frame = shared_new(frame.s, frame.len);
		event->frame_free = free_frame;
		buf_release(&frame);
	}
	return event->frame;
}

static bool
on_event(struct entry *event, void *payload)
{
	struct sse_client *client = payload;
	struct buf frame = BUF_INIT;

	if (event->thread) {
		/* the one frame is for those who read it as a thread's */
		make_frame(event, &frame);
		stream_write(client->stream, frame.s, frame.len);
		buf_release(&frame);
	} else
		stream_write_shared(client->stream, frame_of(event));
	return !stream_full(client->stream);
}

static void
on_live(void *payload)
{
	struct sse_client *client = payload;

	stream_write(client->stream, ": live\n\n", 8);
}

static void
on_failed(const struct err *err, void *payload)
{
	struct sse_client *client = payload;
	struct stream *stream = client->stream;

	(void)err;
	/* the client comes back and finds its place */
	client_free(client);
	stream_end(stream);
}

static void
on_closed(void *payload)
{
	client_free(payload);
}

static void
on_drained(void *payload)
{
	struct sse_client *client = payload;

	log_resume(client->subscription);
}

static const struct subscription_events log_events = { .event = on_event, .live = on_live, .failed = on_failed };
static const struct stream_events stream_events = { .closed = on_closed, .drained = on_drained };

/* What a stream is of. */
struct wanted {
	struct clarity *clarity;
	struct request *request;
	struct buf run;
	const char *prefix;
	struct conversation what;
	int64_t after; /* the cursor, -1: the newest `replay` events first */
	int replay;
};

static void
begin_stream(const struct wanted *wanted)
{
	struct clarity *clarity = wanted->clarity;
	struct sse_client *client = xcalloc(1, sizeof *client);
	bool resumed = wanted->after >= 0;

	client->clarity = clarity;
	if (auth_caller(wanted->request))
		client->who = principal_ref((struct principal *)(uintptr_t)auth_caller(wanted->request));
	client->stream = request_stream(wanted->request, "text/event-stream; charset=utf-8", NULL, &stream_events, client);
	if (!client->stream) {
		principal_unref(client->who);
		free(client);
		return;
	}
	client->next_ping = clock_monotonic_ms() + clarity->settings.ping_ms;
	client->next = clarity->clients;
	client->prev = &clarity->clients;
	if (client->next)
		client->next->prev = &client->next;
	clarity->clients = client;
	stream_write(client->stream, "retry: 1000\n\n", 13);
	client->subscription = log_subscribe_conversation(clarity->settings.log, span_of(&wanted->run), wanted->what.thread,
	    wanted->what.shared, wanted->what.thread ? NULL : wanted->prefix, resumed ? wanted->after : 0, resumed ? 0 : wanted->replay,
	    &log_events, client);
}

static void
refuse_cursor(const struct wanted *wanted, int64_t last)
{
	request_reply_error(
	    wanted->request, 410, NULL, "cursor %lld is ahead of the log (last %lld)", (long long)wanted->after, (long long)last);
}

static void
on_looked(struct page *page)
{
	struct wanted *wanted = page->payload;

	if (page->last_seq < wanted->after)
		refuse_cursor(wanted, page->last_seq);
	else
		begin_stream(wanted);
	buf_release(&wanted->run);
	free(wanted);
	page_free(page);
}

/* A cursor that is ahead of what is known here: another gateway of the same store may have given it. */
static void
look_first(const struct wanted *wanted)
{
	struct wanted *copy = xcalloc(1, sizeof *copy);
	struct page *page = page_new(on_looked, copy);

	*copy = *wanted;
	page->after = wanted->after;
	page->limit = 1;
	log_page(wanted->clarity->settings.log, page);
}

static void
open_stream(
    struct clarity *clarity, struct request *request, struct span run, const char *prefix, int replay, const struct conversation *what)
{
	struct wanted wanted = {
		.clarity = clarity, .request = request, .run = BUF_INIT, .prefix = prefix, .what = *what, .replay = replay
	};
	int64_t last = log_last_seq(clarity->settings.log);
	bool resumed = shape_after(request, true, &wanted.after);

	buf_add(&wanted.run, run.s, run.n);
	if (resumed && wanted.after < 0)
		request_reply_error(request, 400, NULL, "expected after or last-event-id to be a cursor (a whole number from 0)");
	else if (resumed && wanted.after > last && log_gateway(clarity->settings.log)) {
		look_first(&wanted);
		return;
	} else if (resumed && wanted.after > last)
		refuse_cursor(&wanted, last);
	else {
		wanted.after = resumed ? wanted.after : -1;
		begin_stream(&wanted);
	}
	buf_release(&wanted.run);
}

static void
stream_conversation(struct clarity *clarity, struct request *request, const struct buf *run, const struct conversation *what)
{
	open_stream(clarity, request, span_of(run), "agent.", shape_limit(request, 200), what);
}

void
stream_run(struct clarity *clarity, struct request *request, const struct buf *run)
{
	if (!run->s[strspn(run->s, " \t\r\n")])
		request_reply_error(request, 400, NULL, "runId is required");
	else
		conversation_find(clarity, request, run, stream_conversation);
}

void
stream_all(struct clarity *clarity, struct request *request, const struct buf *run)
{
	static const struct conversation all_runs;

	(void)run;
	open_stream(clarity, request, SPAN_NONE, NULL, GLOBAL_REPLAY, &all_runs);
}

void
streams_tick(struct clarity *clarity)
{
	int64_t now = clock_monotonic_ms();
	struct sse_client *client, *next;

	for (client = clarity->clients; client; client = next) {
		struct stream *stream = client->stream;

		next = client->next;
		if (client->who && !auth_holds(clarity->settings.auth, client->who)) {
			client_free(client);
			stream_end(stream);
		} else if (client->next_ping <= now) {
			client->next_ping += clarity->settings.ping_ms;
			if (!stream_full(stream))
				stream_write(stream, ": ping\n\n", 8);
		}
	}
}

void
streams_close(struct clarity *clarity)
{
	while (clarity->clients) {
		struct stream *stream = clarity->clients->stream;

		client_free(clarity->clients);
		stream_end(stream);
	}
}
