/* internal.h - what the files of store/ share. Private to store/. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <pthread.h>

#include "store/db.h"
#include "store/store.h"

/* entry.c */
struct entry *entry_new(const struct entry *like); /* a copy with one reference */
void events_add(struct entry ***events, size_t *n, struct entry *event);
void events_free(struct entry ***events, size_t *n);
void docs_clear(struct docs *docs);

/* cache.c - derived rows in memory, on the store's thread */
struct cache;
struct cached {
	struct buf stream;
	void *row;
	int64_t owner;	/* the gateway that works on it; 0: whichever there is; -N: N has taken it over and not looked at it yet */
	int64_t folded; /* seq of the last event that was folded into it since it is here */
	bool dirty;	/* not yet written */
	struct cached *chain, *older, *newer;
};
#define CACHE_ROWS 4096 /* rows kept; dirty ones are never dropped */
struct cache *cache_new(const struct derived_ops *ops);
void cache_free(struct cache *cache);
struct cached *cache_get(struct cache *cache, struct span stream); /* NULL: not here; moves it to the front */
struct cached *cache_put(struct cache *cache, struct span stream, void *row);
void cache_trim(struct cache *cache);			  /* drops the oldest clean ones beyond CACHE_ROWS */
void cache_touch(struct cache *cache, struct cached *c);  /* it has changed and is not yet on disk */
void cache_drop(struct cache *cache, struct span stream); /* somebody else has changed it */
void cache_drop_all(struct cache *cache);
void cache_forget_dirty(struct cache *cache); /* after a rollback */
bool cache_each_dirty(struct cache *cache, bool (*cb)(struct cached *, void *), void *payload);
void cache_clean(struct cache *cache); /* after they were written */
bool cache_is_dirty(const struct cache *cache);

/* tables.c - the log and what is derived from it; every call on the store's thread. On false, err is filled (STATUS_RETRY for a full disk
 * or an I/O error). */
struct tables;
struct tables *tables_new(struct db *db, struct err *err);
void tables_free(struct tables *tables); /* before the database is closed; accepts NULL */
/* Events that follow each other in seq and are of the same stream and service are a block, which the indices know by its first event.
 * block: how many they are, and 0 for the others of it. */
#define BLOCK_MAX 64
bool tables_insert_event(struct tables *tables, const struct entry *event, int64_t block, struct err *err) USE_RESULT;
bool tables_write_row(struct tables *tables, struct span stream, int64_t updated, const char *status, bool open, int64_t owner,
    struct span doc, struct err *err) USE_RESULT;
/* *ret_found tells whether there is one; doc is appended */
bool tables_read_row(
    struct tables *tables, struct span stream, bool *ret_found, struct buf *doc, int64_t *ret_owner, struct err *err) USE_RESULT;
typedef bool table_row_cb(struct span stream, struct span doc, void *payload);
/* owner: -1: whoever */
bool tables_list_rows(
    struct tables *tables, bool open_only, int64_t owner, int limit, table_row_cb *cb, void *payload, struct err *err) USE_RESULT;
bool tables_write_doc(struct tables *tables, struct span key, struct span doc, struct err *err) USE_RESULT; /* SPAN_NONE: removes it */
/* The same of a document that the store keeps for itself: when it goes into the database is up to that, before the commit. */
bool tables_write_mark(struct tables *tables, struct span key, struct span doc, struct err *err) USE_RESULT;
bool tables_read_doc(struct tables *tables, struct span key, bool *ret_found, struct buf *doc, struct err *err) USE_RESULT;
bool tables_list_docs(struct tables *tables, const char *prefix, table_row_cb *cb, void *payload, struct err *err) USE_RESULT;
bool tables_read_page(struct tables *tables, struct page *page) USE_RESULT;
bool tables_read_news(struct tables *tables, struct page *page) USE_RESULT; /* whatever comes after page->after */
bool tables_read_key(
    struct tables *tables, struct span key, bool *ret_found, uint64_t *ret_print, struct buf *answer, struct err *err) USE_RESULT;
bool tables_insert_key(struct tables *tables, struct span key, uint64_t print, struct span answer, int64_t at, struct err *err) USE_RESULT;
bool tables_forget_keys(struct tables *tables, int64_t before, struct err *err) USE_RESULT;
bool tables_last(struct tables *tables, int64_t *ret_seq, int64_t *ret_at, struct err *err) USE_RESULT;

/* thread.c - statements of thread.h, prepared when they are first needed */
struct thread_db;
struct thread_db *thread_db_new(struct db *db);
void thread_db_free(struct thread_db *threads); /* before the database is closed; accepts NULL */

/* ---- the store itself */

/* the last three are the store's own word to the loop: what others wrote (a page), that their work is ours now, that ours is theirs */
enum op_kind { OP_CHANGE, OP_PAGE, OP_ROWS, OP_DOCS, OP_REST, OP_NEWS, OP_TAKEN, OP_FENCED };

struct op {
	enum op_kind kind;
	union {
		struct change *change;
		struct page *page;
		struct rows *rows;
		struct docs *docs;
	} u;
	struct op *next;
};

struct queue {
	struct op *first, **last;
	size_t n;
	bool closed; /* nothing is added to it */
};

struct store {
	const struct derived_ops *ops;
	const struct secrets *secrets; /* set before the first change */
	pthread_t thread;
	pthread_mutex_t lock; /* guards asked, finished, quit, last_seq_done */
	pthread_cond_t work;
	struct queue asked, finished;
	bool quit;
	int ask[2];	       /* a shared database: a byte when asked is not empty */
	int64_t last_seq_done; /* as of what is in finished */
	int wake[2];	       /* a byte when finished is not empty */
	int lock_fd;
	/* the loop's */
	struct queue gathered; /* asked for, and the thread does not know it yet */
	void (*later)(void *payload);
	void *later_payload;
	int64_t last_seq_seen;
	size_t in_flight;
	uint64_t asked_for;
	void (*rested)(void);
	const struct store_others *others;
	void *others_payload;
	/* the thread's own */
	struct db *db;
	struct tables *tables;
	struct thread_db *threads;
	struct cache *cache;
	int64_t last_seq, last_at, next_forget;
	int64_t batch_at; /* the time of what the present batch stores */
	int64_t before;	  /* last_seq before the present batch */
	struct {
		int64_t mark; /* seq of the last event that is in the rows on disk; its own database only */
		bool flushed; /* in this batch */
		bool stale;   /* memory has lost what the disk lacks, too */
	} rows;
	struct ahead *ahead; /* NULL: the database is shared */
	struct share *share; /* NULL: the database is this gateway's alone */
	int64_t me;	     /* this gateway among those that share it; 0: alone */
	int64_t sign;	     /* what tells it from others of that number, in another database */
	struct err err;	     /* of the present batch */
};

struct change_context {
	struct store *store;
	struct change *change;
	int64_t now;
	size_t stored; /* of the change's events, how many are in the tables */
	bool failed;   /* an insert failed: the whole batch will */
};
/* store.c */
void queue_init(struct queue *queue);
void queue_push(struct queue *queue, struct op *op);
void queue_join(struct queue *to, struct queue *from);			    /* all of it, to the end; `from` is empty then */
struct op *queue_pop(struct queue *queue);				    /* NULL: empty */
void store_deliver(struct store *store, struct queue *batch, int64_t seq);  /* to the loop; seq: of the last event that it has then */
void store_wake(struct store *store);					    /* the thread */
void store_tell(struct store *store, enum op_kind kind, struct page *page); /* from the thread to the loop, at once */
void *store_work(void *store);						    /* what the thread does */

/* rows.c - the derived rows; on the store's thread. On false, err (or store->err) is filled. */
bool rows_open(struct store *store, struct err *err) USE_RESULT;
bool rows_find(struct store *store, struct span stream, struct cached **ret, struct err *err) USE_RESULT; /* NULL: it is unknown */
bool rows_fold(
    struct store *store, const struct entry *event, struct err *err) USE_RESULT; /* into its row, which is made when there is none */
bool rows_behind(const struct store *store);					 /* the disk lacks something */
bool rows_flush(struct store *store) USE_RESULT;				 /* to the disk, now, in this batch, which writes */
bool rows_commit(struct store *store) USE_RESULT;				 /* before a commit */
void rows_committed(struct store *store);					 /* after it */
void rows_undo(struct store *store);						 /* after a rollback */
void rows_lost(struct store *store, int64_t mark); /* after one that took back what rows_committed() was called for; mark: from before it */
bool rows_refresh(struct store *store, struct err *err) USE_RESULT; /* before rows are looked at: what a rollback has taken */

/* a thread that nobody can read: what gateways tell each other (change_tell()) */
#define STORE_TOLD ((struct span){ "\1told", 5 })

/* change.c, read.c: one operation of a batch, on the store's thread */
bool change_run(struct store *store, struct change *change, int64_t now) USE_RESULT; /* false: the batch has failed (store->err) */
void change_fail(struct change *change, const struct err *err);			     /* it could not be stored */
void read_run(struct store *store, struct op *op);				     /* what fails is told to its reader */

/* ahead.c - a database of one's own: batches are on the disk before it has committed them. On the store's thread unless said otherwise; on
 * false, err is filled. */
struct ahead;
struct ahead *ahead_new(struct store *store, const char *database);
int ahead_start(struct store *store); /* its thread; errno */
void ahead_stop(struct store *store);
void ahead_free(struct ahead *ahead);				   /* accepts NULL */
bool ahead_has_more(const struct store *store);			   /* there is something to commit, or it is not known whether it was */
bool ahead_ready(struct store *store, struct err *err) USE_RESULT; /* before a batch */
/* rows_flush(), not noted: rows are folded anew when notes are run again, and one that had its events already would get them twice. */
bool ahead_flush(struct store *store) USE_RESULT;
/* Its end: it is noted or committed, and what is noted too long is committed, with the rows. */
bool ahead_store(struct store *store, struct queue *batch, struct err *err) USE_RESULT;
void ahead_committed(struct store *store);			/* after it, when no transaction is open */
void ahead_deliver(struct store *store, struct queue *batch);	/* when it is on the disk */
void ahead_take_back(struct store *store, struct queue *batch); /* the batch fails: what else does comes before it */
void ahead_restore(struct store *store);			/* after the rollback: what is on the disk */
bool ahead_is_whole(
    struct store *store, struct err *err) USE_RESULT; /* false: the database lacks some of what was answered: nothing may be read */
bool ahead_sleep(
    struct store *store) USE_RESULT; /* with the lock: until something may be asked for; false: it is to commit, or has failed */

/* share.c - a database that several gateways share; on the store's thread. On false, err is filled. */
#define BEAT_MS 3000	 /* how often a gateway says that it lives */
#define LEASE_MS 15000	 /* silent for so long: the others take its work over */
#define OUTAGE_MS 20000	 /* how long a batch waits for a database that is away */
#define RECONNECT_MS 100 /* between two attempts */
struct share;
struct share *share_new(struct db *db, struct err *err);
void share_free(struct share *share); /* accepts NULL */
/* Who had the state directory before us, and is dead for certain. */
struct holder {
	int64_t gateway; /* its number among those that share a database */
	int64_t sign;	 /* what tells it from others of that number, in another database; 0: it was alone */
};
bool share_join(struct store *store, const struct holder *before, struct err *err) USE_RESULT;
void share_leave(struct store *store);
bool share_news(struct store *store, struct err *err) USE_RESULT; /* what others have committed since then, to the loop */
bool share_mark(struct store *store, struct err *err) USE_RESULT; /* before the commit */
bool share_reconnect(struct store *store, struct err *err) USE_RESULT;
bool share_was_committed(struct store *store, bool *ret, struct err *err) USE_RESULT; /* the batch whose commit was in doubt */
bool share_is_fenced(struct store *store);
void share_look(struct store *store); /* are we fenced? */
void share_wait(struct store *store); /* until something is asked for or heard, or a beat is due */
void share_tend(struct store *store);

/* change.c: what was emitted is in the tables from here on; it is by the end of the change */
void change_insert(struct change_context *context);

/* change.c: what a change's other tables need */
struct thread_db *change_threads(const struct change_context *context);
const struct secrets *change_secrets(const struct change_context *context);
void change_broken(struct change_context *context, const struct err *err); /* the batch will fail */
/* A document that says something of a thread or a turn by being there. */
#define MARK_SHARED_THREAD "shared-thread" /* its events go to a run's stream as well */
#define MARK_LONE_TURN "lone-turn"	   /* was in progress when its thread was adopted: its events go to the thread alone */
void change_mark(struct change_context *context, const char *mark, struct span id, bool on);
bool change_marked(struct change_context *context, const char *mark, struct span id);

#endif
