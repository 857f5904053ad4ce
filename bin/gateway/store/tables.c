/* tables.c - the log and what is derived from it, in whatever database */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "store/internal.h"
#include "xalloc.h"

enum statement {
	INSERT_EVENT,
	WRITE_ROW,
	READ_ROW,
	LIST_ROWS,
	LIST_OPEN,
	PAGE_ALL,
	PAGE_ALL_LAST,
	PAGE_STREAM,
	PAGE_STREAM_LAST,
	PAGE_SERVICE,
	PAGE_SERVICE_LAST,
	PAGE_THREAD,
	PAGE_THREAD_LAST,
	WRITE_DOC,
	WRITE_MARK,
	REMOVE_DOC,
	READ_DOC,
	LIST_DOCS,
	READ_KEY,
	INSERT_KEY,
	FORGET_KEYS,
	LAST,
	NEWS,
	STATEMENT_COUNT
};

#define EVENT_COLUMNS "e.seq, e.stream, e.kind, e.turn, e.level, e.message, e.service, e.data, e.at, e.thread"
/* kinds that begin with a prefix: a range, ?4 being the prefix with its last character raised by one */
#define KIND_RANGE "(?3 IS NULL OR (e.kind >= ?3 AND e.kind < ?4))"
/* What is shared has both a stream and a thread; ?6 is enum sharing. */
#define RUN_READER "CASE WHEN e.thread IS NULL THEN " KIND_RANGE " WHEN e.kind='" DELTA_KIND "' THEN ?6=2 ELSE ?6>0 END"
#define THREAD_READER                                                                                                                      \
	KIND_RANGE " AND CASE ?6 WHEN 0 THEN e.stream IS NULL OR NOT (e.kind >= 'agent.' AND e.kind < 'agent/')"                           \
		   " WHEN 1 THEN e.kind<>'" DELTA_KIND "' ELSE 1=1 END"
/* The indices know the first event of each block (BLOCK_MAX): h, and e are all of it. A page may begin in the middle of one. */
#define BLOCKS_OF(column)                                                                                                                  \
	"SELECT " EVENT_COLUMNS " FROM events h CROSS JOIN events e WHERE h." column                                                       \
	"=?5 AND h.block>0 AND h.seq>?1-" STRING(BLOCK_MAX) " AND e.seq>=h.seq AND e.seq<h.seq+h.block AND e.seq>?1 AND "
#define WRITE_DOC_TEXT "INSERT INTO docs(key, doc) VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET doc=excluded.doc"
#define FORWARD " ORDER BY h.seq, e.seq LIMIT ?2"
#define BACKWARD " ORDER BY h.seq DESC, e.seq DESC LIMIT ?2"
#define STRING(number) STRING_OF(number)
#define STRING_OF(number) #number
_Static_assert(SHARED_NEWS == 1 && SHARED_ALL == 2, "as in the statements");

static const char *const texts[] = {
	[INSERT_EVENT] = "INSERT INTO events(seq, stream, kind, turn, level, message, service, data, at, thread, block)"
			 " VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11)",
	[WRITE_ROW] =
	    "INSERT INTO streams(stream, updated, status, open, doc, owner) VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT(stream) DO UPDATE SET"
	    " updated=excluded.updated, status=excluded.status, open=excluded.open, doc=excluded.doc, owner=excluded.owner",
	[READ_ROW] = "SELECT doc, owner FROM streams WHERE stream=?1",
	[LIST_ROWS] = "SELECT stream, doc FROM streams ORDER BY updated DESC, id LIMIT ?1",
	[LIST_OPEN] = "SELECT stream, doc FROM streams WHERE open <> 0 AND (?2 = -1 OR owner = ?2) ORDER BY id LIMIT ?1",
	[PAGE_ALL] = "SELECT " EVENT_COLUMNS " FROM events e WHERE e.seq>?1 AND e.thread IS NULL AND " KIND_RANGE
		     " ORDER BY e.seq LIMIT ?2",
	[PAGE_ALL_LAST] = "SELECT " EVENT_COLUMNS " FROM events e WHERE e.seq>?1 AND e.thread IS NULL AND " KIND_RANGE
			  " ORDER BY e.seq DESC LIMIT ?2",
	[PAGE_STREAM] = BLOCKS_OF("stream") RUN_READER FORWARD,
	[PAGE_STREAM_LAST] = BLOCKS_OF("stream") RUN_READER BACKWARD,
	[PAGE_SERVICE] = BLOCKS_OF("service") "e.thread IS NULL AND " KIND_RANGE FORWARD,
	[PAGE_SERVICE_LAST] = BLOCKS_OF("service") "e.thread IS NULL AND " KIND_RANGE BACKWARD,
	[PAGE_THREAD] = BLOCKS_OF("thread") THREAD_READER FORWARD,
	[PAGE_THREAD_LAST] = BLOCKS_OF("thread") THREAD_READER BACKWARD,
	[WRITE_DOC] = WRITE_DOC_TEXT,
	[WRITE_MARK] = WRITE_DOC_TEXT,
	[REMOVE_DOC] = "DELETE FROM docs WHERE key=?1",
	[READ_DOC] = "SELECT doc FROM docs WHERE key=?1",
	[LIST_DOCS] = "SELECT key, doc FROM docs WHERE key >= ?1 AND key < ?2 ORDER BY id",
	[READ_KEY] = "SELECT answer, print FROM keys WHERE key=?1",
	[INSERT_KEY] = "INSERT INTO keys(key, print, answer, at) VALUES(?1,?2,?3,?4)",
	[FORGET_KEYS] = "DELETE FROM keys WHERE at<?1",
	[LAST] = "SELECT seq, at FROM events ORDER BY seq DESC LIMIT 1",
	[NEWS] = "SELECT " EVENT_COLUMNS " FROM events e WHERE e.seq>?1 ORDER BY e.seq LIMIT ?2",
};
_Static_assert(ARRAY_LEN(texts) == STATEMENT_COUNT, "a text for each statement");

struct tables {
	struct db *db;
	struct query *queries[STATEMENT_COUNT];
};

struct tables *
tables_new(struct db *db, struct err *err)
{
	struct tables *t = xcalloc(1, sizeof *t);
	int i;

	t->db = db;
	for (i = 0; i < STATEMENT_COUNT; i++)
		if (!db_query(db, &t->queries[i], texts[i], err)) {
			tables_free(t);
			return NULL;
		}
	query_gather(t->queries[INSERT_EVENT]);
	query_gather(t->queries[WRITE_ROW]);
	query_gather(t->queries[WRITE_MARK]);
	return t;
}

void
tables_free(struct tables *t)
{
	int i;

	if (!t)
		return;
	for (i = 0; i < STATEMENT_COUNT; i++)
		query_drop(t->queries[i]);
	free(t);
}

static struct query *
get(struct tables *t, enum statement which)
{
	query_reset(t->queries[which]);
	return t->queries[which];
}

/* ---- writing */

bool
tables_insert_event(struct tables *t, const struct entry *event, int64_t block, struct err *err)
{
	struct query *query = get(t, INSERT_EVENT);

	query_int(query, 1, event->seq);
	query_text(query, 2, event->thread && !event->shared ? SPAN_NONE : event->stream);
	query_text(query, 3, event->kind);
	query_text(query, 4, event->turn);
	query_int(query, 5, event->level);
	query_text(query, 6, event->message.s ? event->message : (struct span){ "", 0 });
	query_text(query, 7, event->service);
	query_blob(query, 8, event->data);
	query_int(query, 9, event->at_ms);
	query_text(query, 10, event->thread ? event->stream : SPAN_NONE);
	query_int(query, 11, block);
	return query_run(query, err);
}

bool
tables_write_row(
    struct tables *t, struct span stream, int64_t updated, const char *status, bool open, int64_t owner, struct span doc, struct err *err)
{
	struct query *query = get(t, WRITE_ROW);

	query_text(query, 1, stream);
	query_int(query, 2, updated);
	query_text(query, 3, (struct span){ status, strlen(status) });
	query_int(query, 4, open);
	query_blob(query, 5, doc);
	query_int(query, 6, owner);
	return query_run(query, err);
}

bool
tables_insert_key(struct tables *t, struct span key, uint64_t print, struct span answer, int64_t at, struct err *err)
{
	struct query *query = get(t, INSERT_KEY);

	query_text(query, 1, key);
	query_int(query, 2, (int64_t)print);
	query_blob(query, 3, answer);
	query_int(query, 4, at);
	return query_run(query, err);
}

bool
tables_write_doc(struct tables *t, struct span key, struct span doc, struct err *err)
{
	struct query *query = get(t, doc.s ? WRITE_DOC : REMOVE_DOC);

	query_text(query, 1, key);
	if (doc.s)
		query_blob(query, 2, doc);
	return query_run(query, err);
}

bool
tables_write_mark(struct tables *t, struct span key, struct span doc, struct err *err)
{
	struct query *query = get(t, WRITE_MARK);

	query_text(query, 1, key);
	query_blob(query, 2, doc);
	return query_run(query, err);
}

bool
tables_forget_keys(struct tables *t, int64_t before, struct err *err)
{
	struct query *query = get(t, FORGET_KEYS);

	query_int(query, 1, before);
	return query_run(query, err);
}

/* ---- reading */

/* The one row that a query gives, if any: its first column is appended, and it stays there for the others until the query is reset. */
static bool
read_one(struct query *query, bool *ret_found, struct buf *to, struct err *err)
{
	enum db_step step = query_step(query, err);
	struct span value;

	*ret_found = step == DB_ROW;
	if (*ret_found) {
		value = query_get(query, 0);
		buf_add(to, value.s, value.n);
	}
	return step != DB_FAILED;
}

bool
tables_read_row(struct tables *t, struct span stream, bool *ret_found, struct buf *doc, int64_t *ret_owner, struct err *err)
{
	struct query *query = get(t, READ_ROW);
	bool ok;

	query_text(query, 1, stream);
	ok = read_one(query, ret_found, doc, err);
	if (*ret_found)
		*ret_owner = query_get_int(query, 1);
	query_reset(query);
	return ok;
}

static bool
each_row(struct query *query, table_row_cb *cb, void *payload, struct err *err)
{
	enum db_step step;

	while ((step = query_step(query, err)) == DB_ROW)
		if (!cb(query_get(query, 0), query_get(query, 1), payload))
			break;
	query_reset(query);
	return step != DB_FAILED;
}

bool
tables_list_rows(struct tables *t, bool open_only, int64_t owner, int limit, table_row_cb *cb, void *payload, struct err *err)
{
	struct query *query = get(t, open_only ? LIST_OPEN : LIST_ROWS);

	query_int(query, 1, limit);
	if (open_only)
		query_int(query, 2, owner);
	return each_row(query, cb, payload, err);
}

bool
tables_read_doc(struct tables *t, struct span key, bool *ret_found, struct buf *doc, struct err *err)
{
	struct query *query = get(t, READ_DOC);
	bool ok;

	query_text(query, 1, key);
	ok = read_one(query, ret_found, doc, err);
	query_reset(query);
	return ok;
}

/* The least text above all that begin with this one. */
static struct span
above(const char *prefix, struct buf *to)
{
	buf_addstr(to, prefix);
	to->s[to->len - 1]++;
	return span_of(to);
}

bool
tables_list_docs(struct tables *t, const char *prefix, table_row_cb *cb, void *payload, struct err *err)
{
	struct query *query = get(t, LIST_DOCS);
	struct buf end = BUF_INIT;
	bool ok;

	query_text(query, 1, (struct span){ prefix, strlen(prefix) });
	query_text(query, 2, above(prefix, &end));
	ok = each_row(query, cb, payload, err);
	buf_release(&end);
	return ok;
}

static void
reverse(struct entry **events, size_t n)
{
	size_t i;

	for (i = 0; i < n / 2; i++) {
		struct entry *e = events[i];

		events[i] = events[n - 1 - i];
		events[n - 1 - i] = e;
	}
}

static struct entry *
read_event(struct query *query)
{
	bool thread = query_get(query, 9).s != NULL;
	struct entry like = { .seq = query_get_int(query, 0),
		.stream = query_get(query, thread ? 9 : 1),
		.thread = query_get(query, 9).s != NULL,
		.shared = query_get(query, 9).s && query_get(query, 1).s,
		.kind = query_get(query, 2),
		.turn = query_get(query, 3),
		.level = (enum level)query_get_int(query, 4),
		.message = query_get(query, 5),
		.service = query_get(query, 6),
		.data = query_get(query, 7),
		.at_ms = query_get_int(query, 8) };

	return entry_new(&like);
}

/* As many as the page has room for. */
static bool
read_events(struct query *query, struct page *page)
{
	enum db_step step;
	size_t bytes = 0;

	query_stream(query);
	while ((step = query_step(query, &page->err)) == DB_ROW) {
		struct entry *event;

		if (page->n_events == (size_t)page->limit || (!page->last && page->n_events && bytes > STORE_PAGE_BYTES)) {
			page->more = true;
			break;
		}
		event = read_event(query);
		bytes += event->data.n + event->message.n;
		events_add(&page->events, &page->n_events, event);
	}
	query_reset(query);
	if (page->last)
		reverse(page->events, page->n_events);
	return step != DB_FAILED;
}

bool
tables_read_page(struct tables *t, struct page *page)
{
	static const enum statement statements[][2] = { { PAGE_ALL, PAGE_ALL_LAST }, { PAGE_STREAM, PAGE_STREAM_LAST },
		{ PAGE_SERVICE, PAGE_SERVICE_LAST }, { PAGE_THREAD, PAGE_THREAD_LAST } };
	enum statement which = statements[page->thread ? 3 : page->stream.len ? 1 : page->service.len ? 2 : 0][page->last];
	struct query *query = get(t, which);
	struct buf end = BUF_INIT;
	bool ok;

	query_int(query, 1, page->after);
	query_int(query, 2, (int64_t)page->limit + 1); /* one more tells whether there is more */
	if (page->prefix) {
		query_text(query, 3, (struct span){ page->prefix, strlen(page->prefix) });
		query_text(query, 4, above(page->prefix, &end));
	} else {
		query_text(query, 3, SPAN_NONE);
		query_text(query, 4, SPAN_NONE);
	}
	if (page->stream.len || page->thread) {
		query_text(query, 5, span_of(&page->stream));
		query_int(query, 6, (int64_t)page->shared);
	} else if (page->service.len)
		query_text(query, 5, span_of(&page->service));
	ok = read_events(query, page);
	buf_release(&end);
	return ok;
}

bool
tables_read_news(struct tables *t, struct page *page)
{
	struct query *query = get(t, NEWS);

	query_int(query, 1, page->after);
	query_int(query, 2, (int64_t)page->limit + 1);
	return read_events(query, page);
}

bool
tables_read_key(struct tables *t, struct span key, bool *ret_found, uint64_t *ret_print, struct buf *answer, struct err *err)
{
	struct query *query = get(t, READ_KEY);
	bool ok;

	query_text(query, 1, key);
	ok = read_one(query, ret_found, answer, err);
	if (*ret_found)
		*ret_print = (uint64_t)query_get_int(query, 1);
	query_reset(query);
	return ok;
}

bool
tables_last(struct tables *t, int64_t *ret_seq, int64_t *ret_at, struct err *err)
{
	struct query *query = get(t, LAST);
	enum db_step step = query_step(query, err);

	*ret_seq = step == DB_ROW ? query_get_int(query, 0) : 0;
	*ret_at = step == DB_ROW ? query_get_int(query, 1) : 0;
	query_reset(query);
	return step != DB_FAILED;
}
