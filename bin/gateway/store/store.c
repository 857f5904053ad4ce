/* store.c - the queue, the thread, and what a batch is */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "status.h"
#include "secrets.h"
#include "store/internal.h"
#include "store/thread.h"
#include "xalloc.h"

#define BATCH_MAX 4096	       /* operations of one transaction */
#define FORGET_EVERY_MS 600000 /* how often old idempotency keys are removed */

enum op_kind { OP_CHANGE, OP_PAGE, OP_ROWS, OP_DOCS };

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
};

struct store {
	const struct derived_ops *ops;
	const struct secrets *secrets; /* set before the first change */
	pthread_t thread;
	pthread_mutex_t lock; /* guards asked, finished, quit, last_seq_done */
	pthread_cond_t work;
	struct queue asked, finished;
	bool quit;
	int64_t last_seq_done; /* as of what is in finished */
	int wake[2];	       /* a byte when finished is not empty */
	int lock_fd;
	/* the loop's */
	int64_t last_seq_seen;
	size_t in_flight;
	/* the thread's own */
	struct db *db;
	struct tables *tables;
	struct thread_db *threads;
	struct cache *cache;
	int64_t last_seq, last_at, next_forget;
	struct err err; /* of the present batch */
};

struct change_context {
	struct store *store;
	struct change *change;
	int64_t now;
	bool failed; /* an insert failed: the whole batch will */
};

static void
queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
	queue->n = 0;
}

static void
queue_push(struct queue *queue, struct op *op)
{
	op->next = NULL;
	*queue->last = op;
	queue->last = &op->next;
	queue->n++;
}

static struct op *
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

/* ---- rows, on the thread */

/* The row of a stream, from memory or disk; NULL when it is unknown. False: the disk failed. */
static bool
find_row(struct store *store, struct span stream, struct cached **ret, struct err *err)
{
	struct buf doc = BUF_INIT;
	bool found;
	void *row;

	*ret = cache_get(store->cache, stream);
	if (*ret)
		return true;
	if (!tables_read_row(store->tables, stream, &found, &doc, err))
		return false;
	if (found) {
		row = store->ops->load(stream, (struct span){ doc.s, doc.len });
		if (row)
			*ret = cache_put(store->cache, stream, row);
	}
	buf_release(&doc);
	return true;
}

static bool
write_row(struct cached *c, void *payload)
{
	struct store *store = payload;
	struct buf doc = BUF_INIT;
	bool ok;

	store->ops->save(c->row, &doc);
	ok = tables_write_row(store->tables, (struct span){ c->stream.s, c->stream.len }, store->ops->updated(c->row),
	    store->ops->status(c->row), store->ops->open(c->row), (struct span){ doc.s, doc.len }, &store->err);
	buf_release(&doc);
	return ok;
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
	    !find_row(context->store, (struct span){ context->change->stream.s, context->change->stream.len }, &c, &context->store->err))
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
	struct cached *c = NULL;

	like.seq = ++store->last_seq;
	like.at_ms = context->now;
	/* every event comes by here, and none with a secret goes further */
	if (like.message.s && secrets_text(store->secrets, like.message.s, like.message.n, &clean_message))
		like.message = (struct span){ clean_message.s, clean_message.len };
	if (like.data.s && secrets_json(store->secrets, like.data, &clean_data))
		like.data = (struct span){ clean_data.s, clean_data.len };
	event = entry_new(&like);
	buf_release(&clean_message);
	buf_release(&clean_data);
	events_add(&change->events, &change->n_events, event);
	if (context->failed)
		return event->seq;
	if (!tables_insert_event(store->tables, event, &store->err) ||
	    (like.stream.s && !like.thread && !find_row(store, like.stream, &c, &store->err))) {
		context->failed = true;
		return event->seq;
	}
	if (like.stream.s && !like.thread) {
		if (!c)
			c = cache_put(store->cache, like.stream, store->ops->fresh(like.stream));
		cache_touch(store->cache, c);
		store->ops->fold(c->row, event);
	}
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
	static const char *const kinds[] = { "item.", "approval.", "error" };
	struct span type;
	size_t i;

	if (method.n > 5 && !memcmp(method.s, "item.", 5) && jtext_get(payload, "type", &type) && jtext_is_string(type, "reasoning"))
		return false;
	for (i = 0; i < ARRAY_LEN(kinds); i++)
		if (method.n >= strlen(kinds[i]) && !memcmp(method.s, kinds[i], strlen(kinds[i])))
			return true;
	return false;
}

int64_t
change_emit_thread(
    struct change_context *context, struct span thread, struct span method, struct span turn, struct span by, struct span payload)
{
	struct entry like = { .thread = true, .stream = thread, .kind = method, .turn = turn, .service = by, .data = payload };

	like.shared = !by.s && is_for_both(method, payload) && change_thread_shared(context, thread);
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
change_has(struct change_context *context, struct span key)
{
	bool found = false;

	if (!context->failed && !tables_has_doc(context->store->tables, key, &found, &context->store->err))
		context->failed = true;
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
	if (change->stream.len && !find_row(store, (struct span){ change->stream.s, change->stream.len }, &c, &store->err))
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

/* What this batch has changed must be on record before a list is read. */
static bool
flush_rows(struct store *store)
{
	return cache_each_dirty(store->cache, write_row, store);
}

static bool
run_read(struct store *store, struct op *op, struct err *err)
{
	void *both[2] = { store, op->u.rows };
	struct rows *rows = op->u.rows;
	struct buf doc = BUF_INIT;
	bool found = false, ok;

	if (op->kind == OP_DOCS)
		return tables_list_docs(store->tables, op->u.docs->prefix, add_doc, op->u.docs, err);
	if (op->kind == OP_PAGE) {
		op->u.page->last_seq = store->last_seq;
		return tables_read_page(store->tables, op->u.page);
	}
	if (!rows->stream.len)
		return tables_list_rows(store->tables, rows->open_only, rows->limit, add_row, both, err);
	ok = tables_read_row(store->tables, (struct span){ rows->stream.s, rows->stream.len }, &found, &doc, err);
	if (ok && found)
		add_row((struct span){ rows->stream.s, rows->stream.len }, (struct span){ doc.s, doc.len }, both);
	buf_release(&doc);
	return ok;
}

static void
run_read_alone(struct store *store, struct op *op)
{
	struct err err = ERR_INIT;

	if (op->kind == OP_PAGE) {
		events_free(&op->u.page->events, &op->u.page->n_events);
		op->u.page->more = false;
		if (!run_read(store, op, &op->u.page->err) && !op->u.page->err.status)
			op->u.page->err = store->err;
		return;
	}
	if (op->kind == OP_DOCS) {
		docs_clear(op->u.docs);
		if (!run_read(store, op, &err))
			op->u.docs->err = err;
		return;
	}
	while (op->u.rows->n_rows)
		store->ops->free(op->u.rows->rows[--op->u.rows->n_rows]);
	if (!run_read(store, op, &err))
		op->u.rows->err = err;
}

/* ---- batches */

static bool
run_batch(struct store *store, struct queue *batch, bool writes)
{
	int64_t now = clock_wall_ms();
	struct op *op;

	if (now < store->last_at)
		now = store->last_at; /* the clock went back; the log does not */
	store->err.status = STATUS_OK;
	if (writes && !db_begin(store->db, &store->err))
		return false;
	for (op = batch->first; op; op = op->next)
		if (op->kind == OP_CHANGE) {
			if (!run_change(store, op->u.change, now))
				return false;
		} else {
			if (writes && op->kind == OP_ROWS && !flush_rows(store))
				return false;
			run_read_alone(store, op);
			/* An error may have ended the transaction; what followed would be committed one by one, and its numbers used up. */
			if (writes && !db_in_transaction(store->db))
				return err_set(&store->err, STATUS_RETRY, "unable to store: the transaction was ended by a failed read");
		}
	if (!writes)
		return true;
	if (now > store->next_forget) {
		store->next_forget = now + FORGET_EVERY_MS;
		if (!tables_forget_keys(store->tables, now - INT64_C(86400000) * STORE_KEY_DAYS, &store->err))
			return false;
	}
	if (!flush_rows(store) || !db_commit(store->db, &store->err))
		return false;
	cache_clean(store->cache);
	store->last_at = now;
	return true;
}

/* Nothing of it is stored; reads are done again without it. */
static void
undo_batch(struct store *store, struct queue *batch, int64_t last_seq)
{
	struct err err = store->err;
	struct op *op;

	db_rollback(store->db);
	cache_forget_dirty(store->cache);
	store->last_seq = last_seq;
	for (op = batch->first; op; op = op->next)
		if (op->kind == OP_CHANGE)
			fail_change(op->u.change, &err);
		else
			run_read_alone(store, op);
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

static void *
work(void *payload)
{
	struct store *store = payload;

	for (;;) {
		struct queue batch;
		bool writes = false;
		int64_t last_seq = store->last_seq;

		queue_init(&batch);
		pthread_mutex_lock(&store->lock);
		while (!store->asked.n && !store->quit)
			pthread_cond_wait(&store->work, &store->lock);
		while (batch.n < BATCH_MAX) {
			struct op *op = queue_pop(&store->asked);

			if (!op)
				break;
			writes |= op->kind == OP_CHANGE;
			queue_push(&batch, op);
		}
		pthread_mutex_unlock(&store->lock);
		if (!batch.n)
			return NULL;
		if (!run_batch(store, &batch, writes))
			undo_batch(store, &batch, last_seq);
		cache_trim(store->cache);
		deliver(store, &batch);
	}
}

/* ---- the loop's side */

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
		pthread_cond_signal(&store->work);
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

static void
finish(struct op *op)
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
		store->in_flight--;
		finish(op);
	}
}

int64_t
store_last_seq(const struct store *store)
{
	return store->last_seq_seen;
}

size_t
store_queued(const struct store *store)
{
	return store->in_flight;
}

/* ---- life cycle */

static void
file_of(const char *where, struct buf *file, struct buf *dir)
{
	if (!strncmp(where, "sqlite:", 7)) {
		const char *slash;

		buf_addstr(file, where + 7);
		slash = strrchr(file->s, '/');
		if (slash && slash != file->s)
			buf_add(dir, file->s, (size_t)(slash - file->s));
		else
			buf_addstr(dir, slash ? "/" : ".");
		return;
	}
	buf_addstr(dir, where);
	buf_addf(file, "%s/agentutils.db", where);
}

static bool
make_dir(const char *dir, struct err *err)
{
	struct buf path = BUF_INIT;
	const char *slash;
	struct stat st;
	bool ok = true;

	/* its parents too */
	for (slash = *dir ? strchr(dir + 1, '/') : NULL; ok && *dir; slash = strchr(slash + 1, '/')) {
		buf_reset(&path);
		buf_add(&path, dir, slash ? (size_t)(slash - dir) : strlen(dir));
		if (mkdir(path.s, 0700) < 0 && errno != EEXIST)
			ok = err_errno(err, STATUS_CONFIG, "unable to create the state directory '%s'", path.s);
		if (!slash)
			break;
	}
	if (ok && (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode)))
		ok = err_set(err, STATUS_CONFIG, "unable to use the state directory '%s': it is no directory", dir);
	if (ok && access(dir, W_OK) < 0)
		ok = err_errno(err, STATUS_CONFIG, "unable to write to the state directory '%s'", dir);
	buf_release(&path);
	return ok;
}

static bool
take_lock(struct store *store, const char *file, struct err *err)
{
	struct buf path = BUF_INIT, holder = BUF_INIT;
	char pid[32];
	bool ok = false;
	int n;

	buf_addf(&path, "%s.lock", file);
	store->lock_fd = open(path.s, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (store->lock_fd < 0)
		err_errno(err, STATUS_CONFIG, "unable to create '%s'", path.s);
	else if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (buf_read_fd(&holder, store->lock_fd, 64, path.s, err) && holder.len)
			err_set(err, STATUS_CONFIG, "unable to use the store '%s': another gateway uses it (process %.*s)", file,
			    (int)strcspn(holder.s, "\n"), holder.s);
		else
			err_set(err, STATUS_CONFIG, "unable to use the store '%s': another gateway uses it", file);
	} else {
		n = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
		ok = ftruncate(store->lock_fd, 0) == 0 && write(store->lock_fd, pid, (size_t)n) == n;
		if (!ok)
			err_errno(err, STATUS_CONFIG, "unable to write '%s'", path.s);
	}
	buf_release(&path);
	buf_release(&holder);
	return ok;
}

static bool
start_thread(struct store *store, struct err *err)
{
	sigset_t all, old;
	int error;

	/* signals belong to the loop */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&store->thread, NULL, work, store);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (!error)
		return true;
	errno = error;
	return err_errno(err, STATUS_IO, "unable to start the store's thread");
}

void
store_secrets(struct store *store, const struct secrets *secrets)
{
	store->secrets = secrets;
}

struct store *
store_open(const char *where, const struct derived_ops *ops, struct err *err)
{
	struct store *store = xcalloc(1, sizeof *store);
	struct buf file = BUF_INIT, dir = BUF_INIT;
	bool ok = false;

	store->ops = ops;
	store->lock_fd = store->wake[0] = store->wake[1] = -1;
	queue_init(&store->asked);
	queue_init(&store->finished);
	file_of(where, &file, &dir);
	if (!make_dir(dir.s, err) || !take_lock(store, file.s, err))
		goto out;
	store->db = sqlite_open_db(file.s, err);
	if (store->db)
		store->tables = tables_new(store->db, err);
	if (!store->tables || !tables_last(store->tables, &store->last_seq, &store->last_at, err))
		goto out;
	store->threads = thread_db_new(store->db);
	store->last_seq_seen = store->last_seq_done = store->last_seq;
	store->cache = cache_new(ops);
	if (pipe2(store->wake, O_CLOEXEC | O_NONBLOCK) < 0) {
		err_errno(err, STATUS_IO, "unable to create a pipe");
		goto out;
	}
	pthread_mutex_init(&store->lock, NULL);
	pthread_cond_init(&store->work, NULL);
	ok = start_thread(store, err);
out:
	buf_release(&file);
	buf_release(&dir);
	if (ok)
		return store;
	thread_db_free(store->threads);
	tables_free(store->tables);
	db_close(store->db);
	cache_free(store->cache);
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	if (store->wake[0] >= 0) {
		close(store->wake[0]);
		close(store->wake[1]);
	}
	free(store);
	return NULL;
}

bool
store_check(const char *where, struct err *err)
{
	struct buf file = BUF_INIT, dir = BUF_INIT;
	bool ok = true;

	file_of(where, &file, &dir);
	if (access(dir.s, F_OK) == 0 && access(dir.s, W_OK) < 0)
		ok = err_errno(err, STATUS_CONFIG, "unable to write to the state directory '%s'", dir.s);
	ok = ok && sqlite_check_db(file.s, err);
	buf_release(&file);
	buf_release(&dir);
	return ok;
}

static void
drop(const struct store *store, struct op *op)
{
	switch (op->kind) {
	case OP_CHANGE:
		change_free(op->u.change);
		break;
	case OP_PAGE:
		page_free(op->u.page);
		break;
	case OP_ROWS:
		rows_free(op->u.rows, store->ops);
		break;
	case OP_DOCS:
		docs_free(op->u.docs);
		break;
	}
	free(op);
}

void
store_close(struct store *store)
{
	struct op *op;

	if (!store)
		return;
	pthread_mutex_lock(&store->lock);
	store->quit = true;
	pthread_cond_signal(&store->work);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->thread, NULL);
	while ((op = queue_pop(&store->finished)))
		drop(store, op);
	thread_db_free(store->threads);
	tables_free(store->tables);
	db_close(store->db);
	cache_free(store->cache);
	pthread_mutex_destroy(&store->lock);
	pthread_cond_destroy(&store->work);
	close(store->wake[0]);
	close(store->wake[1]);
	close(store->lock_fd); /* and with it the lock */
	free(store);
}
