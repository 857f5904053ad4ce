/* hearers.c - who hears of new questions, and the look at the directory for them (Clarity contract section 13.2) */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "auth/auth.h"
#include "clock.h"
#include "dirwatch.h"
#include "hitl/internal.h"
#include "hitl_news.h"
#include "http/server.h"
#include "jtext.h"
#include "xalloc.h"

#define TICK_MS 250

struct client {
	struct hearers *hearers;
	struct stream *stream;
	struct principal *who;
	uint64_t from; /* the scan that it waits for */
	bool live;
	int64_t next_ping;
	struct client *next, **prev;
};

struct hearers {
	struct event_base *base;
	struct auth *auth;
	struct clerk *clerk;
	int64_t ping_ms;
	struct client *clients;
	struct dirwatch watch;
	struct event *changed, *tick;
	struct hitl_list known;
	uint64_t scans; /* begun */
	bool scanning, again, stopped;
	int64_t next_look;
};

static void watch_start(struct hearers *hearers);
static void watch_stop(struct hearers *hearers);

static void
client_free(struct client *client)
{
	struct hearers *hearers = client->hearers;

	*client->prev = client->next;
	if (client->next)
		client->next->prev = client->prev;
	principal_unref(client->who);
	free(client);
	if (!hearers->clients)
		watch_stop(hearers);
}

static void
on_closed(void *payload)
{
	client_free(payload);
}

static const struct stream_events stream_events = { .closed = on_closed };

static void
frame_of(struct buf *to, const char *type, const struct hitl_question *question)
{
	buf_addstr(to, "data: {");
	jtext_add_text(to, "type", type);
	jtext_add_buf(to, "key", &question->key);
	if (!strcmp(type, "new_question"))
		jtext_add_i64(to, "timestamp", question->timestamp);
	buf_addstr(to, "}\n\n");
}

static void
publish(struct hearers *hearers, const char *type, const struct hitl_question *question)
{
	struct buf frame = BUF_INIT;
	struct client *client, *next;

	frame_of(&frame, type, question);
	for (client = hearers->clients; client; client = next) {
		struct stream *stream = client->stream;

		next = client->next;
		if (!client->live)
			continue;
		if (!stream_full(stream)) {
			stream_write(stream, frame.s, frame.len);
			continue;
		}
		/* too slow: it comes back and gets the list of what waits then */
		client_free(client);
		stream_end(stream);
	}
	buf_release(&frame);
}

static void
on_news(enum hitl_news what, struct hitl_question *question, void *payload)
{
	static const char *const types[] = {
		[HITL_NEWS_ASKED] = "new_question", [HITL_NEWS_ANSWERED] = "answered", [HITL_NEWS_GONE] = "removed"
	};

	publish(payload, types[what], question);
}

/* An answer may be taken away before the next scan sees it. */
void
hearers_answered(struct hearers *hearers, const char *stem)
{
	struct hitl_question *question = hitl_news_find(&hearers->known, stem);

	if (!question || question->answered)
		return;
	question->answered = true;
	question->told = hearers->scanning;
	publish(hearers, "answered", question);
}

/* The list of what waits, for those who came before it was made. */
static void
welcome(struct hearers *hearers, uint64_t scan)
{
	struct hitl_list list = { NULL, 0, false };
	struct buf frames = BUF_INIT;
	struct client *client;
	bool wanted = false;
	size_t i;

	for (client = hearers->clients; client; client = client->next)
		wanted = wanted || (!client->live && client->from <= scan);
	if (!wanted)
		return;
	list = hearers->known; /* borrowed; only its order changes for a while */
	hitl_news_by_time(&list);
	for (i = 0; i < list.n; i++)
		if (!list.questions[i].answered)
			frame_of(&frames, "new_question", &list.questions[i]);
	hitl_news_by_stem(&list);
	buf_addstr(&frames, ": live\n\n");
	for (client = hearers->clients; client; client = client->next)
		if (!client->live && client->from <= scan) {
			client->live = true;
			stream_write(client->stream, frames.s, frames.len);
		}
	buf_release(&frames);
}

void
hearers_scan(struct hearers *hearers)
{
	struct errand *errand;

	if (!hearers->clients || hearers->stopped)
		return;
	if (hearers->scanning) {
		hearers->again = true;
		return;
	}
	errand = errand_new(ERRAND_SCAN, NULL);
	hearers->next_look = clock_monotonic_ms() + dirwatch_interval(&hearers->watch);
	if (!clerk_add(hearers->clerk, errand)) {
		errand_free(errand); /* the next look comes */
		return;
	}
	hearers->scanning = true;
	hearers->again = false;
	hearers->scans++;
}

void
hearers_scanned(struct hearers *hearers, struct errand *errand)
{
	size_t i;

	hearers->scanning = false;
	if (errand->http == 200) {
		hitl_news(&hearers->known, &errand->list, on_news, hearers);
		welcome(hearers, hearers->scans);
	} else
		for (i = 0; i < hearers->known.n; i++)
			hearers->known.questions[i].told = false; /* the next look begins later */
	if (hearers->again)
		hearers_scan(hearers);
}

/* ---- the directory */

static void
on_name(const char *name, void *payload)
{
	struct buf stem = BUF_INIT;
	size_t n = strlen(name);

	if (n <= 7 || strcmp(name + n - 7, ".answer"))
		return;
	buf_add(&stem, name, n - 7);
	hearers_answered(payload, stem.s);
	buf_release(&stem);
}

static void
on_changed(evutil_socket_t fd, short what, void *payload)
{
	struct hearers *hearers = payload;

	(void)fd;
	(void)what;
	dirwatch_names(&hearers->watch, on_name, hearers);
	hearers_scan(hearers);
}

static void
on_tick(evutil_socket_t fd, short what, void *payload)
{
	struct hearers *hearers = payload;
	int64_t now = clock_monotonic_ms();
	struct client *client, *next;

	(void)fd;
	(void)what;
	for (client = hearers->clients; client; client = next) {
		struct stream *stream = client->stream;

		next = client->next;
		if (client->who && !auth_holds(hearers->auth, client->who)) {
			client_free(client);
			stream_end(stream);
		} else if (client->next_ping <= now) {
			client->next_ping += hearers->ping_ms;
			if (!stream_full(stream))
				stream_write(stream, ": ping\n\n", 8);
		}
	}
	if (hearers->next_look <= now)
		hearers_scan(hearers);
}

static void
watch_start(struct hearers *hearers)
{
	struct timeval tick = { 0, TICK_MS * 1000 };

	dirwatch_open(&hearers->watch, clerk_path(hearers->clerk));
	if (hearers->watch.fd >= 0) {
		hearers->changed = event_new(hearers->base, hearers->watch.fd, EV_READ | EV_PERSIST, on_changed, hearers);
		event_add(hearers->changed, NULL);
	}
	event_add(hearers->tick, &tick);
}

static void
watch_stop(struct hearers *hearers)
{
	event_del(hearers->tick);
	if (hearers->changed)
		event_free(hearers->changed);
	hearers->changed = NULL;
	dirwatch_close(&hearers->watch);
	if (!hearers->clients)
		hitl_list_release(&hearers->known);
}

/* ---- from outside */

void
hearers_moved(struct hearers *hearers)
{
	if (!hearers->clients)
		return;
	watch_stop(hearers);
	watch_start(hearers);
	hearers_scan(hearers); /* what came before somebody watched */
}

void
hearers_add(struct hearers *hearers, struct request *request)
{
	struct client *client = xcalloc(1, sizeof *client);
	struct principal *who = auth_caller(request) ? principal_ref((struct principal *)(uintptr_t)auth_caller(request)) : NULL;

	client->hearers = hearers;
	client->who = who;
	client->stream = request_stream(request, "text/event-stream; charset=utf-8", NULL, &stream_events, client);
	if (!client->stream) {
		principal_unref(who);
		free(client);
		return;
	}
	client->next_ping = clock_monotonic_ms() + hearers->ping_ms;
	client->next = hearers->clients;
	client->prev = &hearers->clients;
	if (client->next)
		client->next->prev = &client->next;
	hearers->clients = client;
	if (!client->next)
		watch_start(hearers);
	stream_write(client->stream, "retry: 1000\n\n", 13);
	/* a scan that is on its way may have passed by already */
	client->from = hearers->scans + 1;
	hearers_scan(hearers);
}

struct hearers *
hearers_new(struct event_base *base, struct auth *auth, struct clerk *clerk, int64_t ping_ms)
{
	struct hearers *hearers = xcalloc(1, sizeof *hearers);

	hearers->base = base;
	hearers->auth = auth;
	hearers->clerk = clerk;
	hearers->ping_ms = ping_ms;
	hearers->watch.fd = -1;
	hearers->tick = event_new(base, -1, EV_PERSIST, on_tick, hearers);
	return hearers;
}

void
hearers_stop(struct hearers *hearers)
{
	struct stream *stream;

	hearers->stopped = true;
	while (hearers->clients) {
		stream = hearers->clients->stream;
		client_free(hearers->clients);
		stream_end(stream);
	}
}

void
hearers_free(struct hearers *hearers)
{
	hearers_stop(hearers);
	event_free(hearers->tick);
	hitl_list_release(&hearers->known);
	free(hearers);
}
