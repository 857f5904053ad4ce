/* ask.c - the loop's side of the store: asking, and getting what was asked for */
#include "compat.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "status.h"
#include "store/internal.h"
#include "xalloc.h"

#define GATHER_MAX 12 /* operations: more would let the thread wait while there is work for it, fewer wake it more often than it helps */

void
store_wake(struct store *store)
{
	if (!store->share)
		pthread_cond_signal(&store->work);
	else if (write(store->ask[1], "", 1) < 0 && errno != EAGAIN)
		abort(); /* the thread could never be told again */
}

void
store_gather(struct store *store, void (*later)(void *payload), void *payload)
{
	store->later = later;
	store->later_payload = payload;
}

void
store_send(struct store *store)
{
	bool wake;

	if (!store->gathered.n)
		return;
	pthread_mutex_lock(&store->lock);
	wake = !store->asked.n;
	queue_join(&store->asked, &store->gathered);
	pthread_mutex_unlock(&store->lock);
	if (wake)
		store_wake(store);
}

static void
ask(struct store *store, enum op_kind kind, void *what)
{
	struct op *op = xmalloc(sizeof *op);

	op->kind = kind;
	store->asked_for += kind != OP_REST;
	if (kind == OP_CHANGE)
		op->u.change = what;
	else if (kind == OP_PAGE)
		op->u.page = what;
	else if (kind == OP_ROWS)
		op->u.rows = what;
	else if (kind == OP_DOCS)
		op->u.docs = what;
	store->in_flight++;
	queue_push(&store->gathered, op);
	if (!store->later || store->gathered.n == GATHER_MAX)
		store_send(store);
	else if (store->gathered.n == 1)
		store->later(store->later_payload);
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

void
store_rest(struct store *store, void (*done)(void))
{
	/* what is shared is not kept here, and may be away: nobody is to wait for it because nothing is going on */
	if (store->share) {
		done();
		return;
	}
	store->rested = done;
	ask(store, OP_REST, NULL);
}

uint64_t
store_asked(const struct store *store)
{
	return store->asked_for;
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
tell_news(struct store *store, struct entry *event)
{
	if (event->thread && event->stream.n == STORE_TOLD.n && !memcmp(event->stream.s, STORE_TOLD.s, STORE_TOLD.n))
		store->others->told(event->message, store->others_payload);
	else
		store->others->news(event, store->others_payload);
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
	case OP_REST:
		store->rested();
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
		if (op->kind <= OP_REST)
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
