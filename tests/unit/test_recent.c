/* test_recent.c - what was said lately, at and past each limit */
#include "compat.h"

#include <stdio.h>
#include <stdlib.h>

#include "chat/history.h"
#include "chat/recent.h"
#include "store/store.h"
#include "tap.h"
#include "xalloc.h"

static struct span
span(const char *s)
{
	return (struct span){ s, strlen(s) };
}

/* An event as the store makes them: one piece of memory, freed with its last reference. Its message has n bytes. */
static struct entry *
event_of(const char *run, int64_t seq, size_t n)
{
	size_t data_n = n + 14;
	struct entry *event = xcalloc(1, sizeof *event + data_n + strlen(run) + 1);
	char *texts = (char *)(event + 1);

	memset(texts, 'x', data_n);
	memcpy(texts, "{\"message\":\"", 12);
	memcpy(texts + 12 + n, "\"}", 2);
	memcpy(texts + data_n, run, strlen(run));
	event->seq = seq;
	event->refs = 1;
	event->stream = (struct span){ texts + data_n, strlen(run) };
	event->data = (struct span){ texts, data_n };
	event->message = SPAN_NONE;
	event->kind = span("agent.chat.user_message");
	return event;
}

static void
add(struct recent *recent, const char *run, int64_t seq, size_t data_n)
{
	struct entry *event = event_of(run, seq, data_n);

	recent_add(recent, event);
	entry_unref(event);
}

int
main(void)
{
	struct recent *recent = recent_new();
	struct said message = { .turn = INT64_MAX, .seq = INT64_MAX, .role = "user" };
	struct entry *page[3] = { event_of("a", 1, 1), event_of("a", 2, 1), event_of("a", 5, 1) };
	const struct said *events;
	char name[32];
	size_t n, i;
	bool all;

	add(recent, "a", 1, 1);
	ok(!recent_of(recent, span("a"), 1, &n, &all), "a run that was never read is not in");
	recent_take(recent, span("a"), page, 3, true);
	events = recent_of(recent, span("a"), 5, &n, &all);
	ok(events && n == 3 && all && events[0].seq == 1 && events[2].seq == 5, "what was read is there");
	ok(!recent_of(recent, span("a"), 6, &n, &all), "not when an event is still to come");
	add(recent, "a", 5, 1);
	add(recent, "b", 6, 1);
	add(recent, "a", 7, 1);
	events = recent_of(recent, span("a"), 7, &n, &all);
	ok(events && n == 4 && events[3].seq == 7, "each event once, and only its own run's");
	for (i = 0; i < RECENT_EVENTS_MAX - 4; i++)
		add(recent, "a", 10 + (int64_t)i, 1);
	events = recent_of(recent, span("a"), 10, &n, &all);
	ok(events && n == RECENT_EVENTS_MAX && all && events[0].seq == 1, "as many events as a run may have");
	add(recent, "a", 1000, 1);
	events = recent_of(recent, span("a"), 1000, &n, &all);
	ok(events && n == RECENT_EVENTS_MAX && !all && events[0].seq == 2, "one more: the oldest goes, and it is no longer all");
	recent_take(recent, span("a"), page, 3, false);
	events = recent_of(recent, span("a"), 5, &n, &all);
	ok(events && n == 3 && !all, "a newer reading takes the place of what was there");

	events = recent_before(recent, span("a"), &message, &n, &all);
	ok(n == 4 && !all && events[2].seq == 5 && events[3].seq == INT64_MAX, "a message to come stands behind what was said");
	events = recent_of(recent, span("a"), 5, &n, &all);
	ok(events && n == 3, "and is not among it");
	events = recent_before(recent, span("nobody"), &message, &n, &all);
	ok(n == 1 && all && events[0].seq == INT64_MAX, "alone when nothing was");
	for (i = 1; i < RECENT_RUNS_MAX; i++) {
		snprintf(name, sizeof name, "run%zu", i);
		recent_take(recent, span(name), page, 1, true);
	}
	ok(recent_of(recent, span("a"), 5, &n, &all), "as many runs as there may be");
	recent_take(recent, span("more"), page, 1, true);
	ok(recent_of(recent, span("a"), 5, &n, &all) && !recent_of(recent, span("run1"), 1, &n, &all),
	    "one more: the least recently used goes");
	for (i = 2; i < 20; i++) {
		snprintf(name, sizeof name, "run%zu", i);
		add(recent, name, 2000 + (int64_t)i, 4u * 1024 * 1024);
	}
	ok(recent_of(recent, span("run19"), 2019, &n, &all) && !recent_of(recent, span("run2"), 1, &n, &all),
	    "past the bytes the least recently used go");
	add(recent, "run19", 3000, RECENT_BYTES_MAX);
	ok(!recent_of(recent, span("run19"), 1, &n, &all), "a run that is too big alone goes too");
	recent_free(recent);
	recent_free(NULL);
	for (i = 0; i < 3; i++)
		entry_unref(page[i]);
	return done();
}
