/* change.c - what a change does on the store's thread: events, rows, documents, and the answer that its key keeps */
#include "compat.h"

#include <string.h>

#include "secrets.h"
#include "store/internal.h"
#include "store/thread.h"

int64_t
change_now_ms(const struct change_context *context)
{
	return context->now;
}

const void *
change_row(const struct change_context *context)
{
	struct cached *c = NULL;

	if (!context->change->stream.len || !rows_find(context->store, span_of(&context->change->stream), &c, &context->store->err))
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
		like.message = span_of(&clean_message);
	if (like.data.s && secrets_look(store->secrets, like.data, true) && secrets_json(store->secrets, like.data, &clean_data))
		like.data = span_of(&clean_data);
	event = entry_new(&like);
	buf_release(&clean_message);
	buf_release(&clean_data);
	events_add(&change->events, &change->n_events, event);
	if (context->failed)
		return event->seq;
	if (!rows_fold(store, event, &store->err))
		context->failed = true;
	return event->seq;
}

static bool
is_same(struct span a, struct span b)
{
	return a.n == b.n && !a.s == !b.s && (!a.n || !memcmp(a.s, b.s, a.n));
}

/* How many of these events are a block, the first one's. */
static size_t
block_of(struct entry *const *events, size_t n)
{
	const struct entry *first = events[0];
	size_t i;

	for (i = 1; i < n && i < BLOCK_MAX; i++)
		if (events[i]->thread != first->thread || events[i]->shared != first->shared ||
		    !is_same(events[i]->stream, first->stream) || !is_same(events[i]->service, first->service))
			break;
	return i;
}

void
change_insert(struct change_context *context)
{
	struct change *change = context->change;
	struct store *store = context->store;
	size_t i, n;

	for (; !context->failed && context->stored < change->n_events; context->stored += n) {
		struct entry **block = change->events + context->stored;

		n = block_of(block, change->n_events - context->stored);
		for (i = 0; !context->failed && i < n; i++)
			if (!tables_insert_event(store->tables, block[i], i ? 0 : (int64_t)n, &store->err))
				context->failed = true;
	}
}

int64_t
change_emit(struct change_context *context, struct span stream, const char *kind, enum level level, struct span turn, struct span message,
    struct span service, struct span data)
{
	struct entry like = { .level = level, .turn = turn, .message = message, .service = service, .data = data };
	struct change *change = context->change;

	if (!stream.s && change->stream.len)
		stream = span_of(&change->stream);
	else if (!stream.n)
		stream = SPAN_NONE;
	like.stream = stream;
	like.kind = (struct span){ kind, strlen(kind) };
	return emit(context, &like);
}

/* What of a thread that is a run too concerns the run's readers; the rest is said to them in the run's own words, and thoughts are not for
 * them. */
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

	like.shared = !by.s && (is_for_both(method, payload) || (is_end(method) && turn.s && change_turn_alone(context, turn))) &&
	    change_thread_shared(context, thread);
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

/* ---- marks: documents that say something of a thread or a turn by being there */

static struct span
mark_key(struct buf *to, const char *mark, struct span id)
{
	buf_addstr(to, mark);
	buf_addch(to, '/');
	buf_add(to, id.s, id.n);
	return span_of(to);
}

void
change_mark(struct change_context *context, const char *mark, struct span id, bool on)
{
	struct buf key = BUF_INIT;

	change_put(context, mark_key(&key, mark, id), on ? (struct span){ "{}", 2 } : SPAN_NONE);
	buf_release(&key);
}

bool
change_marked(struct change_context *context, const char *mark, struct span id)
{
	struct buf key = BUF_INIT;
	bool marked = change_has(context, mark_key(&key, mark, id));

	buf_release(&key);
	return marked;
}

void
change_share_thread(struct change_context *context, struct span thread)
{
	change_mark(context, MARK_SHARED_THREAD, thread, true);
}

bool
change_thread_shared(struct change_context *context, struct span thread)
{
	return change_marked(context, MARK_SHARED_THREAD, thread);
}

void
change_tell(struct change_context *context, struct span key)
{
	struct entry like = { .thread = true, .stream = STORE_TOLD, .kind = { "told", 4 }, .message = key };

	if (context->store->share)
		emit(context, &like);
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
	if (!rows_find(context->store, span_of(&change->stream), &c, &context->store->err))
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
		if (!tables_read_row(store->tables, span_of(&c->stream), &found, &doc, &owner, &store->err))
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
	if (!tables_read_key(store->tables, span_of(&change->key), &found, &print, &change->answer, &store->err)) {
		*ret_failed = true;
		return true;
	}
	if (found)
		change->result = print == change->print ? CHANGE_REPLAYED : CHANGE_KEY_REUSED;
	return found;
}

/* False: the batch has failed (store->err). */
bool
change_run(struct store *store, struct change *change, int64_t now)
{
	struct change_context context = { .store = store, .change = change, .now = now };
	struct cached *c = NULL;
	bool failed = false;

	if (change->result == CHANGE_FAILED)
		return true; /* refused at the door: the queue was full */
	change->result = CHANGE_DONE;
	if (was_done(store, change, &failed))
		return !failed;
	if (change->stream.len && !rows_find(store, span_of(&change->stream), &c, &store->err))
		return false;
	if (change->apply && !change->apply(change, c ? c->row : NULL, &context)) {
		change->result = CHANGE_REFUSED;
		return !context.failed;
	}
	change_insert(&context);
	if (context.failed)
		return false;
	if (change->key.len)
		return tables_insert_key(store->tables, span_of(&change->key), change->print, span_of(&change->answer), now, &store->err);
	return true;
}

void
change_fail(struct change *change, const struct err *err)
{
	events_free(&change->events, &change->n_events);
	buf_reset(&change->answer);
	change->result = CHANGE_FAILED;
	change->err = *err;
}
