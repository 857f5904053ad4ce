/* rows.c - the derived rows: in memory, on disk, and folded anew from their events
 *
 * A database of this gateway's own gets them when it commits (ahead.c), with the number of the last event that is in them: a row of a busy
 * run is not written with each of its events. What a crash leaves unwritten is folded again at the next start. In a database that several
 * gateways share the others read them, so they are written with the events themselves.
 */
#include "compat.h"

#include "num.h"
#include "status.h"
#include "store/internal.h"

/* where the number stands, beside the other small documents */
static const struct span mark_key = SPAN_INIT("store/rows");

static struct span
stream_of(const struct cached *c)
{
	return span_of(&c->stream);
}

static void
fold(struct store *store, struct cached *c, const struct entry *event)
{
	if (event->seq <= c->folded)
		return;
	c->folded = event->seq;
	cache_touch(store->cache, c);
	store->ops->fold(c->row, event);
}

static struct cached *
fresh(struct store *store, struct span stream)
{
	return cache_put(store->cache, stream, store->ops->fresh(stream));
}

/* A row whose document is not understood, from all of its events. */
static bool
fold_all(struct store *store, struct span stream, struct cached **ret, struct err *err)
{
	struct page page = { .stream = BUF_INIT, .limit = STORE_PAGE_MAX };
	bool ok;
	size_t i;

	*ret = NULL;
	buf_add(&page.stream, stream.s, stream.n);
	do {
		ok = tables_read_page(store->tables, &page);
		for (i = 0; ok && i < page.n_events; i++) {
			page.after = page.events[i]->seq;
			if (page.events[i]->thread)
				continue;
			if (!*ret)
				*ret = fresh(store, stream);
			fold(store, *ret, page.events[i]);
		}
		events_free(&page.events, &page.n_events);
	} while (ok && page.more && !(page.more = false));
	buf_release(&page.stream);
	if (!ok)
		*err = page.err;
	return ok;
}

bool
rows_find(struct store *store, struct span stream, struct cached **ret, struct err *err)
{
	struct buf doc = BUF_INIT;
	int64_t owner;
	bool found;
	void *row;

	*ret = cache_get(store->cache, stream);
	if (*ret)
		return true;
	if (!tables_read_row(store->tables, stream, &found, &doc, &owner, err))
		return false;
	row = found ? store->ops->load(stream, span_of(&doc)) : NULL;
	buf_release(&doc);
	if (row)
		*ret = cache_put(store->cache, stream, row);
	else if (found && !fold_all(store, stream, ret, err))
		return false;
	if (*ret)
		(*ret)->owner = owner;
	return true;
}

bool
rows_fold(struct store *store, const struct entry *event, struct err *err)
{
	struct cached *c;

	if (!event->stream.s || event->thread)
		return true;
	if (!rows_find(store, event->stream, &c, err))
		return false;
	fold(store, c ? c : fresh(store, event->stream), event);
	return true;
}

/* ---- to disk */

static bool
write_row(struct cached *c, void *payload)
{
	struct store *store = payload;
	struct buf doc = BUF_INIT;
	bool ok;

	store->ops->save(c->row, &doc);
	ok = tables_write_row(store->tables, stream_of(c), store->ops->updated(c->row), store->ops->status(c->row),
	    store->ops->open(c->row), c->owner, span_of(&doc), &store->err);
	buf_release(&doc);
	return ok;
}

bool
rows_flush(struct store *store)
{
	store->rows.flushed = true;
	return cache_each_dirty(store->cache, write_row, store);
}

bool
rows_behind(const struct store *store)
{
	return cache_is_dirty(store->cache) || store->rows.stale;
}

static bool
write_mark(struct store *store)
{
	struct buf text = BUF_INIT;
	bool ok;

	buf_addu64(&text, (uint64_t)store->last_seq);
	ok = tables_write_mark(store->tables, mark_key, span_of(&text), &store->err);
	buf_release(&text);
	return ok;
}

bool
rows_commit(struct store *store)
{
	return rows_flush(store) && (store->share || store->last_seq == store->rows.mark || write_mark(store));
}

void
rows_committed(struct store *store)
{
	if (!store->rows.flushed)
		return;
	store->rows.flushed = false;
	store->rows.mark = store->last_seq;
	cache_clean(store->cache);
}

void
rows_undo(struct store *store)
{
	store->rows.flushed = false;
	/* it holds what earlier batches have stored, too */
	store->rows.stale = store->rows.stale || (!store->share && cache_is_dirty(store->cache));
	cache_forget_dirty(store->cache);
}

void
rows_lost(struct store *store, int64_t mark)
{
	store->rows.mark = mark;
	store->rows.stale = true;
	cache_drop_all(store->cache);
}

/* ---- what the rows on disk lack */

static bool
catch_up(struct store *store, struct err *err)
{
	struct page page = { .after = store->rows.mark, .limit = STORE_PAGE_MAX };
	bool ok;
	size_t i;

	do {
		ok = tables_read_news(store->tables, &page);
		if (!ok)
			*err = page.err;
		for (i = 0; ok && i < page.n_events; i++) {
			page.after = page.events[i]->seq;
			ok = rows_fold(store, page.events[i], err);
		}
		events_free(&page.events, &page.n_events);
	} while (ok && page.more && !(page.more = false));
	return ok;
}

bool
rows_refresh(struct store *store, struct err *err)
{
	if (!store->rows.stale)
		return true;
	if (!catch_up(store, err)) {
		cache_forget_dirty(store->cache);
		return false;
	}
	store->rows.stale = false;
	return true;
}

bool
rows_open(struct store *store, struct err *err)
{
	struct buf text = BUF_INIT;
	bool found, ok;

	if (store->share)
		return true;
	if (!tables_read_doc(store->tables, mark_key, &found, &text, err))
		return false;
	/* without it each row was written with its events */
	ok = !found || num_i64(text.s, text.len, &store->rows.mark);
	if (!found)
		store->rows.mark = store->last_seq;
	buf_release(&text);
	if (!ok)
		return err_set(err, STATUS_CONFIG, "unable to use the store: its number of the rows is damaged");
	store->rows.stale = store->rows.mark < store->last_seq;
	return rows_refresh(store, err);
}
