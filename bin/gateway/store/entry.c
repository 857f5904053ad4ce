/* entry.c - one event of the log, and the operations that carry events */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "store/internal.h"
#include "xalloc.h"

#define SPARE_MAX 64 /* changes that are kept for the next ones */

static struct span
put(char **at, struct span from)
{
	struct span to = { *at, from.n };

	if (!from.s)
		return SPAN_NONE;
	if (from.n)
		memcpy(*at, from.s, from.n);
	(*at)[from.n] = '\0';
	*at += from.n + 1;
	return to;
}

struct entry *
entry_new(const struct entry *like)
{
	const struct span *parts[] = { &like->stream, &like->kind, &like->turn, &like->message, &like->service, &like->data };
	struct entry *event;
	size_t size = sizeof *event, i;
	char *at;

	for (i = 0; i < ARRAY_LEN(parts); i++)
		size += parts[i]->n + 1;
	event = xmalloc(size);
	*event = *like;
	at = (char *)(event + 1);
	event->stream = put(&at, like->stream);
	event->kind = put(&at, like->kind);
	event->turn = put(&at, like->turn);
	event->message = put(&at, like->message);
	event->service = put(&at, like->service);
	event->data = put(&at, like->data);
	event->refs = 1;
	event->frame = NULL;
	event->frame_free = NULL;
	return event;
}

struct entry *
entry_ref(struct entry *event)
{
	event->refs++;
	return event;
}

void
entry_unref(struct entry *event)
{
	if (!event || --event->refs)
		return;
	if (event->frame)
		event->frame_free(event->frame);
	free(event);
}

void
events_add(struct entry ***events, size_t *n, struct entry *event)
{
	*events = xgrow(*events, *n, sizeof **events);
	(*events)[(*n)++] = event;
}

void
events_free(struct entry ***events, size_t *n)
{
	size_t i;

	for (i = 0; i < *n; i++)
		entry_unref((*events)[i]);
	free(*events);
	*events = NULL;
	*n = 0;
}

/* Each has room for an error, and is larger with it than what the allocator has at hand: some are kept here. */
static _Thread_local struct {
	struct change *list[SPARE_MAX];
	size_t n;
} spare;

struct change *
change_new(void (*done)(struct change *change), void *payload)
{
	struct change *change = spare.n ? spare.list[--spare.n] : xmalloc(sizeof *change);

	memset(change, 0, sizeof *change);
	change->done = done;
	change->payload = payload;
	buf_init(&change->stream);
	buf_init(&change->key);
	buf_init(&change->answer);
	return change;
}

void
change_free(struct change *change)
{
	if (!change)
		return;
	events_free(&change->events, &change->n_events);
	buf_release(&change->stream);
	buf_release(&change->key);
	buf_release(&change->answer);
	if (spare.n < SPARE_MAX)
		spare.list[spare.n++] = change;
	else
		free(change);
}

struct page *
page_new(void (*done)(struct page *page), void *payload)
{
	struct page *page = xcalloc(1, sizeof *page);

	page->done = done;
	page->payload = payload;
	page->limit = STORE_PAGE_MAX;
	buf_init(&page->stream);
	buf_init(&page->service);
	return page;
}

void
page_free(struct page *page)
{
	if (!page)
		return;
	events_free(&page->events, &page->n_events);
	buf_release(&page->stream);
	buf_release(&page->service);
	free(page);
}

struct rows *
rows_new(void (*done)(struct rows *rows), void *payload)
{
	struct rows *rows = xcalloc(1, sizeof *rows);

	rows->done = done;
	rows->payload = payload;
	buf_init(&rows->stream);
	return rows;
}

void
rows_free(struct rows *rows, const struct derived_ops *ops)
{
	size_t i;

	if (!rows)
		return;
	for (i = 0; i < rows->n_rows; i++)
		ops->free(rows->rows[i]);
	free(rows->rows);
	buf_release(&rows->stream);
	free(rows);
}

struct docs *
docs_new(const char *prefix, void (*done)(struct docs *docs), void *payload)
{
	struct docs *docs = xcalloc(1, sizeof *docs);

	docs->prefix = prefix;
	docs->done = done;
	docs->payload = payload;
	return docs;
}

void
docs_clear(struct docs *docs)
{
	while (docs->n) {
		struct doc *doc = &docs->list[--docs->n];

		buf_release(&doc->key);
		buf_release(&doc->text);
	}
	free(docs->list);
	docs->list = NULL;
}

void
docs_free(struct docs *docs)
{
	if (!docs)
		return;
	docs_clear(docs);
	free(docs);
}
