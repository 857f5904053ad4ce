/* store.c - the queue, the thread, and what a batch is */
#include "compat.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "status.h"
#include "store/internal.h"
#include "worker.h"
#include "xalloc.h"

#define BATCH_MAX 4096	       /* operations of one transaction */
#define FORGET_EVERY_MS 600000 /* how often old idempotency keys are removed */

void
queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
	queue->n = 0;
	queue->closed = false;
}

void
queue_push(struct queue *queue, struct op *op)
{
	op->next = NULL;
	*queue->last = op;
	queue->last = &op->next;
	queue->n++;
}

void
queue_join(struct queue *to, struct queue *from)
{
	if (!from->first)
		return;
	*to->last = from->first;
	to->last = from->last;
	to->n += from->n;
	queue_init(from);
}

struct op *
queue_pop(struct queue *queue)
{
	struct op *op = queue->first;

	if (!op)
		return NULL;
	queue->first = op->next;
	if (!queue->first)
		queue->last = &queue->first;
	queue->n--;
	return op;
}

/* What is read from the rows on disk, which must have everything. */
static bool
is_list(const struct op *op)
{
	return op->kind == OP_ROWS && !op->u.rows->stream.len;
}

static bool
flush(struct store *store)
{
	return store->ahead ? ahead_flush(store) : rows_flush(store);
}

/* False with `store->err`, or because the connection went. */
static bool
run_ops(struct store *store, struct queue *batch, bool writes, int64_t now)
{
	bool open = db_in_transaction(store->db);
	struct op *op;

	for (op = batch->first; op; op = op->next)
		if (op->kind == OP_CHANGE) {
			if (!change_run(store, op->u.change, now))
				return false;
		} else {
			if (writes && is_list(op) && !flush(store))
				return false;
			read_run(store, op);
			/* An error may have ended the transaction, with what earlier batches have noted in it; what followed would be committed
			 * one by one, and its numbers used up. */
			if (open && !db_in_transaction(store->db))
				return err_set(&store->err, STATUS_RETRY, "unable to store: the transaction was ended by a failed read");
		}
	return writes || db_state(store->db) < DB_LOST;
}

static bool
commit(struct store *store, struct queue *batch, int64_t now)
{
	if (now > store->next_forget) {
		store->next_forget = now + FORGET_EVERY_MS;
		if (!tables_forget_keys(store->tables, now - INT64_C(86400000) * STORE_KEY_DAYS, &store->err))
			return false;
	}
	if (store->ahead)
		return ahead_store(store, batch, &store->err);
	if (!rows_commit(store) || (db_wrote(store->db) && !share_mark(store, &store->err)))
		return false;
	return db_commit(store->db, &store->err);
}

/* With the lock: what is asked for, up to what a batch may have. *ret_writes: set where something of it writes. */
static void
take_asked(struct store *store, struct queue *batch, bool *ret_writes)
{
	while (batch->n < BATCH_MAX) {
		struct op *op = queue_pop(&store->asked);

		if (!op)
			break;
		*ret_writes |= op->kind == OP_CHANGE || (is_list(op) && rows_behind(store));
		queue_push(batch, op);
	}
}

/* Gateways that share a database take turns, so that more is asked for by the time it is this one's. */
static void
take_more(struct store *store, struct queue *batch)
{
	bool writes = true;

	pthread_mutex_lock(&store->lock);
	take_asked(store, batch, &writes);
	pthread_mutex_unlock(&store->lock);
}

static bool
run_batch(struct store *store, struct queue *batch, bool writes)
{
	int64_t now;

	store->before = store->last_seq;
	store->err.status = STATUS_OK;
	if ((store->ahead && !ahead_ready(store, &store->err)) || !rows_refresh(store, &store->err))
		return false;
	if (writes && !db_in_transaction(store->db) && !db_begin(store->db, &store->err))
		return false;
	if (writes && store->share) {
		if (!share_news(store, &store->err))
			return false;
		if (!batch->closed)
			take_more(store, batch);
	}
	store->before = store->last_seq;
	now = clock_wall_ms();
	if (now < store->last_at)
		now = store->last_at; /* the clock went back, or is behind another's; the log does not go back */
	store->batch_at = now;
	return run_ops(store, batch, writes, now) && (!writes || commit(store, batch, now));
}

static void
batch_is_stored(struct store *store)
{
	store->last_at = store->batch_at;
	if (store->ahead && db_in_transaction(store->db))
		return; /* it is noted */
	rows_committed(store);
	if (store->ahead)
		ahead_committed(store);
}

static void
rollback(struct store *store)
{
	db_rollback(store->db);
	rows_undo(store);
	store->last_seq = store->before;
}

/* Nothing of it is stored; reads are done again without it. */
static void
undo_batch(struct store *store, struct queue *batch)
{
	struct err err;
	struct op *op;

	if (store->ahead)
		ahead_take_back(store, batch);
	err = store->err;
	rollback(store);
	if (store->ahead)
		ahead_restore(store);
	for (op = batch->first; op; op = op->next)
		if (op->kind == OP_CHANGE)
			change_fail(op->u.change, &err);
		else
			read_run(store, op);
}

/* It is going to be run once more. */
static void
rewind_batch(struct store *store, struct queue *batch)
{
	struct op *op;

	rollback(store);
	for (op = batch->first; op; op = op->next)
		if (op->kind == OP_CHANGE && op->u.change->result != CHANGE_FAILED) {
			events_free(&op->u.change->events, &op->u.change->n_events);
			buf_reset(&op->u.change->answer);
			op->u.change->err.status = STATUS_OK;
			op->u.change->err.http = 0;
			if (op->u.change->again)
				op->u.change->again(op->u.change);
		}
}

/* Runs it until it is stored, as long as it is only the connection that fails. */
static bool
run_surely(struct store *store, struct queue *batch, bool writes)
{
	while (!run_batch(store, batch, writes)) {
		enum db_state state = db_state(store->db);
		bool stored = false;

		if (state < DB_LOST)
			return false;
		if (!share_reconnect(store, &store->err) || (state == DB_IN_DOUBT && !share_was_committed(store, &stored, &store->err))) {
			/* should it be there after all, it comes as news */
			cache_drop_all(store->cache);
			return false;
		}
		if (share_is_fenced(store))
			return err_set(&store->err, STATUS_RETRY, "unable to store: another gateway has taken over");
		if (stored)
			break;
		rewind_batch(store, batch);
	}
	if (writes)
		batch_is_stored(store);
	return true;
}

static void
run_or_fail(struct store *store, struct queue *batch, bool writes)
{
	struct op *op, *next;

	if (run_surely(store, batch, writes))
		return;
	if (store->share)
		share_look(store);
	if (db_state(store->db) != DB_REFUSED || batch->n == 1 || share_is_fenced(store)) {
		undo_batch(store, batch);
		return;
	}
	/* one of them is what the database does not take: that one fails, not its neighbours */
	rewind_batch(store, batch);
	for (op = batch->first; op; op = next) {
		struct queue alone = { .first = op, .n = 1, .closed = true };

		next = op->next;
		op->next = NULL;
		if (!run_surely(store, &alone, true))
			undo_batch(store, &alone);
		op->next = next;
	}
}

void
store_deliver(struct store *store, struct queue *batch, int64_t seq)
{
	bool was_empty;

	pthread_mutex_lock(&store->lock);
	was_empty = !store->finished.n;
	queue_join(&store->finished, batch);
	store->last_seq_done = seq;
	pthread_mutex_unlock(&store->lock);
	if (was_empty && write(store->wake[1], "", 1) < 0 && errno != EAGAIN)
		abort(); /* the loop could never be told again */
}

void
store_tell(struct store *store, enum op_kind kind, struct page *page)
{
	struct op *op = xcalloc(1, sizeof *op);
	struct queue queue;

	op->kind = kind;
	op->u.page = page;
	queue_init(&queue);
	queue_push(&queue, op);
	store_deliver(store, &queue, store->last_seq);
}

/* False: nothing is asked for any more. An empty batch: something else is to be done; where it writes, that is to commit. */
static bool
take_batch(struct store *store, struct queue *batch, bool *ret_writes)
{
	bool go_on;

	queue_init(batch);
	*ret_writes = false;
	pthread_mutex_lock(&store->lock);
	if (store->share && !store->asked.n && !store->quit) {
		pthread_mutex_unlock(&store->lock);
		share_wait(store);
		pthread_mutex_lock(&store->lock);
	}
	while (store->ahead && !store->asked.n && !store->quit && ahead_sleep(store))
		;
	go_on = store->asked.n || !store->quit;
	*ret_writes = store->ahead && !store->asked.n;
	take_asked(store, batch, ret_writes);
	pthread_mutex_unlock(&store->lock);
	return go_on;
}

static void
run(struct store *store, struct queue *batch, bool writes)
{
	run_or_fail(store, batch, writes);
	cache_trim(store->cache);
	if (store->ahead)
		ahead_deliver(store, batch);
	else
		store_deliver(store, batch, store->last_seq);
}

/* What is noted and what the rows on disk lack goes into the database. Should it fail, the next start does it. */
static void
commit_all(struct store *store)
{
	struct queue none;

	if (!rows_behind(store) && !ahead_has_more(store))
		return;
	queue_init(&none);
	store->rows.flushed = true;
	run(store, &none, true);
}

void *
store_work(void *payload)
{
	struct store *store = payload;
	struct queue batch;
	bool writes;

	worker_is(WORKER_PROMPT);
	while (take_batch(store, &batch, &writes)) {
		if (batch.n || writes)
			run(store, &batch, writes);
		if (store->share)
			share_tend(store);
	}
	if (store->ahead)
		commit_all(store);
	else
		share_leave(store);
	return NULL;
}
