/* sqlite.c - the log in a SQLite database: schema and statements
 *
 * STRICT tables, WAL, synchronous=FULL: a commit that returned is on the disk.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "status.h"
#include "store/internal.h"
#include "xalloc.h"

#define SCHEMA_VERSION ((int)ARRAY_LEN(migrations))
#define BUSY_MS 5000 /* somebody else (a backup) may hold the file for a moment */

/* What brings a file of version i to the next one; 0 is an empty file. */
static const char *const migrations[] = {
	"CREATE TABLE events(seq INTEGER PRIMARY KEY, stream TEXT, kind TEXT NOT NULL, turn TEXT, level INTEGER NOT NULL,"
	" message TEXT NOT NULL, service TEXT, data BLOB, at INTEGER NOT NULL) STRICT;"
	"CREATE INDEX events_stream ON events(stream, seq) WHERE stream IS NOT NULL;"
	"CREATE TABLE streams(id INTEGER PRIMARY KEY, stream TEXT NOT NULL UNIQUE, updated INTEGER NOT NULL, status TEXT NOT NULL,"
	" open INTEGER NOT NULL, doc BLOB NOT NULL) STRICT;"
	"CREATE INDEX streams_updated ON streams(updated DESC, id);"
	"CREATE INDEX streams_open ON streams(id) WHERE open <> 0;"
	"CREATE TABLE keys(key TEXT PRIMARY KEY, print INTEGER NOT NULL, answer BLOB, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE INDEX keys_at ON keys(at);",

	"CREATE TABLE docs(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, doc BLOB NOT NULL) STRICT;"
	"CREATE INDEX events_service ON events(service, seq) WHERE service IS NOT NULL;",

	/* One turn in progress per thread is the store's promise: turns_one. */
	"ALTER TABLE events ADD COLUMN thread TEXT;"
	"CREATE INDEX events_thread ON events(thread, seq) WHERE thread IS NOT NULL;"
	"CREATE TABLE threads(id INTEGER PRIMARY KEY, thread TEXT NOT NULL UNIQUE, workspace TEXT NOT NULL, mode TEXT NOT NULL, host TEXT NOT NULL,"
	" status TEXT NOT NULL, title TEXT, archived INTEGER NOT NULL, native TEXT, rules TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL,"
	" switched INTEGER, session INTEGER NOT NULL) STRICT;"
	"CREATE INDEX threads_updated ON threads(workspace, updated DESC, id DESC);"
	"CREATE TABLE turns(id INTEGER PRIMARY KEY, turn TEXT NOT NULL UNIQUE, thread TEXT NOT NULL, status TEXT NOT NULL, mode TEXT NOT NULL, host TEXT NOT NULL,"
	" input TEXT NOT NULL, output TEXT, error TEXT, parent TEXT, source TEXT, request TEXT, user_message TEXT, assistant_message TEXT,"
	" started INTEGER NOT NULL, completed INTEGER,"
	" CHECK((status = 'inProgress') = (completed IS NULL))) STRICT;"
	"CREATE UNIQUE INDEX turns_one ON turns(thread) WHERE status = 'inProgress';"
	"CREATE UNIQUE INDEX turns_request ON turns(thread, request) WHERE request IS NOT NULL;"
	"CREATE INDEX turns_thread ON turns(thread, id);"
	"CREATE TABLE approvals(id INTEGER PRIMARY KEY, approval TEXT NOT NULL UNIQUE, thread TEXT NOT NULL, turn TEXT NOT NULL, status TEXT NOT NULL,"
	" doc TEXT NOT NULL, created INTEGER NOT NULL) STRICT;"
	"CREATE INDEX approvals_open ON approvals(thread, id) WHERE status = 'pending';"
	"CREATE INDEX approvals_thread ON approvals(thread, id);",
};

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
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
	REMOVE_DOC,
	HAS_DOC,
	LIST_DOCS,
	READ_KEY,
	INSERT_KEY,
	FORGET_KEYS,
	LAST,
	STATEMENT_COUNT
};

#define EVENT_COLUMNS "seq, stream, kind, turn, level, message, service, data, at, thread"
/* kinds that begin with a prefix: a range, ?4 being the prefix with its last character raised by one */
#define KIND_RANGE "(?3 IS NULL OR (kind >= ?3 AND kind < ?4))"

static const char *const texts[] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[INSERT_EVENT] = "INSERT INTO events(" EVENT_COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
	[WRITE_ROW] =
	    "INSERT INTO streams(stream, updated, status, open, doc) VALUES(?1,?2,?3,?4,?5)"
	    " ON CONFLICT(stream) DO UPDATE SET updated=excluded.updated, status=excluded.status, open=excluded.open, doc=excluded.doc",
	[READ_ROW] = "SELECT doc FROM streams WHERE stream=?1",
	[LIST_ROWS] = "SELECT stream, doc FROM streams ORDER BY updated DESC, id LIMIT ?1",
	[LIST_OPEN] = "SELECT stream, doc FROM streams WHERE open <> 0 ORDER BY id LIMIT ?1",
	[PAGE_ALL] = "SELECT " EVENT_COLUMNS " FROM events WHERE seq>?1 AND thread IS NULL AND " KIND_RANGE " ORDER BY seq LIMIT ?2",
	[PAGE_ALL_LAST] = "SELECT " EVENT_COLUMNS " FROM events WHERE seq>?1 AND thread IS NULL AND " KIND_RANGE
			  " ORDER BY seq DESC LIMIT ?2",
	[PAGE_STREAM] = "SELECT " EVENT_COLUMNS " FROM events WHERE stream=?5 AND seq>?1 AND " KIND_RANGE " ORDER BY seq LIMIT ?2",
	[PAGE_STREAM_LAST] = "SELECT " EVENT_COLUMNS " FROM events WHERE stream=?5 AND seq>?1 AND " KIND_RANGE
			     " ORDER BY seq DESC LIMIT ?2",
	[PAGE_SERVICE] = "SELECT " EVENT_COLUMNS " FROM events WHERE service=?5 AND seq>?1 AND " KIND_RANGE " ORDER BY seq LIMIT ?2",
	[PAGE_SERVICE_LAST] = "SELECT " EVENT_COLUMNS " FROM events WHERE service=?5 AND seq>?1 AND " KIND_RANGE
			      " ORDER BY seq DESC LIMIT ?2",
	[PAGE_THREAD] = "SELECT " EVENT_COLUMNS " FROM events WHERE thread=?5 AND seq>?1 AND " KIND_RANGE " ORDER BY seq LIMIT ?2",
	[PAGE_THREAD_LAST] = "SELECT " EVENT_COLUMNS " FROM events WHERE thread=?5 AND seq>?1 AND " KIND_RANGE
			     " ORDER BY seq DESC LIMIT ?2",
	[WRITE_DOC] = "INSERT INTO docs(key, doc) VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET doc=excluded.doc",
	[REMOVE_DOC] = "DELETE FROM docs WHERE key=?1",
	[HAS_DOC] = "SELECT 1 FROM docs WHERE key=?1",
	[LIST_DOCS] = "SELECT key, doc FROM docs WHERE key >= ?1 AND key < ?2 ORDER BY id",
	[READ_KEY] = "SELECT print, answer FROM keys WHERE key=?1",
	[INSERT_KEY] = "INSERT INTO keys(key, print, answer, at) VALUES(?1,?2,?3,?4)",
	[FORGET_KEYS] = "DELETE FROM keys WHERE at<?1",
	[LAST] = "SELECT seq, at FROM events ORDER BY seq DESC LIMIT 1",
};
_Static_assert(ARRAY_LEN(texts) == STATEMENT_COUNT, "a text for each statement");

struct sqlite {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
};

static bool
failed(struct sqlite *s, const char *what, struct err *err)
{
	return err_set(err, STATUS_RETRY, "unable to %s: %s", what, sqlite3_errmsg(s->db));
}

static sqlite3_stmt *
get(struct sqlite *s, enum statement which)
{
	sqlite3_stmt *statement = s->statements[which];

	sqlite3_reset(statement);
	return statement;
}

static bool
run(struct sqlite *s, enum statement which, const char *what, struct err *err)
{
	int code = sqlite3_step(s->statements[which]);

	sqlite3_reset(s->statements[which]);
	return code == SQLITE_DONE || failed(s, what, err);
}

static void
bind(sqlite3_stmt *statement, int i, struct span text)
{
	if (text.s)
		sqlite3_bind_text64(statement, i, text.s, text.n, SQLITE_STATIC, SQLITE_UTF8);
	else
		sqlite3_bind_null(statement, i);
}

static void
bind_blob(sqlite3_stmt *statement, int i, struct span bytes)
{
	if (bytes.s)
		sqlite3_bind_blob64(statement, i, bytes.s, bytes.n, SQLITE_STATIC);
	else
		sqlite3_bind_null(statement, i);
}

static struct span
column(sqlite3_stmt *statement, int i)
{
	const void *bytes = sqlite3_column_blob(statement, i);
	size_t n = (size_t)sqlite3_column_bytes(statement, i);

	if (sqlite3_column_type(statement, i) == SQLITE_NULL)
		return SPAN_NONE;
	return (struct span){ bytes ? bytes : "", n };
}

struct sqlite3 *
sqlite_handle(struct sqlite *s)
{
	return s->db;
}

/* ---- opening */

static bool
exec(sqlite3 *db, const char *sql, const char *file, struct err *err)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return true;
	return err_set(err, STATUS_IO, "unable to use the store '%s': %s", file, sqlite3_errmsg(db));
}

static bool
read_version(sqlite3 *db, const char *file, int *ret, struct err *err)
{
	sqlite3_stmt *statement = NULL;
	bool ok = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW;

	if (ok)
		*ret = sqlite3_column_int(statement, 0);
	else
		err_set(err, STATUS_CONFIG, "unable to use the store '%s': %s", file, sqlite3_errmsg(db));
	sqlite3_finalize(statement);
	if (ok && *ret > SCHEMA_VERSION)
		return err_set(err, STATUS_CONFIG, "unable to use the store '%s': a newer version wrote it (schema %d, this one knows %d)",
		    file, *ret, SCHEMA_VERSION);
	return ok;
}

static bool
set_up(sqlite3 *db, const char *file, struct err *err)
{
	struct buf set = BUF_INIT;
	int version, i;
	bool ok;

	sqlite3_busy_timeout(db, BUSY_MS);
	if (!read_version(db, file, &version, err))
		return false;
	if (!exec(db,
		"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-4000; PRAGMA journal_size_limit=16777216; PRAGMA temp_store=MEMORY",
		file, err))
		return false;
	if (version == SCHEMA_VERSION)
		return true;
	ok = exec(db, "BEGIN EXCLUSIVE", file, err);
	for (i = version; ok && i < SCHEMA_VERSION; i++)
		ok = exec(db, migrations[i], file, err);
	buf_addf(&set, "PRAGMA user_version=%d; COMMIT", SCHEMA_VERSION);
	ok = ok && exec(db, set.s, file, err);
	buf_release(&set);
	return ok;
}

struct sqlite *
sqlite_open_db(const char *file, struct err *err)
{
	struct sqlite *s = xcalloc(1, sizeof *s);
	mode_t old = umask(0077);
	int i;

	if (sqlite3_open_v2(file, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
		err_set(err, STATUS_IO, "unable to open the store '%s': %s", file, s->db ? sqlite3_errmsg(s->db) : "out of memory");
		goto fail;
	}
	if (!set_up(s->db, file, err))
		goto fail;
	for (i = 0; i < STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(s->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statements[i], NULL) != SQLITE_OK) {
			err_set(err, STATUS_CONFIG, "unable to use the store '%s': %s", file, sqlite3_errmsg(s->db));
			goto fail;
		}
	umask(old);
	return s;
fail:
	umask(old);
	sqlite_close_db(s);
	return NULL;
}

bool
sqlite_check_db(const char *file, struct err *err)
{
	sqlite3 *db = NULL;
	int version;
	bool ok;

	if (access(file, F_OK) < 0)
		return true; /* it will be made */
	ok = sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK;
	if (!ok)
		err_set(err, STATUS_IO, "unable to open the store '%s': %s", file, db ? sqlite3_errmsg(db) : "out of memory");
	ok = ok && read_version(db, file, &version, err);
	sqlite3_close(db);
	return ok;
}

void
sqlite_close_db(struct sqlite *s)
{
	int i;

	if (!s)
		return;
	for (i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->db);
	free(s);
}

/* ---- writing */

bool
sqlite_begin(struct sqlite *s, struct err *err)
{
	get(s, BEGIN);
	return run(s, BEGIN, "store", err);
}

bool
sqlite_commit(struct sqlite *s, struct err *err)
{
	get(s, COMMIT);
	return run(s, COMMIT, "store", err);
}

void
sqlite_rollback(struct sqlite *s)
{
	get(s, ROLLBACK);
	(void)run(s, ROLLBACK, "undo", NULL); /* after some errors SQLite has done it itself */
}

bool
sqlite_in_transaction(const struct sqlite *s)
{
	return !sqlite3_get_autocommit(s->db);
}

bool
sqlite_insert_event(struct sqlite *s, const struct entry *event, struct err *err)
{
	sqlite3_stmt *statement = get(s, INSERT_EVENT);

	sqlite3_bind_int64(statement, 1, event->seq);
	bind(statement, 2, event->thread ? SPAN_NONE : event->stream);
	bind(statement, 10, event->thread ? event->stream : SPAN_NONE);
	bind(statement, 3, event->kind);
	bind(statement, 4, event->turn);
	sqlite3_bind_int(statement, 5, event->level);
	bind(statement, 6, event->message.s ? event->message : (struct span){ "", 0 });
	bind(statement, 7, event->service);
	bind_blob(statement, 8, event->data);
	sqlite3_bind_int64(statement, 9, event->at_ms);
	return run(s, INSERT_EVENT, "store", err);
}

bool
sqlite_write_row(struct sqlite *s, struct span stream, int64_t updated, const char *status, bool open, struct span doc, struct err *err)
{
	sqlite3_stmt *statement = get(s, WRITE_ROW);

	bind(statement, 1, stream);
	sqlite3_bind_int64(statement, 2, updated);
	bind(statement, 3, (struct span){ status, strlen(status) });
	sqlite3_bind_int(statement, 4, open);
	bind_blob(statement, 5, doc);
	return run(s, WRITE_ROW, "store", err);
}

bool
sqlite_insert_key(struct sqlite *s, struct span key, uint64_t print, struct span answer, int64_t at, struct err *err)
{
	sqlite3_stmt *statement = get(s, INSERT_KEY);

	bind(statement, 1, key);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)print);
	bind_blob(statement, 3, answer);
	sqlite3_bind_int64(statement, 4, at);
	return run(s, INSERT_KEY, "store", err);
}

bool
sqlite_write_doc(struct sqlite *s, struct span key, struct span doc, struct err *err)
{
	enum statement which = doc.s ? WRITE_DOC : REMOVE_DOC;
	sqlite3_stmt *statement = get(s, which);

	bind(statement, 1, key);
	if (doc.s)
		bind_blob(statement, 2, doc);
	return run(s, which, "store", err);
}

bool
sqlite_forget_keys(struct sqlite *s, int64_t before, struct err *err)
{
	sqlite3_bind_int64(get(s, FORGET_KEYS), 1, before);
	return run(s, FORGET_KEYS, "store", err);
}

/* ---- reading */

bool
sqlite_read_row(struct sqlite *s, struct span stream, bool *ret_found, struct buf *doc, struct err *err)
{
	sqlite3_stmt *statement = get(s, READ_ROW);
	struct span value;
	int code;

	bind(statement, 1, stream);
	code = sqlite3_step(statement);
	*ret_found = code == SQLITE_ROW;
	if (code == SQLITE_ROW) {
		value = column(statement, 0);
		buf_add(doc, value.s, value.n);
	}
	sqlite3_reset(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE || failed(s, "read the store", err);
}

bool
sqlite_list_rows(struct sqlite *s, bool open_only, int limit, sqlite_row_cb *cb, void *payload, struct err *err)
{
	sqlite3_stmt *statement = get(s, open_only ? LIST_OPEN : LIST_ROWS);
	int code;

	sqlite3_bind_int(statement, 1, limit);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW)
		if (!cb(column(statement, 0), column(statement, 1), payload))
			break;
	sqlite3_reset(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE || failed(s, "read the store", err);
}

bool
sqlite_has_doc(struct sqlite *s, struct span key, bool *ret_found, struct err *err)
{
	sqlite3_stmt *statement = get(s, HAS_DOC);
	int code;

	bind(statement, 1, key);
	code = sqlite3_step(statement);
	*ret_found = code == SQLITE_ROW;
	sqlite3_reset(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE || failed(s, "read the store", err);
}

bool
sqlite_list_docs(struct sqlite *s, const char *prefix, sqlite_row_cb *cb, void *payload, struct err *err)
{
	sqlite3_stmt *statement = get(s, LIST_DOCS);
	struct buf above = BUF_INIT;
	int code;

	buf_addstr(&above, prefix);
	above.s[above.len - 1]++;
	bind(statement, 1, (struct span){ prefix, strlen(prefix) });
	bind(statement, 2, (struct span){ above.s, above.len });
	while ((code = sqlite3_step(statement)) == SQLITE_ROW)
		if (!cb(column(statement, 0), column(statement, 1), payload))
			break;
	sqlite3_reset(statement);
	buf_release(&above);
	return code == SQLITE_ROW || code == SQLITE_DONE || failed(s, "read the store", err);
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

bool
sqlite_read_page(struct sqlite *s, struct page *page)
{
	static const enum statement statements[][2] = { { PAGE_ALL, PAGE_ALL_LAST }, { PAGE_STREAM, PAGE_STREAM_LAST },
		{ PAGE_SERVICE, PAGE_SERVICE_LAST }, { PAGE_THREAD, PAGE_THREAD_LAST } };
	enum statement which = statements[page->thread ? 3 : page->stream.len ? 1 : page->service.len ? 2 : 0][page->last];
	sqlite3_stmt *statement = get(s, which);
	struct buf above = BUF_INIT;
	size_t bytes = 0;
	int code;

	sqlite3_bind_int64(statement, 1, page->after);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)page->limit + 1); /* one more tells whether there is more */
	sqlite3_bind_null(statement, 3);
	sqlite3_bind_null(statement, 4);
	if (page->prefix) {
		buf_addstr(&above, page->prefix);
		above.s[above.len - 1]++;
		bind(statement, 3, (struct span){ page->prefix, strlen(page->prefix) });
		bind(statement, 4, (struct span){ above.s, above.len });
	}
	if (page->stream.len || page->thread)
		bind(statement, 5, (struct span){ page->stream.s, page->stream.len });
	else if (page->service.len)
		bind(statement, 5, (struct span){ page->service.s, page->service.len });
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		struct entry like = { .seq = sqlite3_column_int64(statement, 0),
			.level = (enum level)sqlite3_column_int(statement, 4),
			.at_ms = sqlite3_column_int64(statement, 8) };

		if (page->n_events == (size_t)page->limit || (!page->last && page->n_events && bytes > STORE_PAGE_BYTES)) {
			page->more = true;
			break;
		}
		like.stream = column(statement, page->thread ? 9 : 1);
		like.thread = page->thread;
		like.kind = column(statement, 2);
		like.turn = column(statement, 3);
		like.message = column(statement, 5);
		like.service = column(statement, 6);
		like.data = column(statement, 7);
		bytes += like.data.n + like.message.n;
		events_add(&page->events, &page->n_events, entry_new(&like));
	}
	sqlite3_reset(statement);
	if (page->last)
		reverse(page->events, page->n_events);
	buf_release(&above);
	return code == SQLITE_ROW || code == SQLITE_DONE || failed(s, "read the store", &page->err);
}

bool
sqlite_read_key(struct sqlite *s, struct span key, bool *ret_found, uint64_t *ret_print, struct buf *answer, struct err *err)
{
	sqlite3_stmt *statement = get(s, READ_KEY);
	struct span value;
	int code;

	bind(statement, 1, key);
	code = sqlite3_step(statement);
	*ret_found = code == SQLITE_ROW;
	if (code == SQLITE_ROW) {
		*ret_print = (uint64_t)sqlite3_column_int64(statement, 0);
		value = column(statement, 1);
		buf_add(answer, value.s, value.n);
	}
	sqlite3_reset(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE || failed(s, "read the store", err);
}

bool
sqlite_last(struct sqlite *s, int64_t *ret_seq, int64_t *ret_at, struct err *err)
{
	sqlite3_stmt *statement = get(s, LAST);
	int code = sqlite3_step(statement);

	*ret_seq = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
	*ret_at = code == SQLITE_ROW ? sqlite3_column_int64(statement, 1) : 0;
	sqlite3_reset(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE || failed(s, "read the store", err);
}
