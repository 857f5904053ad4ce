/* read.c - what is read on the store's thread, inside a batch that writes or beside it */
#include "compat.h"

#include "status.h"
#include "store/internal.h"
#include "xalloc.h"

static bool
add_row(struct span stream, struct span doc, void *payload)
{
	void **both = payload;
	const struct store *store = both[0];
	struct rows *rows = both[1];
	void *row = store->ops->load(stream, doc);

	if (!row)
		return true;
	rows->rows = xgrow(rows->rows, rows->n_rows, sizeof *rows->rows);
	rows->rows[rows->n_rows++] = row;
	return true;
}

static bool
add_doc(struct span key, struct span text, void *payload)
{
	struct docs *docs = payload;
	struct doc *doc;

	docs->list = xgrow(docs->list, docs->n, sizeof *docs->list);
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

	if (store->ahead && !ahead_is_whole(store, err))
		return false;
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
	/* of a batch that has failed: the rows did not go in for it */
	if (!rows->stream.len && rows_behind(store) && !store->rows.flushed)
		return err_set(err, STATUS_RETRY, "unable to read the store: its rows could not be written");
	if (!rows->stream.len)
		return tables_list_rows(store->tables, rows->open_only, -store->me, rows->limit, add_row, both, err);
	if (store->share)
		cache_drop(store->cache, span_of(&rows->stream)); /* others may have changed it since */
	if (!rows_find(store, span_of(&rows->stream), &c, err))
		return false;
	if (c) {
		store->ops->save(c->row, &doc);
		add_row(span_of(&rows->stream), span_of(&doc), both);
	}
	buf_release(&doc);
	return true;
}

void
read_run(struct store *store, struct op *op)
{
	struct err err = ERR_INIT;

	if (op->kind == OP_REST) {
		cache_drop_all(store->cache);
		db_rest(store->db);
		return;
	}
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
