/* store.c - the queue, the thread, and what a batch is */
#include "compat.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "status.h"
#include "secrets.h"
#include "store/internal.h"
#include "store/thread.h"
#include "xalloc.h"

#define BATCH_MAX 4096	       /* operations of one transaction */
#define FORGET_EVERY_MS 600000 /* how often old idempotency keys are removed */

void
queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
	queue->n = 0;
}

void
queue_push(struct queue *queue, struct op *op)
{
	op->next = NULL;
	*queue->last = op;
	queue->last = &op->next;
	queue->n++;
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

/* ---- changes, on the thread */

int64_t
change_now_ms(const struct change_context *context)
{
	return context->now;
}

const void *
change_row(const struct change_context *context)
{
	struct cached *c = NULL;

	if (!context->change->stream.len ||
	    !rows_find(context->store, (struct span){ context->change->stream.s, context->change->stream.len }, &c, &context->store->err))
		return NULL;
	return c ? c->row : NULL;
}

static int64_t
emit(struct change_context *context, const struct entry *given)
{
	struct store *store = context->store;
	struct change *change = context->change;
	struct entry like = *given;
	struct buf clean_message = BUF_INIT, clean_data = BUF_INIT;
	struct entry *event;

	like.seq = ++store->last_seq;
	like.at_ms = context->now;
	/* every event comes by here, and none with a secret goes further */
	if (like.message.s && secrets_look(store->secrets, like.message, false) &&
	    secrets_text(store->secrets, like.message.s, like.message.n, &clean_message))
		like.message = (struct span){ clean_message.s, clean_message.len };
	if (like.data.s && secrets_look(store->secrets, like.data, true) && secrets_json(store->secrets, like.data, &clean_data))
		like.data = (struct span){ clean_data.s, clean_data.len };
	event = entry_new(&like);
	buf_release(&clean_message);
	buf_release(&clean_data);
	events_add(&change->events, &change->n_events, event);
	if (context->failed)
		return event->seq;
	if (!tables_insert_event(store->tables, event, &store->err) || !rows_fold(store, event, &store->err))
		context->failed = true;
	return event->seq;
}

int64_t
change_emit(struct change_context *context, struct span stream, const char *kind, enum level level, struct span turn, struct span message,
    struct span service, struct span data)
{
	struct entry like = { .level = level, .turn = turn, .message = message, .service = service, .data = data };
	struct change *change = context->change;

	if (!stream.s && change->stream.len)
		stream = (struct span){ change->stream.s, change->stream.len };
	else if (!stream.n)
		stream = SPAN_NONE;
	like.stream = stream;
	like.kind = (struct span){ kind, strlen(kind) };
	return emit(context, &like);
}

/* What of a thread that is a run too concerns the run's readers; the rest is said to them in the run's own words, and thoughts are not for them. */
static bool
is_for_both(struct span method, struct span payload)
{
	static const char *const kinds[] = { DELTA_KIND, "item.started", "item.completed", "approval.requested", "approval.resolved",
		"error" };
	struct span type;
	size_t i;

	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (method.n == strlen(kinds[i]) && !memcmp(method.s, kinds[i], method.n))
			return strncmp(kinds[i], "item.", 5) || !jtext_get(payload, "type", &type) || !jtext_is_string(type, "reasoning");
	return false;
}

static bool
is_end(struct span method)
{
	return method.n == 14 && !memcmp(method.s, "turn.completed", 14);
}

int64_t
change_emit_thread(
    struct change_context *context, struct span thread, struct span method, struct span turn, struct span by, struct span payload)
{
	struct entry like = { .thread = true, .stream = thread, .kind = method, .turn = turn, .service = by, .data = payload };

	like.shared = !by.s && change_thread_shared(context, thread) &&
	    (is_for_both(method, payload) || (is_end(method) && turn.s && change_turn_alone(context, turn)));
	return emit(context, &like);
}

int64_t
change_emit_run_word(struct change_context *context, struct span thread, const char *kind, enum level level, struct span data)
{
	struct entry like = {
		.thread = true, .shared = true, .stream = thread, .kind = { kind, strlen(kind) }, .level = level, .data = data
	};

	return emit(context, &like);
}

static void
sharing_key(struct buf *to, struct span thread)
{
	buf_addstr(to, "shared-thread/");
	buf_add(to, thread.s, thread.n);
}

void
change_share_thread(struct change_context *context, struct span thread)
{
	struct buf key = BUF_INIT;

	sharing_key(&key, thread);
	change_put(context, (struct span){ key.s, key.len }, (struct span){ "{}", 2 });
	buf_release(&key);
}

bool
change_thread_shared(struct change_context *context, struct span thread)
{
	struct buf key = BUF_INIT;
	bool shared;

	sharing_key(&key, thread);
	shared = change_has(context, (struct span){ key.s, key.len });
	buf_release(&key);
	return shared;
}

/* A thread that nobody can read, and that nobody but the gateways hears of. */
#define TOLD ((struct span){ "\1told", 5 })

void
change_tell(struct change_context *context, struct span key)
{
	struct entry like = { .thread = true, .stream = TOLD, .kind = { "told", 4 }, .message = key };

	if (context->store->share)
		emit(context, &like);
}

static void
tell_news(struct store *store, struct entry *event)
{
	if (event->thread && event->stream.n == TOLD.n && !memcmp(event->stream.s, TOLD.s, TOLD.n))
		store->others->told(event->message, store->others_payload);
	else
		store->others->news(event, store->others_payload);
}

int64_t
change_gateway(const struct change_context *context)
{
	return context->store->me;
}

/* A row of the change's stream, when there is one. */
static struct cached *
own_row(struct change_context *context)
{
	struct change *change = context->change;
	struct cached *c = NULL;

	if (context->failed || !change->stream.len)
		return NULL;
	if (!rows_find(context->store, (struct span){ change->stream.s, change->stream.len }, &c, &context->store->err))
		context->failed = true;
	return c;
}

int64_t
change_owner(struct change_context *context)
{
	struct store *store = context->store;
	struct cached *c = own_row(context);
	struct buf doc = BUF_INIT;
	int64_t owner = c ? c->owner : store->me;
	bool found;

	if (owner != store->me && owner != -store->me) {
		/* who takes work over leaves no event of it */
		if (!tables_read_row(store->tables, (struct span){ c->stream.s, c->stream.len }, &found, &doc, &owner, &store->err))
			context->failed = true;
		c->owner = owner;
		buf_release(&doc);
	}
	return owner < 0 ? -owner : owner;
}

void
change_own(struct change_context *context)
{
	struct cached *c = own_row(context);

	if (!c || c->owner == context->store->me)
		return;
	c->owner = context->store->me;
	cache_touch(context->store->cache, c);
}

struct thread_db *
change_threads(const struct change_context *context)
{
	return context->failed ? NULL : context->store->threads;
}

const struct secrets *
change_secrets(const struct change_context *context)
{
	return context->store->secrets;
}

void
change_broken(struct change_context *context, const struct err *err)
{
	if (!context->failed)
		context->store->err = *err;
	context->failed = true;
}

void
change_put(struct change_context *context, struct span key, struct span doc)
{
	if (!context->failed && !tables_write_doc(context->store->tables, key, doc, &context->store->err))
		context->failed = true;
}

bool
change_get(struct change_context *context, struct span key, struct buf *to)
{
	bool found = false;

	if (!context->failed && !tables_read_doc(context->store->tables, key, &found, to, &context->store->err))
		context->failed = true;
	return found;
}

bool
change_has(struct change_context *context, struct span key)
{
	struct buf doc = BUF_INIT;
	bool found = change_get(context, key, &doc);

	buf_release(&doc);
	return found;
}

/* True: this key was seen before, and the change has its result. */
static bool
was_done(struct store *store, struct change *change, bool *ret_failed)
{
	uint64_t print = 0;
	bool found = false;

	if (!change->key.len)
		return false;
	if (!tables_read_key(
		store->tables, (struct span){ change->key.s, change->key.len }, &found, &print, &change->answer, &store->err)) {
		*ret_failed = true;
		return true;
	}
	if (found)
		change->result = print == change->print ? CHANGE_REPLAYED : CHANGE_KEY_REUSED;
	return found;
}

/* False: the batch has failed (store->err). */
static bool
run_change(struct store *store, struct change *change, int64_t now)
{
	struct change_context context = { .store = store, .change = change, .now = now };
	struct cached *c = NULL;
	bool failed = false;

	if (change->result == CHANGE_FAILED)
		return true; /* refused at the door: the queue was full */
	change->result = CHANGE_DONE;
	if (was_done(store, change, &failed))
		return !failed;
	if (change->stream.len && !rows_find(store, (struct span){ change->stream.s, change->stream.len }, &c, &store->err))
		return false;
	if (change->apply && !change->apply(change, c ? c->row : NULL, &context)) {
		change->result = CHANGE_REFUSED;
		return !context.failed;
	}
	if (context.failed)
		return false;
	if (change->key.len)
		return tables_insert_key(store->tables, (struct span){ change->key.s, change->key.len }, change->print,
		    (struct span){ change->answer.s, change->answer.len }, now, &store->err);
	return true;
}

static void
fail_change(struct change *change, const struct err *err)
{
	events_free(&change->events, &change->n_events);
	buf_reset(&change->answer);
	change->result = CHANGE_FAILED;
	change->err = *err;
}

/* ---- reads, on the thread */

static bool
add_row(struct span stream, struct span doc, void *payload)
{
	void **both = payload;
	const struct store *store = both[0];
	struct rows *rows = both[1];
	void *row = store->ops->load(stream, doc);

	if (!row)
		return true;
	if (!(rows->n_rows & (rows->n_rows - 1)))
		rows->rows = xrealloc(rows->rows, (rows->n_rows ? 2 * rows->n_rows : 1) * sizeof *rows->rows);
	rows->rows[rows->n_rows++] = row;
	return true;
}

static bool
add_doc(struct span key, struct span text, void *payload)
{
	struct docs *docs = payload;
	struct doc *doc;

	docs->list = xrealloc(docs->list, (docs->n + 1) * sizeof *docs->list);
	doc = &docs->list[docs->n++];
	buf_init(&doc->key);
	buf_init(&doc->text);
	buf_add(&doc->key, key.s, key.n);
	buf_add(&doc->text, text.s, text.n);
	return true;
}

static bool
run_read(struct store *store, struct op *op, struct err *err)
{
	void *both[2] = { store, op->u.rows };
	struct rows *rows = op->u.rows;
	struct buf doc = BUF_INIT;
	struct cached *c;

	if (op->kind == OP_DOCS)
		return tables_list_docs(store->tables, op->u.docs->prefix, add_doc, op->u.docs, err);
	if (op->kind == OP_PAGE) {
		/* whoever brings a cursor from another gateway may be ahead of the news */
		if (store->share && op->u.page->after > store->last_seq && !db_in_transaction(store->db) &&
		    !share_news(store, &op->u.page->err))
			return false;
		op->u.page->last_seq = store->last_seq;
		return tables_read_page(store->tables, op->u.page);
	}
	if (!rows_refresh(store, err))
		return false;
	if (!rows->stream.len)
		return tables_list_rows(store->tables, rows->open_only, -store->me, rows->limit, add_row, both, err);
	if (store->share)
		cache_drop(store->cache, (struct span){ rows->stream.s, rows->stream.len }); /* others may have changed it since */
	if (!rows_find(store, (struct span){ rows->stream.s, rows->stream.len }, &c, err))
		return false;
	if (c) {
		store->ops->save(c->row, &doc);
		add_row((struct span){ rows->stream.s, rows->stream.len }, (struct span){ doc.s, doc.len }, both);
	}
	buf_release(&doc);
	return true;
}

static void
run_read_alone(struct store *store, struct op *op)
{
	struct err err = ERR_INIT;

	if (op->kind == OP_PAGE) {
		events_free(&op->u.page->events, &op->u.page->n_events);
		op->u.page->more = false;
		op->u.page->err.status = STATUS_OK;
		if (!run_read(store, op, &op->u.page->err) && !op->u.page->err.status)
			op->u.page->err = store->err;
		return;
	}
	if (op->kind == OP_DOCS) {
		docs_clear(op->u.docs);
		op->u.docs->err.status = STATUS_OK;
		if (!run_read(store, op, &err))
			op->u.docs->err = err;
		return;
	}
	op->u.rows->err.status = STATUS_OK;
	while (op->u.rows->n_rows)
		store->ops->free(op->u.rows->rows[--op->u.rows->n_rows]);
	if (!run_read(store, op, &err))
		op->u.rows->err = err;
}

/* ---- batches */

/* What is read from the rows on disk, which must have everything. */
static bool
is_list(const struct op *op)
{
	return op->kind == OP_ROWS && !op->u.rows->stream.len;
}

/* False with `store->err`, or because the connection went. */
static bool
run_ops(struct store *store, struct queue *batch, bool writes, int64_t now)
{
	struct op *op;

	for (op = batch->first; op; op = op->next)
		if (op->kind == OP_CHANGE) {
			if (!run_change(store, op->u.change, now))
				return false;
		} else {
			if (writes && is_list(op) && !rows_flush(store))
				return false;
			run_read_alone(store, op);
			/* An error may have ended the transaction; what followed would be committed one by one, and its numbers used up. */
			if (writes && !db_in_transaction(store->db))
				return err_set(&store->err, STATUS_RETRY, "unable to store: the transaction was ended by a failed read");
		}
	return writes || db_state(store->db) < DB_LOST;
}

static bool
commit(struct store *store, int64_t now)
{
	if (now > store->next_forget) {
		store->next_forget = now + FORGET_EVERY_MS;
		if (!tables_forget_keys(store->tables, now - INT64_C(86400000) * STORE_KEY_DAYS, &store->err))
			return false;
	}
	if (!rows_commit(store) || (store->share && db_wrote(store->db) && !share_mark(store, &store->err)))
		return false;
	return db_commit(store->db, &store->err);
}

static bool
run_batch(struct store *store, struct queue *batch, bool writes)
{
	int64_t now;

	store->before = store->last_seq;
	store->err.status = STATUS_OK;
	if (!rows_refresh(store, &store->err))
		return false;
	if (writes && !db_begin(store->db, &store->err))
		return false;
	if (writes && store->share && !share_news(store, &store->err))
		return false;
	store->before = store->last_seq;
	now = clock_wall_ms();
	if (now < store->last_at)
		now = store->last_at; /* the clock went back, or is behind another's; the log does not go back */
	store->batch_at = now;
	return run_ops(store, batch, writes, now) && (!writes || commit(store, now));
}

static void
batch_is_stored(struct store *store)
{
	rows_committed(store);
	store->last_at = store->batch_at;
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
	struct err err = store->err;
	struct op *op;

	rollback(store);
	for (op = batch->first; op; op = op->next)
		if (op->kind == OP_CHANGE)
			fail_change(op->u.change, &err);
		else
			run_read_alone(store, op);
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
		struct queue alone = { .first = op, .n = 1 };

		next = op->next;
		op->next = NULL;
		if (!run_surely(store, &alone, true))
			undo_batch(store, &alone);
		op->next = next;
	}
}

static void
deliver(struct store *store, struct queue *batch)
{
	struct op *op;
	bool was_empty;

	pthread_mutex_lock(&store->lock);
	was_empty = !store->finished.n;
	while ((op = queue_pop(batch)))
		queue_push(&store->finished, op);
	store->last_seq_done = store->last_seq;
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
	deliver(store, &queue);
}

/* False: nothing is asked for any more. An empty batch: something else is to be done. */
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
	while (!store->share && !store->asked.n && !store->quit)
		pthread_cond_wait(&store->work, &store->lock);
	go_on = store->asked.n || !store->quit;
	while (batch->n < BATCH_MAX) {
		struct op *op = queue_pop(&store->asked);

		if (!op)
			break;
		*ret_writes |= op->kind == OP_CHANGE || (is_list(op) && rows_behind(store));
		queue_push(batch, op);
	}
	pthread_mutex_unlock(&store->lock);
	return go_on;
}

void *
store_work(void *payload)
{
	struct store *store = payload;
	struct queue batch;
	bool writes;

	while (take_batch(store, &batch, &writes)) {
		if (batch.n) {
			run_or_fail(store, &batch, writes);
			cache_trim(store->cache);
			deliver(store, &batch);
		}
		if (store->share)
			share_tend(store);
	}
	rows_close(store);
	if (store->share)
		share_leave(store);
	return NULL;
}

/* ---- the loop's side */

void
store_wake(struct store *store)
{
	if (!store->share)
		pthread_cond_signal(&store->work);
	else if (write(store->ask[1], "", 1) < 0 && errno != EAGAIN)
		abort(); /* the thread could never be told again */
}

static void
ask(struct store *store, enum op_kind kind, void *what)
{
	struct op *op = xmalloc(sizeof *op);

	op->kind = kind;
	if (kind == OP_CHANGE)
		op->u.change = what;
	else if (kind == OP_PAGE)
		op->u.page = what;
	else if (kind == OP_ROWS)
		op->u.rows = what;
	else
		op->u.docs = what;
	store->in_flight++;
	pthread_mutex_lock(&store->lock);
	queue_push(&store->asked, op);
	if (store->asked.n == 1)
		store_wake(store);
	pthread_mutex_unlock(&store->lock);
}

void
store_change(struct store *store, struct change *change)
{
	if (store->in_flight >= STORE_QUEUE_MAX) {
		/* said through the queue too, so that done() never runs inside this call: an empty change that refuses */
		change->apply = NULL;
		err_set(&change->err, STATUS_RETRY, "unable to store: more than %d operations are waiting", STORE_QUEUE_MAX);
		change->result = CHANGE_FAILED;
	}
	ask(store, OP_CHANGE, change);
}

void
store_page(struct store *store, struct page *page)
{
	ask(store, OP_PAGE, page);
}

void
store_rows(struct store *store, struct rows *rows)
{
	ask(store, OP_ROWS, rows);
}

void
store_docs(struct store *store, struct docs *docs)
{
	ask(store, OP_DOCS, docs);
}

int
store_fd(const struct store *store)
{
	return store->wake[0];
}

void
store_others(struct store *store, const struct store_others *others, void *payload)
{
	store->others = others;
	store->others_payload = payload;
}

static void
tell_others(struct store *store, struct op *op)
{
	const struct store_others *others = store->others;
	size_t i;

	for (i = 0; others && op->kind == OP_NEWS && i < op->u.page->n_events; i++)
		tell_news(store, op->u.page->events[i]);
	if (others && op->kind == OP_TAKEN)
		others->taken(store->others_payload);
	if (others && op->kind == OP_FENCED)
		others->fenced(store->others_payload);
	if (op->kind == OP_NEWS)
		page_free(op->u.page);
}

static void
finish(struct store *store, struct op *op)
{
	switch (op->kind) {
	case OP_CHANGE:
		op->u.change->done(op->u.change);
		break;
	case OP_PAGE:
		op->u.page->done(op->u.page);
		break;
	case OP_ROWS:
		op->u.rows->done(op->u.rows);
		break;
	case OP_DOCS:
		op->u.docs->done(op->u.docs);
		break;
	case OP_NEWS:
	case OP_TAKEN:
	case OP_FENCED:
		tell_others(store, op);
		break;
	}
	free(op);
}

void
store_dispatch(struct store *store)
{
	struct queue ready;
	char bytes[64];
	struct op *op;

	while (read(store->wake[0], bytes, sizeof bytes) > 0)
		;
	queue_init(&ready);
	pthread_mutex_lock(&store->lock);
	while ((op = queue_pop(&store->finished)))
		queue_push(&ready, op);
	store->last_seq_seen = store->last_seq_done;
	pthread_mutex_unlock(&store->lock);
	while ((op = queue_pop(&ready))) {
		if (op->kind <= OP_DOCS)
			store->in_flight--;
		finish(store, op);
	}
}

int64_t
store_last_seq(const struct store *store)
{
	return store->last_seq_seen;
}

int64_t
store_gateway(const struct store *store)
{
	return store->me;
}

size_t
store_queued(const struct store *store)
{
	return store->in_flight;
}
