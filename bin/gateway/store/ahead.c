/* ahead.c - batches that are on the disk before the database has committed them
 *
 * The store's thread runs batches in one transaction that stays open while they follow each other. What a batch has run is noted (redo.h),
 * and a second thread writes the notes, syncs them and hands the results to the loop, while the next batch is run already. Results go out
 * in the order of the batches, whether there was anything to note or not: what was read may have been of a batch that is not on the disk
 * yet.
 *
 * The database itself puts in what is stored and commits behind all this (db.h), when the transaction is AHEAD_MS old: the store's thread
 * waits for it only where it has to read. When nothing has been committed for that long a batch is committed directly, without notes, and so
 * is one when the notes are many: their file begins anew then.
 *
 * What cannot be noted takes everything back that was run since, and so does a batch that fails: the transaction is rolled back to the last
 * commit, and the notes that are on the disk are run again.
 */
#include "compat.h"

#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "key.h"
#include "store/internal.h"
#include "store/redo.h"
#include "worker.h"
#include "xalloc.h"

#define AHEAD_MS 20	  /* how long a transaction is open; more gives the disk more at once, which whoever waits for a sync then feels */
#define NOTES_KEPT 131072 /* bytes of memory that notes leave behind */
#define AHEAD_RETRY_MS 1000 /* between two attempts to commit when nothing else is asked for */

struct ahead {
	pthread_t thread;
	pthread_cond_t work, quiet;
	struct redo *redo; /* the second thread's while it is busy, but for what is committed of it, else the store's thread's */
	/* with the store's lock */
	struct buf ready;     /* segments to be written ... */
	struct queue waiting; /* ... and who waits for them */
	int64_t ready_seq, safe_seq;
	bool busy, quit;
	bool failed; /* what is waiting could not be written; nothing is, until the store's thread has taken it back */
	bool gate;   /* when all this is written, the database may commit */
	struct err err;
	/* the store's thread's own */
	struct note note;   /* of the present batch */
	size_t total, size; /* of the segments: of this chain, and those since the last commit was begun */
	bool salted;	    /* the database has the salt of this chain */
	uint64_t salt, new_salt;
	bool direct;	    /* something was taken back: the next batch shows whether the database takes anything */
	bool begun;	    /* this batch has begun a commit behind */
	bool committing;    /* the last commit is behind, and its end was not seen yet ... */
	size_t committed;   /* ... how much of the chain is in it ... */
	int64_t mark;	    /* ... and the number that the rows on disk had before */
	int64_t due, retry; /* monotonic: when the database commits, when it tries to again */
	bool lacking;	    /* the notes could not be run again yet */
};

/* ---- the second thread */

static void
wait_for_work(struct store *store)
{
	struct ahead *ahead = store->ahead;

	while ((!ahead->waiting.n && !ahead->gate && !ahead->quit) || ahead->failed)
		pthread_cond_wait(&ahead->work, &store->lock);
}

static void *
ahead_work(void *payload)
{
	struct store *store = payload;
	struct ahead *ahead = store->ahead;
	struct buf mine = BUF_INIT, empty;
	struct queue queue;

	worker_is(WORKER_PROMPT);
	queue_init(&queue);
	pthread_mutex_lock(&store->lock);
	for (;;) {
		struct err err = ERR_INIT;
		int64_t seq;
		bool ok, gate;

		wait_for_work(store);
		if (!ahead->waiting.n && !ahead->gate)
			break;
		buf_reset(&mine);
		empty = mine;
		mine = ahead->ready;
		ahead->ready = empty;
		queue_join(&queue, &ahead->waiting);
		seq = ahead->ready_seq;
		gate = ahead->gate;
		ahead->gate = false;
		ahead->busy = true;
		pthread_mutex_unlock(&store->lock);
		ok = !mine.len || redo_write(ahead->redo, &mine, &err);
		if (mine.cap > NOTES_KEPT)
			buf_release(&mine);
		if (ok)
			store_deliver(store, &queue, seq);
		pthread_mutex_lock(&store->lock);
		ahead->busy = false;
		if (ok)
			ahead->safe_seq = seq;
		else {
			queue_join(&queue, &ahead->waiting);
			queue_join(&ahead->waiting, &queue);
			ahead->failed = true;
			ahead->err = err;
			gate = gate || ahead->gate;
			store_wake(store);
		}
		if (gate)
			db_allow_commit(store->db, ok ? NULL : &err);
		pthread_cond_signal(&ahead->quiet);
	}
	pthread_mutex_unlock(&store->lock);
	buf_release(&mine);
	return NULL;
}

/* ---- life cycle */

struct ahead *
ahead_new(struct store *store, const char *database)
{
	struct ahead *ahead = xcalloc(1, sizeof *ahead);

	ahead->redo = redo_new(database);
	buf_init(&ahead->ready);
	queue_init(&ahead->waiting);
	note_init(&ahead->note);
	key_random(&ahead->new_salt, sizeof ahead->new_salt);
	ahead->ready_seq = ahead->safe_seq = store->last_seq;
	pthread_cond_init(&ahead->work, NULL);
	pthread_cond_init(&ahead->quiet, NULL);
	return ahead;
}

int
ahead_start(struct store *store)
{
	db_note(store->db, &store->ahead->note);
	redo_prepare(store->ahead->redo);
	return worker_start(&store->ahead->thread, ahead_work, store);
}

void
ahead_stop(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	store->ahead->quit = true;
	pthread_cond_signal(&store->ahead->work);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->ahead->thread, NULL);
}

void
ahead_free(struct ahead *ahead)
{
	if (!ahead)
		return;
	pthread_cond_destroy(&ahead->work);
	pthread_cond_destroy(&ahead->quiet);
	redo_free(ahead->redo);
	note_release(&ahead->note);
	buf_release(&ahead->ready);
	free(ahead);
}

/* ---- the store's thread: results */

void
ahead_deliver(struct store *store, struct queue *batch)
{
	struct ahead *ahead = store->ahead;
	bool begun = ahead->begun, now;

	ahead->begun = false;
	pthread_mutex_lock(&store->lock);
	now = note_is_empty(&ahead->note) && !ahead->busy && !ahead->waiting.n;
	if (now)
		ahead->safe_seq = store->last_seq;
	else {
		note_move(&ahead->note, &ahead->ready);
		ahead->gate = ahead->gate || begun;
		queue_join(&ahead->waiting, batch);
		ahead->ready_seq = store->last_seq;
		pthread_cond_signal(&ahead->work);
	}
	pthread_mutex_unlock(&store->lock);
	if (now)
		store_deliver(store, batch, store->last_seq);
	if (now && begun)
		db_allow_commit(store->db, NULL);
}

/* With the lock. */
static void
wait_until_quiet(struct store *store)
{
	struct ahead *ahead = store->ahead;

	while (ahead->busy || ((ahead->waiting.n || ahead->gate) && !ahead->failed))
		pthread_cond_wait(&ahead->quiet, &store->lock);
}

bool
ahead_has_more(const struct store *store)
{
	/* a commit that has failed may be on the disk all the same, until another one is in its place */
	return db_in_transaction(store->db) || store->ahead->committing || store->ahead->direct;
}

bool
ahead_sleep(struct store *store)
{
	struct ahead *ahead = store->ahead;
	int64_t until = ahead->due > ahead->retry ? ahead->due : ahead->retry;
	struct timespec time = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 };

	if (ahead->failed)
		return false;
	if (!ahead_has_more(store) && !ahead->lacking)
		pthread_cond_wait(&store->work, &store->lock);
	else if (clock_monotonic_ms() >= until)
		return false;
	else
		pthread_cond_timedwait(&store->work, &store->lock, &time);
	return true;
}

/* ---- its transaction */

static bool
play(struct store *store, struct err *err)
{
	struct ahead *ahead = store->ahead;
	bool ok;

	db_note(store->db, NULL);
	ok = !ahead->size || (db_begin(store->db, err) && redo_play(ahead->redo, store->db, false, err));
	db_note(store->db, &ahead->note);
	ahead->lacking = !ok;
	if (!ok)
		db_rollback(store->db);
	return ok;
}

/* Has what is behind gone well, as far as one can see? */
static bool
look_behind(struct store *store, struct err *err)
{
	struct ahead *ahead = store->ahead;
	bool committed;

	if (!db_look_behind(store->db, &committed, err))
		return false;
	if (ahead->committing && committed) {
		ahead->committing = false;
		redo_committed(ahead->redo, ahead->committed);
	}
	return true;
}

bool
ahead_ready(struct store *store, struct err *err)
{
	struct ahead *ahead = store->ahead;

	pthread_mutex_lock(&store->lock);
	if (ahead->failed)
		*err = ahead->err;
	pthread_mutex_unlock(&store->lock);
	if (err->status || !look_behind(store, err))
		return false;
	return !ahead->lacking || play(store, err);
}

/* ---- commits */

/* Does the database not know, or not any more, what the file has? What could not be synced may be in it all the same. */
static bool
is_outdated(const struct ahead *ahead)
{
	return !ahead->salted || ahead->total || ahead->direct;
}

/* The rows, and what the next start is to run again: the chain of this salt from there on. */
static bool
write_rows(struct store *store, uint64_t salt, size_t committed, struct err *err)
{
	struct buf text = BUF_INIT;
	bool ok = rows_commit(store);

	if (ok && is_outdated(store->ahead)) {
		buf_addf(&text, "%lld %zu", (long long)salt, committed);
		ok = tables_write_mark(store->tables, (struct span){ REDO_KEY, sizeof REDO_KEY - 1 }, span_of(&text), err);
		buf_release(&text);
	}
	return ok;
}

bool
ahead_flush(struct store *store)
{
	bool ok;

	db_note(store->db, NULL);
	ok = rows_flush(store);
	db_note(store->db, &store->ahead->note);
	return ok;
}

/* This batch, noted, and all before it are committed behind; nothing is asked of the database before the batch is delivered. */
static bool
commit_behind(struct store *store, struct err *err)
{
	struct ahead *ahead = store->ahead;
	bool ok;

	ahead->mark = store->rows.mark;
	ahead->committed = ahead->total;
	db_note(store->db, NULL);
	ok = write_rows(store, ahead->salt, ahead->committed, err);
	db_note(store->db, &ahead->note);
	if (!ok)
		return false;
	db_commit_behind(store->db);
	ahead->begun = ahead->committing = true;
	return true;
}

/* With the lock, the second thread not being at work: whoever waits for it is of this batch from now on, before the others. */
static void
take_over(struct ahead *ahead, struct queue *batch)
{
	queue_join(&ahead->waiting, batch);
	queue_join(batch, &ahead->waiting);
	buf_reset(&ahead->ready);
}

/* This batch and all before it are committed now, instead of what is noted of them. */
static bool
commit_now(struct store *store, struct queue *batch, struct err *err)
{
	struct ahead *ahead = store->ahead;
	bool ok;

	pthread_mutex_lock(&store->lock);
	while (ahead->busy || (ahead->gate && !ahead->failed))
		pthread_cond_wait(&ahead->quiet, &store->lock);
	ok = !ahead->failed;
	if (ok)
		take_over(ahead, batch); /* the commit is theirs, too */
	else
		*err = ahead->err;
	pthread_mutex_unlock(&store->lock);
	if (!ok)
		return false;
	db_note(store->db, NULL);
	ok = write_rows(store, ahead->new_salt, 0, err) && db_commit(store->db, err) && look_behind(store, err);
	db_note(store->db, &ahead->note);
	return ok;
}

enum when { NOT_YET, BEHIND, NOW };

static enum when
when_to_commit(const struct store *store, const struct queue *batch, size_t noted)
{
	const struct ahead *ahead = store->ahead;

	/* what has only looked at something must not fail for what others have left to commit; an empty batch is there to commit */
	if (batch->n && !noted && !store->rows.flushed)
		return NOT_YET;
	if (!ahead->salted || ahead->direct || ahead->total + noted > REDO_MAX)
		return NOW;
	if (!batch->n)
		return store->rows.flushed || ahead->committing || !ahead->size ? NOW : BEHIND;
	if (ahead->committing)
		return store->rows.flushed ? NOW : NOT_YET;
	if (store->rows.flushed)
		return BEHIND;
	if (clock_monotonic_ms() < ahead->due)
		return NOT_YET;
	return ahead->size ? BEHIND : NOW;
}

bool
ahead_store(struct store *store, struct queue *batch, struct err *err)
{
	struct ahead *ahead = store->ahead;
	size_t noted = note_is_empty(&ahead->note) ? 0 : ahead->note.bytes.len;
	enum when when = when_to_commit(store, batch, noted);

	if (when == NOW)
		return commit_now(store, batch, err);
	ahead->total += noted;
	ahead->size += noted;
	if (when == BEHIND)
		return commit_behind(store, err);
	db_hand_over(store->db);
	return true;
}

void
ahead_committed(struct store *store)
{
	struct ahead *ahead = store->ahead;

	ahead->due = clock_monotonic_ms() + AHEAD_MS;
	ahead->size = 0;
	if (ahead->begun)
		return;
	if (is_outdated(ahead)) {
		ahead->salt = ahead->new_salt++;
		redo_start(ahead->redo, ahead->salt);
		ahead->salted = true;
		ahead->total = 0;
	}
	ahead->direct = false;
	if (ahead->note.bytes.cap > NOTES_KEPT)
		note_release(&ahead->note);
	note_begin(&ahead->note);
}

void
ahead_take_back(struct store *store, struct queue *batch)
{
	struct ahead *ahead = store->ahead;

	pthread_mutex_lock(&store->lock);
	wait_until_quiet(store);
	if (ahead->failed) {
		take_over(ahead, batch);
		ahead->failed = ahead->gate = false;
		store->err = ahead->err;
	}
	store->before = ahead->safe_seq;
	pthread_mutex_unlock(&store->lock);
	ahead->direct = true;
	note_begin(&ahead->note);
	ahead->retry = clock_monotonic_ms() + AHEAD_RETRY_MS;
}

void
ahead_restore(struct store *store)
{
	struct ahead *ahead = store->ahead;
	struct err err = ERR_INIT;

	if (look_behind(store, &err) && ahead->committing)
		rows_lost(store, ahead->mark);
	ahead->begun = ahead->committing = false;
	ahead->total = redo_size(ahead->redo);
	ahead->size = redo_left(ahead->redo);
	/* else the next batch tries again, and nothing is read before */
	if (!play(store, &err))
		ahead->err = err;
}

bool
ahead_is_whole(struct store *store, struct err *err)
{
	if (store->ahead->lacking)
		*err = store->ahead->err;
	return !store->ahead->lacking && look_behind(store, err);
}
