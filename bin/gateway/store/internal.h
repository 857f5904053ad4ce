/* internal.h - what the files of store/ share. Private to store/. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

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
	bool dirty; /* not yet written */
	struct cached *chain, *older, *newer;
};
#define CACHE_ROWS 4096 /* rows kept; dirty ones are never dropped */
struct cache *cache_new(const struct derived_ops *ops);
void cache_free(struct cache *cache);
struct cached *cache_get(struct cache *cache, struct span stream); /* NULL: not here; moves it to the front */
struct cached *cache_put(struct cache *cache, struct span stream, void *row);
void cache_trim(struct cache *cache);			 /* drops the oldest clean ones beyond CACHE_ROWS */
void cache_touch(struct cache *cache, struct cached *c); /* it has changed and is not yet on disk */
void cache_forget_dirty(struct cache *cache);		 /* after a rollback */
bool cache_each_dirty(struct cache *cache, bool (*cb)(struct cached *, void *), void *payload);
void cache_clean(struct cache *cache); /* after a commit */

/* tables.c - the log and what is derived from it; every call on the store's thread. On false, err is filled (STATUS_RETRY for a full disk or an
 * I/O error). */
struct tables;
struct tables *tables_new(struct db *db, struct err *err);
void tables_free(struct tables *tables); /* before the database is closed; accepts NULL */
bool tables_insert_event(struct tables *tables, const struct entry *event, struct err *err) USE_RESULT;
bool tables_write_row(
    struct tables *tables, struct span stream, int64_t updated, const char *status, bool open, struct span doc, struct err *err) USE_RESULT;
/* *ret_found tells whether there is one; doc is appended */
bool tables_read_row(struct tables *tables, struct span stream, bool *ret_found, struct buf *doc, struct err *err) USE_RESULT;
typedef bool table_row_cb(struct span stream, struct span doc, void *payload);
bool tables_list_rows(struct tables *tables, bool open_only, int limit, table_row_cb *cb, void *payload, struct err *err) USE_RESULT;
bool tables_write_doc(struct tables *tables, struct span key, struct span doc, struct err *err) USE_RESULT; /* SPAN_NONE: removes it */
bool tables_has_doc(struct tables *tables, struct span key, bool *ret_found, struct err *err) USE_RESULT;
bool tables_list_docs(struct tables *tables, const char *prefix, table_row_cb *cb, void *payload, struct err *err) USE_RESULT;
bool tables_read_page(struct tables *tables, struct page *page) USE_RESULT;
bool tables_read_key(
    struct tables *tables, struct span key, bool *ret_found, uint64_t *ret_print, struct buf *answer, struct err *err) USE_RESULT;
bool tables_insert_key(struct tables *tables, struct span key, uint64_t print, struct span answer, int64_t at, struct err *err) USE_RESULT;
bool tables_forget_keys(struct tables *tables, int64_t before, struct err *err) USE_RESULT;
bool tables_last(struct tables *tables, int64_t *ret_seq, int64_t *ret_at, struct err *err) USE_RESULT;

/* thread.c - statements of thread.h, prepared when they are first needed */
struct thread_db;
struct thread_db *thread_db_new(struct db *db);
void thread_db_free(struct thread_db *threads); /* before the database is closed; accepts NULL */

/* store.c - what a change's other tables need */
struct thread_db *change_threads(const struct change_context *context);
const struct secrets *change_secrets(const struct change_context *context);
void change_broken(struct change_context *context, const struct err *err); /* the batch will fail */

#endif
