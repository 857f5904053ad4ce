/* log.c - append, read, subscribe from a cursor */
#include "compat.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "clock.h"
#include "hash.h"
#include "log/log.h"
#include "xalloc.h"

#define BUCKETS 1024

/* A subscriber is reading pages (REPLAY), waits for resume (PAUSED), or gets events as they are committed (LIVE). */
enum phase { REPLAY, PAUSED, LIVE };

struct subscription {
	struct log *log;
	struct buf stream;
	const char *prefix;
	bool thread; /* the stream is a thread */
	enum sharing shared;
	const struct subscription_events *events;
	void *payload;
	enum phase phase;
	int64_t cursor; /* the last event given */
	int last_n;	/* the first page is the newest last_n */
	bool reading;	/* a page is on its way */
	bool was_live;
	bool dead;     /* unsubscribed while it was used */
	unsigned busy; /* callbacks that are running */
	struct subscription *next, **prev;
};

struct log {
	struct store *store;
	struct event *wake, *send;
	struct log_stats stats;
	void (*took)(int64_t us, void *payload);
	void *took_payload;
	const struct store_others *others;
	void *others_payload;
	/* live fan-out: those of one stream by hash, those of everything apart */
	struct subscription *of_stream[BUCKETS], *of_all;
};

/* ---- the rows of this log are runs */

static void *
ops_fresh(struct span stream)
{
	return run_new(stream);
}

static void *
ops_load(struct span stream, struct span doc)
{
	return run_load(stream, doc);
}

static void
ops_fold(void *row, const struct entry *event)
{
	run_fold(row, event);
}

static void
ops_save(const void *row, struct buf *doc)
{
	run_save(row, doc);
}

static const char *
ops_status(const void *row)
{
	return run_status_text(((const struct run *)row)->status);
}

static int64_t
ops_updated(const void *row)
{
	return ((const struct run *)row)->updated_ms;
}

static bool
ops_open(const void *row)
{
	return ((const struct run *)row)->n_open > 0;
}

static void
ops_free(void *row)
{
	run_free(row);
}

static const struct derived_ops run_ops = {
	.fresh = ops_fresh,
	.load = ops_load,
	.fold = ops_fold,
	.save = ops_save,
	.status = ops_status,
	.updated = ops_updated,
	.open = ops_open,
	.free = ops_free,
};

const struct derived_ops *
log_rows_ops(void)
{
	return &run_ops;
}

/* ---- life cycle */

static void
on_wake(evutil_socket_t fd, short what, void *payload)
{
	struct log *log = payload;

	(void)fd;
	(void)what;
	store_dispatch(log->store);
}

/* It comes after all that the loop has found ready together. */
static void
on_asked(void *payload)
{
	struct log *log = payload;

	event_active(log->send, EV_TIMEOUT, 0);
}

static void
on_send(evutil_socket_t fd, short what, void *payload)
{
	struct log *log = payload;

	(void)fd;
	(void)what;
	store_send(log->store);
}

static void publish(struct log *log, struct entry *event);

static void
on_news(struct entry *event, void *payload)
{
	struct log *log = payload;

	publish(log, event);
	if (log->others)
		log->others->news(event, log->others_payload);
}

static void
on_told(struct span key, void *payload)
{
	struct log *log = payload;

	if (log->others)
		log->others->told(key, log->others_payload);
}

static void
on_taken(void *payload)
{
	struct log *log = payload;

	if (log->others)
		log->others->taken(log->others_payload);
}

static void
on_fenced(void *payload)
{
	struct log *log = payload;

	if (log->others)
		log->others->fenced(log->others_payload);
}

static const struct store_others log_news = { .news = on_news, .told = on_told, .taken = on_taken, .fenced = on_fenced };

void
log_others(struct log *log, const struct store_others *others, void *payload)
{
	log->others = others;
	log->others_payload = payload;
}

struct log *
log_open(struct event_base *base, const char *where, const char *state, struct err *err)
{
	struct log *log = xcalloc(1, sizeof *log);

	log->store = store_open(where, state, &run_ops, err);
	if (!log->store) {
		free(log);
		return NULL;
	}
	store_others(log->store, &log_news, log);
	log->wake = event_new(base, store_fd(log->store), EV_READ | EV_PERSIST, on_wake, log);
	event_add(log->wake, NULL);
	log->send = event_new(base, -1, 0, on_send, log);
	store_gather(log->store, on_asked, log);
	return log;
}

void
log_secrets(struct log *log, const struct secrets *secrets)
{
	store_secrets(log->store, secrets);
}

static void
drop_all(struct subscription **list)
{
	while (*list) {
		(*list)->reading = false; /* the store is closed: its page will not come */
		log_unsubscribe(*list);
	}
}

void
log_close(struct log *log)
{
	size_t i;

	if (!log)
		return;
	event_free(log->wake);
	event_free(log->send);
	store_close(log->store);
	for (i = 0; i < BUCKETS; i++)
		drop_all(&log->of_stream[i]);
	drop_all(&log->of_all);
	free(log);
}

void
log_rest(struct log *log, void (*done)(void))
{
	store_rest(log->store, done);
}

uint64_t
log_asked(const struct log *log)
{
	return store_asked(log->store);
}

int64_t
log_last_seq(const struct log *log)
{
	return store_last_seq(log->store);
}

int64_t
log_gateway(const struct log *log)
{
	return store_gateway(log->store);
}

size_t
log_queued(const struct log *log)
{
	return store_queued(log->store);
}

static void
count_subscribers(const struct subscription *list, struct log_stats *stats)
{
	for (; list; list = list->next) {
		stats->subscribers++;
		stats->replaying += list->phase != LIVE;
	}
}

struct log_stats
log_stats(const struct log *log)
{
	struct log_stats stats = log->stats;
	size_t i;

	for (i = 0; i < BUCKETS; i++)
		count_subscribers(log->of_stream[i], &stats);
	count_subscribers(log->of_all, &stats);
	return stats;
}

void
log_watch(struct log *log, void (*took)(int64_t us, void *payload), void *payload)
{
	log->took = took;
	log->took_payload = payload;
}

/* ---- subscriptions */

static size_t
bucket(struct span stream)
{
	return (size_t)(hash(stream.s, stream.n) % BUCKETS);
}

static struct subscription **
list_of(struct log *log, struct span stream)
{
	return stream.n ? &log->of_stream[bucket(stream)] : &log->of_all;
}

static void
release(struct subscription *subscription)
{
	if (!subscription->dead || subscription->busy || subscription->reading)
		return;
	buf_release(&subscription->stream);
	free(subscription);
}

void
log_unsubscribe(struct subscription *subscription)
{
	if (!subscription || subscription->dead)
		return;
	subscription->dead = true;
	*subscription->prev = subscription->next;
	if (subscription->next)
		subscription->next->prev = subscription->prev;
	release(subscription);
}

/* As the statements of the store say (enum sharing). */
static bool
wants_of_thread(const struct subscription *subscription, const struct entry *event)
{
	bool delta = event->kind.n == strlen(DELTA_KIND) && !memcmp(event->kind.s, DELTA_KIND, event->kind.n);

	if (subscription->shared == SHARED_NEWS && delta)
		return false;
	if (subscription->thread)
		return subscription->shared || !event->shared || event->kind.n < 6 || memcmp(event->kind.s, "agent.", 6);
	return event->shared && subscription->shared;
}

static bool
is_of(const struct subscription *subscription, const struct entry *event)
{
	return event->stream.n == subscription->stream.len && !memcmp(event->stream.s, subscription->stream.s, event->stream.n);
}

static bool
wants(const struct subscription *subscription, const struct entry *event)
{
	size_t n;

	if (event->thread ? !wants_of_thread(subscription, event) : subscription->thread)
		return false;
	if (subscription->stream.len && !is_of(subscription, event))
		return false;
	if (!subscription->prefix || event->thread)
		return true;
	n = strlen(subscription->prefix);
	return event->kind.n >= n && !memcmp(event->kind.s, subscription->prefix, n);
}

/* Gives one event; false when the subscriber has enough for now or for ever. */
static bool
give(struct subscription *subscription, struct entry *event)
{
	bool more;

	subscription->cursor = event->seq;
	subscription->busy++;
	more = subscription->events->event(event, subscription->payload);
	subscription->busy--;
	if (!more && !subscription->dead)
		subscription->phase = PAUSED;
	return more && !subscription->dead;
}

static void on_page(struct page *page);

static void
read_on(struct subscription *subscription)
{
	struct page *page = page_new(on_page, subscription);

	subscription->phase = REPLAY;
	subscription->reading = true;
	buf_add(&page->stream, subscription->stream.s, subscription->stream.len);
	page->thread = subscription->thread;
	page->shared = subscription->shared;
	page->prefix = subscription->prefix;
	page->after = subscription->cursor;
	if (subscription->last_n) {
		page->last = true;
		page->limit = subscription->last_n;
		subscription->last_n = 0;
	}
	store_page(subscription->log->store, page);
}

/* A page that says "no more" was read at the live edge: every change committed since then is published after this. */
static void
on_page(struct page *page)
{
	struct subscription *subscription = page->payload;
	bool at_edge = page->last || !page->more, go_on = true;
	size_t i;

	subscription->reading = false;
	subscription->busy++;
	if (!subscription->dead && page->err.status) {
		subscription->phase = PAUSED;
		if (subscription->events->failed)
			subscription->events->failed(&page->err, subscription->payload);
		go_on = false;
	}
	for (i = 0; go_on && !subscription->dead && i < page->n_events; i++)
		go_on = give(subscription, page->events[i]);
	if (go_on && !subscription->dead) {
		if (!at_edge)
			read_on(subscription);
		else {
			subscription->phase = LIVE;
			if (!subscription->was_live && subscription->events->live)
				subscription->events->live(subscription->payload);
			subscription->was_live = true;
		}
	}
	subscription->busy--;
	page_free(page);
	release(subscription);
}

static struct subscription *
subscribe(struct log *log, struct span stream, bool thread, enum sharing shared, const char *prefix, int64_t after, int last_n,
    const struct subscription_events *events, void *payload)
{
	struct subscription *subscription = xcalloc(1, sizeof *subscription), **list = list_of(log, stream);

	subscription->log = log;
	buf_init(&subscription->stream);
	buf_add(&subscription->stream, stream.s, stream.n);
	subscription->thread = thread;
	subscription->shared = shared;
	subscription->prefix = prefix;
	subscription->cursor = after;
	subscription->last_n = last_n;
	subscription->events = events;
	subscription->payload = payload;
	subscription->next = *list;
	subscription->prev = list;
	if (*list)
		(*list)->prev = &subscription->next;
	*list = subscription;
	read_on(subscription);
	return subscription;
}

struct subscription *
log_subscribe(struct log *log, struct span stream, const char *prefix, int64_t after, int last_n, const struct subscription_events *events,
    void *payload)
{
	return subscribe(log, stream, false, SHARED_NONE, prefix, after, last_n, events, payload);
}

struct subscription *
log_subscribe_thread(struct log *log, struct span thread, int64_t after, const struct subscription_events *events, void *payload)
{
	return subscribe(log, thread, true, SHARED_NONE, NULL, after, 0, events, payload);
}

struct subscription *
log_subscribe_conversation(struct log *log, struct span id, bool thread, enum sharing shared, const char *prefix, int64_t after, int last_n,
    const struct subscription_events *events, void *payload)
{
	return subscribe(log, id, thread, shared, prefix, after, last_n, events, payload);
}

void
log_resume(struct subscription *subscription)
{
	if (!subscription->dead && subscription->phase == PAUSED && !subscription->reading)
		read_on(subscription);
}

static void
publish_to(struct subscription *list, struct entry *event)
{
	struct subscription *subscription, *next;

	for (subscription = list; subscription; subscription = next) {
		/* a thread that is followed as a run has become one: from here on what the run says counts */
		if (subscription->thread && subscription->shared && !event->thread && is_of(subscription, event)) {
			subscription->thread = false;
			subscription->prefix = "agent.";
		}
		subscription->busy++; /* it may unsubscribe itself, but must not vanish before its neighbour is known */
		if (!subscription->dead && subscription->phase == LIVE && subscription->cursor < event->seq && wants(subscription, event))
			give(subscription, event);
		next = subscription->next;
		subscription->busy--;
		release(subscription);
	}
}

static void
publish(struct log *log, struct entry *event)
{
	if (event->stream.n)
		publish_to(log->of_stream[bucket(event->stream)], event);
	publish_to(log->of_all, event);
}

/* ---- changes and reads */

/* The caller's done() comes after the fan-out. */
static void
on_change(struct change *change)
{
	struct log *log = change->relay;
	size_t i;

	log->stats.changes[change->result]++;
	if (change->result == CHANGE_DONE) {
		log->stats.events += change->n_events;
		for (i = 0; i < change->n_events; i++)
			publish(log, change->events[i]);
	}
	if (log->took)
		log->took(clock_monotonic_us() - change->asked_us, log->took_payload);
	change->relayed(change);
}

void
log_change(struct log *log, struct change *change)
{
	change->asked_us = clock_monotonic_us();
	change->relay = log;
	change->relayed = change->done;
	change->done = on_change;
	store_change(log->store, change);
}

void
log_page(struct log *log, struct page *page)
{
	store_page(log->store, page);
}

void
log_rows(struct log *log, struct rows *rows)
{
	store_rows(log->store, rows);
}

void
log_docs(struct log *log, struct docs *docs)
{
	store_docs(log->store, docs);
}

void
log_settle(struct log *log)
{
	while (store_queued(log->store)) {
		struct pollfd fd = { .fd = store_fd(log->store), .events = POLLIN };

		store_send(log->store);
		(void)poll(&fd, 1, -1); /* the store always answers */
		store_dispatch(log->store);
	}
}
