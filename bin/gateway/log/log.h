/* log.h - the door of log/: append, read, subscribe from a cursor; and what a run is
 *
 * Sits on the store and on the loop. Fan-out follows the commit, in seq order. A subscriber gets every event after its cursor exactly once,
 * in order: pages are read until one is short, which is the live edge, and from then on events come as they are committed. One that cannot
 * take more goes back to reading pages when it is resumed: memory stays bounded, nothing is lost.
 */
#ifndef LOG_H
#define LOG_H

#include "log/run.h"
#include "store/store.h"

struct event_base;
struct log;
struct subscription;

/* where and state as store_open(). */
struct log *log_open(struct event_base *base, const char *where, const char *state, struct err *err);
/* As store_others(); what they wrote is published before news() is called. */
void log_others(struct log *log, const struct store_others *others, void *payload);
void log_secrets(struct log *log, const struct secrets *secrets); /* as store_secrets() */
void log_close(struct log *log);				  /* commits what is queued; accepts NULL */

void log_change(struct log *log, struct change *change); /* as store_change(); publishes the events, then runs done() */
void log_page(struct log *log, struct page *page);
void log_rows(struct log *log, struct rows *rows);  /* rows are struct run */
void log_docs(struct log *log, struct docs *docs);  /* as store_docs() */
const struct derived_ops *log_rows_ops(void);	    /* for rows_free() */
void log_rest(struct log *log, void (*done)(void)); /* as store_rest() */
uint64_t log_asked(const struct log *log);	    /* as store_asked() */
int64_t log_last_seq(const struct log *log);
int64_t log_gateway(const struct log *log); /* this one's number among those that share the store, 0: alone */
size_t log_queued(const struct log *log);

/* What it has done since it was opened, and who listens. */
struct log_stats {
	uint64_t changes[CHANGE_FAILED + 1]; /* by enum change_result */
	uint64_t events;		     /* committed */
	unsigned subscribers, replaying;     /* replaying: not at the live edge */
};
struct log_stats log_stats(const struct log *log);
/* Told how long each change took from being asked for to being published; NULL: nobody. */
void log_watch(struct log *log, void (*took)(int64_t us, void *payload), void *payload);
void log_settle(struct log *log); /* waits until everything that was asked for is done: for the beginning, before the loop runs */

struct subscription_events {
	/* One event. Return false to be paused after it: nothing more comes until log_resume(). */
	bool (*event)(struct entry *event, void *payload);
	/* The replay has reached the live edge (once). May be NULL. */
	void (*live)(void *payload);
	/* Reading failed; the subscription is over (call log_unsubscribe()). May be NULL. */
	void (*failed)(const struct err *err, void *payload);
};

/* stream empty: every run; prefix as in struct page. after: the cursor (0: from the beginning), or, with last_n > 0, the newest last_n
 * events first. A callback may unsubscribe itself. None comes from inside this call. */
struct subscription *log_subscribe(struct log *log, struct span stream, const char *prefix, int64_t after, int last_n,
    const struct subscription_events *events, void *payload);
/* The same for a thread, whose events nobody else sees. */
struct subscription *log_subscribe_thread(
    struct log *log, struct span thread, int64_t after, const struct subscription_events *events, void *payload);
/* One run with what is shared, or (thread) a thread as a run: enum sharing. */
struct subscription *log_subscribe_conversation(struct log *log, struct span id, bool thread, enum sharing shared, const char *prefix,
    int64_t after, int last_n, const struct subscription_events *events, void *payload);
void log_resume(struct subscription *subscription);
void log_unsubscribe(struct subscription *subscription); /* accepts NULL */

#endif
