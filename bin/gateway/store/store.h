/* store.h - the door of store/: the event log and the rows derived from it, on disk
 *
 * One thread of its own owns the database. The loop queues operations; the thread takes everything that is queued, runs it in
 * order, and when all of it is on the disk (what was answered survives power loss) the results are handed back in the same
 * order. On its way there the next batch is run already (ahead.c). The loop never waits for a disk.
 *
 * Order: store_dispatch() gives results in the order in which operations were queued, and seq grows in that order. So a
 * page that was read before a change was applied is delivered before that change: a short page is the live edge.
 *
 * Secrets are taken out of each event's message and data (secrets.h) before it is stored or seen by anybody: change_emit() is the one way
 * in.
 *
 * A batch that cannot be stored (full disk, I/O error) fails whole, with those run after it: each change in them gets CHANGE_FAILED and
 * nothing of it is stored; seq numbers are not used up. The store stays usable and tries again with the next batch.
 */
#ifndef STORE_H
#define STORE_H

#include "buf.h"
#include "compat.h"
#include "err.h"
#include "jtext.h"

struct secrets;
struct store;

#define STORE_QUEUE_MAX 65536		    /* operations waiting; beyond it a change fails with STATUS_RETRY */
#define STORE_PAGE_MAX 500		    /* rows of one page */
#define STORE_PAGE_BYTES (4u * 1024 * 1024) /* payload bytes after which a page ends early (it has at least one row) */
#define STORE_KEY_DAYS 7		    /* how long idempotency keys are remembered */

enum level { LEVEL_INFO, LEVEL_WARN, LEVEL_ERROR };

/* One event of the log (libevent has the name struct event), never changed after its commit. Reference-counted: created on the store's
 * thread, from its delivery on used on the loop thread only. Spans point into the event itself; SPAN_NONE is "absent". */
struct entry {
	int64_t seq;   /* from 1, +1 per event over everything */
	int64_t at_ms; /* wall clock; never goes back from one seq to the next */
	enum level level;
	struct span stream; /* run or thread id */
	bool thread;	    /* the stream is a thread: its events fold into no row, and only readers of that thread see them */
	bool shared;	    /* said for both surfaces: it has a thread's kind, or is the run side's word about a thread (kind "agent.") */
	struct span kind;
	struct span turn; /* internal grouping: for chat, seq of the message that is being answered (decimal) */
	struct span message;
	struct span service;
	struct span data; /* compact JSON object */
	unsigned refs;
	void *frame; /* cache of whoever streams it (loop thread); freed by frame_free */
	void (*frame_free)(void *frame);
};
struct entry *entry_ref(struct entry *event);
void entry_unref(struct entry *event); /* accepts NULL */

/* ---- derived rows: one per stream, computed by a pure fold over its events, stored in the same transaction. The meaning
 * belongs to log/; the store keeps them. */
struct derived_ops {
	void *(*fresh)(struct span stream);
	void *(*load)(struct span stream, struct span doc); /* NULL when doc is not understood: the row is folded again from the events */
	void (*fold)(void *row, const struct entry *event);
	void (*save)(const void *row, struct buf *doc);
	/* for the columns that lists select by; each may be "" */
	const char *(*status)(const void *row);
	int64_t (*updated)(const void *row);
	bool (*open)(const void *row); /* work was accepted and is not finished (rows.open_only) */
	void (*free)(void *row);
};

/* ---- changes */

enum change_result {
	CHANGE_DONE,
	CHANGE_REFUSED,	   /* apply said no; nothing stored; change->err says why */
	CHANGE_REPLAYED,   /* the key was used for this very request before: answer is the first answer */
	CHANGE_KEY_REUSED, /* the key was used for another request */
	CHANGE_FAILED,	   /* could not be stored: change->err, STATUS_RETRY or STATUS_IO */
};

struct change_context; /* what apply works with */

struct change {
	/* set by the caller, who owns the change until done() runs */
	struct buf stream; /* id of the stream whose row apply sees; empty: none */
	struct buf key;	   /* idempotency key with its scope, empty: none */
	uint64_t print;	   /* fingerprint of the request, compared when the key is known */
	/* On the store's thread, inside the transaction, and once more when the database went away before it was stored: what it leaves in
	 * payload must not depend on what is there already. Pure: reads row (NULL when the stream is unknown), emits events, may fill
	 * change->answer. False: refused, with change->err filled; it must not have emitted anything by then. */
	bool (*apply)(struct change *change, const void *row, struct change_context *context);
	void (*again)(struct change *change); /* before it runs once more: takes back what it left in payload; NULL: nothing */
	/* On the loop, from store_dispatch(), after the commit. */
	void (*done)(struct change *change);
	void *payload;
	/* results */
	enum change_result result;
	struct err err;
	struct buf answer;     /* kept with the key */
	struct entry **events; /* those emitted, committed; owned by the store until done() returns; take references */
	size_t n_events;
	/* log/ puts itself between the store and done() */
	int64_t asked_us;
	void *relay;
	void (*relayed)(struct change *change);
};

struct change *change_new(void (*done)(struct change *change), void *payload);
void change_free(struct change *change);

/* For apply: the wall clock of this change, and emitting. The new event belongs to the change's stream (or to `stream` when that is not
 * SPAN_NONE, or to none when that is STREAM_NONE); the derived row is folded at once, so a later call sees it. Returns the event's seq. */
#define STREAM_NONE ((struct span){ "", 0 })
int64_t change_now_ms(const struct change_context *context);
int64_t change_emit(struct change_context *context, struct span stream, const char *kind, enum level level, struct span turn,
    struct span message, struct span service, struct span data);
const void *change_row(const struct change_context *context); /* the row as it is now; NULL: unknown */
/* For apply: keeps a small document beside the log under its key, or removes it (doc SPAN_NONE). Comes with the events of the change, or
 * not at all. */
void change_put(struct change_context *context, struct span key, struct span doc);
/* For apply: the other gateways of the store are told that the document under this key has changed; nothing where there can be none. */
void change_tell(struct change_context *context, struct span key);
/* Where several gateways share a store: this one's number, 0 where it is alone; whose the open work of the change's stream is (a new one's:
 * ours); and making it ours. */
int64_t change_gateway(const struct change_context *context);
int64_t change_owner(struct change_context *context);
void change_own(struct change_context *context);
bool change_get(
    struct change_context *context, struct span key, struct buf *to); /* appends the document under that key; false: there is none */
bool change_has(struct change_context *context, struct span key);     /* is there a document under that key? */

/* ---- reads */

/* One conversation may be read on both surfaces, a run and a thread of the same id: what readers of a stream get beside its own events. A
 * run's readers get of what is shared all but the deltas (SHARED_NEWS), or all (SHARED_ALL). A thread's readers get what is shared in their
 * own vocabulary without asking; with SHARED_NEWS or SHARED_ALL they are readers of the run side: its words too, and with NEWS no
 * deltas. */
enum sharing { SHARED_NONE, SHARED_NEWS, SHARED_ALL };
#define DELTA_KIND "item.delta"

struct page {
	/* set by the caller */
	struct buf stream; /* empty: all runs */
	bool thread;	   /* the stream is a thread */
	enum sharing shared;
	struct buf service; /* with an empty stream: only events of this service */
	const char *prefix; /* only kinds that start so ("agent."), NULL: all; static storage */
	int64_t after;	    /* exclusive; ascending from there ... */
	int limit;	    /* 1..STORE_PAGE_MAX, or up to 2000 for `last` */
	bool last;	    /* ... or the newest `limit` ones, still ascending */
	void (*done)(struct page *page);
	void *payload;
	/* results */
	struct entry **events; /* as in a change */
	size_t n_events;
	bool more;	  /* there are further rows after the last one of this page */
	int64_t last_seq; /* seq of the newest event in the whole store at that moment */
	struct err err;	  /* status OK unless the read failed */
};
struct page *page_new(void (*done)(struct page *page), void *payload);
void page_free(struct page *page);

struct rows {
	/* set by the caller */
	struct buf stream; /* one row; empty: a list, newest change first */
	int limit;
	bool open_only; /* of open work that another gateway has left behind, and that is this one's to take up */
	void (*done)(struct rows *rows);
	void *payload;
	/* results: docs as derived_ops.load made them; owned by this struct */
	void **rows;
	size_t n_rows;
	struct err err;
};
struct rows *rows_new(void (*done)(struct rows *rows), void *payload);
void rows_free(struct rows *rows, const struct derived_ops *ops);

/* Documents whose keys begin with prefix, in the order in which the keys were first put. */
struct docs {
	/* set by the caller */
	const char *prefix; /* not empty; static storage */
	void (*done)(struct docs *docs);
	void *payload;
	/* results */
	struct doc {
		struct buf key, text;
	} * list;
	size_t n;
	struct err err;
};
struct docs *docs_new(const char *prefix, void (*done)(struct docs *docs), void *payload);
void docs_free(struct docs *docs);

/* ---- life cycle */

/* where: "sqlite:/dir/file" or a directory (file agentutils.db in it, created 0700/0600). Opens, checks the version, migrates, takes an
 * exclusive lock, starts the thread. Errors (STATUS_CONFIG, STATUS_IO) say what and why: read-only directory, a file of a newer version
 * (named), not a database, in use by another gateway. Or "postgresql://...", which any number of gateways may share: state is then the
 * directory of this gateway's lock, not used otherwise. Errors also STATUS_UNREACHABLE. */
struct store *store_open(const char *where, const char *state, const struct derived_ops *ops, struct err *err);

bool store_is_shared(const char *where); /* postgresql://... */

/* The operator's rules for secrets, besides the built-in ones; borrowed. Before the first change. */
void store_secrets(struct store *store, const struct secrets *secrets);

/* Checks the same without changing anything. */
bool store_check(const char *where, const char *state, struct err *err) USE_RESULT;

/* All that is queued is finished and committed first; its results are dropped undelivered unless dispatched before. Accepts NULL. */
void store_close(struct store *store);

/* The store owns these until done(). When the queue is full, a change has failed, and done() comes in its turn. */
void store_change(struct store *store, struct change *change);
void store_page(struct store *store, struct page *page);
void store_rows(struct store *store, struct rows *rows);
void store_docs(struct store *store, struct docs *docs);
/* What is kept of the database in memory goes, in its turn; done() then. Reading it again is all that it costs. */
void store_rest(struct store *store, void (*done)(void));

/* From now on the thread is told of several of these at once: `later` is called with the first of them, and store_send() is to follow on the
 * loop, when what has come in together was read. */
void store_gather(struct store *store, void (*later)(void *payload), void *payload);
void store_send(struct store *store);

/* What is heard of the other gateways, on the loop, in the order of seq with our own changes: each of their events once; what change_tell()
 * told; that the work of one that is gone is ours now (rows.open_only, change_turn_open()); and that we were taken for gone: nothing can be
 * stored any more, and this process had better end. Borrowed. */
struct store_others {
	void (*news)(struct entry *event, void *payload);
	void (*told)(struct span key, void *payload);
	void (*taken)(void *payload);
	void (*fenced)(void *payload);
};
void store_others(struct store *store, const struct store_others *others, void *payload);

int store_fd(const struct store *store);	   /* readable when results wait */
void store_dispatch(struct store *store);	   /* runs done() of everything that is finished, in order */
int64_t store_last_seq(const struct store *store); /* as of the last dispatch */
int64_t store_gateway(const struct store *store);  /* as change_gateway() */
uint64_t store_asked(const struct store *store);   /* operations ever asked for, but for rests */
size_t store_queued(const struct store *store);	   /* operations not yet dispatched */

#endif
