/* sqlite.c - the database is a SQLite file: statements and transactions
 *
 * A commit that returned is on the disk. A transaction that is not committed yet may be noted in a file beside it (redo.h). Rows that were
 * gathered go in, and what is noted is committed, on a thread of its own (behind.h); the handle is that thread's while it works, and the
 * caller's otherwise.
 */
#include "compat.h"

#include <stdlib.h>

#include <sqlite3.h>

#include "status.h"
#include "store/behind.h"
#include "store/checkpoint.h"
#include "store/db.h"
#include "store/held.h"
#include "store/redo.h"
#include "store/sqlite.h"
#include "xalloc.h"

#define LOTS_MAX (4 * 1024 * 1024) /* bytes that are held back: then they go in at once */
#define LOG_PAGES 1000		   /* of SQLite's own log: then they begin to go into the file, and again each ... */
#define LOG_STEP 500		   /* ... of these that have come since, which costs two syncs each time ... */
#define LOG_PAGES_MAX 2000	   /* ... and all do, so that the log begins anew */

struct sqlite {
	struct db db;
	sqlite3 *handle;	      /* see own() */
	struct note *note;	      /* where what is run is noted, NULL: nowhere */
	struct sqlite_query *gathers; /* those whose rows are held back ... */
	struct lots lots;	      /* ... those rows ... */
	struct err lost;	      /* ... and why they could not be stored: nothing goes in before that was rolled back */
	struct behind *behind;	      /* NULL: not yet */
	bool given;		      /* it may be at work */
	bool open;		      /* a transaction, for those who call; behind may have to begin it yet */
	struct checkpointer *checkpointer;
	int log;     /* pages in the log ahead of the file, as of the last commit ... */
	int log_was; /* ... and as of the last time that the checkpointer was woken */
};

struct sqlite_query {
	struct query query;
	sqlite3_stmt *statement;
	const char *text;
	struct redo_value values[REDO_VALUES]; /* as bound, for the note and for what is held back */
	int n;
	struct noted noted;
	struct held *held; /* NULL: each run goes in by itself */
	struct sqlite_query *next;
};

static struct sqlite *
sqlite_of(struct db *db)
{
	return (struct sqlite *)db;
}

static sqlite3_stmt *
statement_of(struct query *query)
{
	return ((struct sqlite_query *)query)->statement;
}

static bool
not_stored(const struct sqlite *s, struct err *err)
{
	return err_set(err, STATUS_RETRY, "unable to store: %s", sqlite3_errmsg(s->handle));
}

/* ---- the handle: the caller's, or that of the thread behind */

static bool
run_text(struct sqlite *s, const char *text, struct err *err)
{
	return sqlite3_exec(s->handle, text, NULL, NULL, NULL) == SQLITE_OK || not_stored(s, err);
}

static bool
begin(struct sqlite *s, struct err *err)
{
	return run_text(s, "BEGIN IMMEDIATE", err);
}

/* Before anything that the caller does with it: it is the caller's until something is given again. Errors are kept in `lost`. */
static void
own(struct sqlite *s)
{
	if (!s->given)
		return;
	s->given = false;
	if (behind_wait(s->behind, &s->lost) && s->open && sqlite3_get_autocommit(s->handle))
		(void)begin(s, &s->lost);
}

static bool
is_well(const struct sqlite *s, struct err *err)
{
	if (s->lost.status)
		*err = s->lost;
	return !s->lost.status;
}

static int
on_log(void *payload, sqlite3 *handle, const char *name, int pages)
{
	struct sqlite *s = payload;

	(void)handle;
	(void)name;
	s->log = pages;
	return SQLITE_OK;
}

static bool
commit(struct sqlite *s, struct err *err)
{
	if (!sqlite3_get_autocommit(s->handle) && !run_text(s, "COMMIT", err))
		return false;
	if (s->log >= LOG_PAGES_MAX && sqlite3_wal_checkpoint_v2(s->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) == SQLITE_OK)
		s->log = 0; /* all but what was done already; should a reader be in the way, once more at the next commit */
	else if (s->log >= LOG_PAGES && (s->log < s->log_was || s->log >= s->log_was + LOG_STEP)) {
		s->log_was = s->log;
		checkpointer_wake(s->checkpointer);
	}
	return true;
}

static bool
run_behind(const struct lot *lot, void *payload, struct err *err)
{
	struct sqlite *s = payload;

	if (!lot)
		return commit(s, err);
	if (sqlite3_get_autocommit(s->handle) && !begin(s, err))
		return false;
	return lot_run(lot) || not_stored(s, err);
}

/* ---- statements */

static struct query *
sqlite_prepare(struct db *db, const char *text, struct err *err)
{
	struct sqlite_query *query = xcalloc(1, sizeof *query);
	sqlite3 *handle = sqlite_of(db)->handle;

	own(sqlite_of(db));
	query->query.db = db;
	query->text = text;
	if (sqlite3_prepare_v3(handle, text, -1, SQLITE_PREPARE_PERSISTENT, &query->statement, NULL) == SQLITE_OK)
		return &query->query;
	err_set(err, STATUS_CONFIG, "unable to use the store: %s", sqlite3_errmsg(handle));
	free(query);
	return NULL;
}

static void
sqlite_gather(struct query *query)
{
	struct sqlite_query *q = (struct sqlite_query *)query;
	struct sqlite *s = sqlite_of(query->db);

	q->held = held_new(s->handle, q->text);
	q->next = s->gathers;
	s->gathers = q;
}

static void
sqlite_drop(struct query *query)
{
	struct sqlite_query *q = (struct sqlite_query *)query, **at;

	own(sqlite_of(query->db));
	for (at = &sqlite_of(query->db)->gathers; *at && *at != q; at = &(*at)->next)
		;
	if (*at)
		*at = q->next;
	held_free(q->held);
	sqlite3_finalize(q->statement);
	free(q);
}

/* A row that is held back is bound when it goes in. */
static void
bind(struct query *query, int i, struct redo_value value)
{
	struct sqlite_query *q = (struct sqlite_query *)query;

	if (!q->held) {
		own(sqlite_of(query->db));
		value_bind(q->statement, i, &value, value.bytes.s);
	}
	q->values[i - 1] = value;
	if (q->n < i)
		q->n = i;
}

static void
sqlite_bind_int(struct query *query, int i, const int64_t *value)
{
	bind(query, i, (struct redo_value){ .kind = value ? REDO_INT : REDO_NULL, .number = value ? *value : 0 });
}

static void
sqlite_bind_bytes(struct query *query, int i, struct span bytes, bool text)
{
	bind(query, i, (struct redo_value){ .kind = !bytes.s ? REDO_NULL : text ? REDO_TEXT : REDO_BLOB, .bytes = bytes });
}

/* All that is held back goes in, when the statement might see some of it; text NULL: in any case. */
static bool
settle(struct sqlite *s, const char *text, struct err *err)
{
	struct sqlite_query *q;
	bool matters = false;
	struct lot *lot;

	own(s);
	for (q = s->gathers; q && !matters; q = q->next)
		matters = held_matters(q->held, &s->lots, text);
	for (q = s->gathers; matters && q; q = q->next)
		held_end(q->held, &s->lots);
	while (matters && !s->lost.status && (lot = lots_take(&s->lots))) {
		if (!lot_run(lot))
			not_stored(s, &s->lost);
		lots_spare(&s->lots, lot);
	}
	return is_well(s, err);
}

static bool
execute(struct query *query, int *ret_changed, struct err *err)
{
	sqlite3 *handle = sqlite_of(query->db)->handle;
	int code = sqlite3_step(statement_of(query));

	sqlite3_reset(statement_of(query));
	if (code != SQLITE_DONE)
		return not_stored(sqlite_of(query->db), err);
	if (ret_changed)
		*ret_changed = sqlite3_changes(handle);
	return true;
}

static bool
sqlite_run(struct query *query, int *ret_changed, struct err *err)
{
	struct sqlite_query *q = (struct sqlite_query *)query;
	struct sqlite *s = sqlite_of(query->db);
	struct note *note = s->note;

	if (q->held) {
		if (!is_well(s, err))
			return false;
		held_add(q->held, q->values, q->n, &s->lots);
		if (s->lots.bytes > LOTS_MAX && !settle(s, NULL, err))
			return false;
	} else if (!settle(s, q->text, err) || !execute(query, ret_changed, err))
		return false;
	if (note)
		note_run(note, &q->noted, q->text, q->values, q->n);
	return true;
}

static void
sqlite_note(struct db *db, struct note *note)
{
	sqlite_of(db)->note = note;
}

static enum db_step
sqlite_step(struct query *query, struct err *err)
{
	int code;

	if (!settle(sqlite_of(query->db), ((struct sqlite_query *)query)->text, err))
		return DB_FAILED;
	code = sqlite3_step(statement_of(query));
	if (code == SQLITE_ROW)
		return DB_ROW;
	if (code == SQLITE_DONE)
		return DB_DONE;
	err_set(err, STATUS_RETRY, "unable to read the store: %s", sqlite3_errmsg(sqlite_of(query->db)->handle));
	return DB_FAILED;
}

static int64_t
sqlite_get_int(struct query *query, int i)
{
	return sqlite3_column_int64(statement_of(query), i);
}

static struct span
sqlite_get(struct query *query, int i)
{
	sqlite3_stmt *statement = statement_of(query);
	const void *bytes = sqlite3_column_blob(statement, i);
	size_t n = (size_t)sqlite3_column_bytes(statement, i);

	if (sqlite3_column_type(statement, i) == SQLITE_NULL)
		return SPAN_NONE;
	return (struct span){ bytes ? bytes : "", n };
}

static void
sqlite_reset(struct query *query)
{
	if (((struct sqlite_query *)query)->held)
		return;
	own(sqlite_of(query->db));
	sqlite3_reset(statement_of(query));
}

/* ---- transactions */

static bool
sqlite_begin(struct db *db, struct err *err)
{
	struct sqlite *s = sqlite_of(db);

	s->open = s->given || begin(s, err);
	return s->open;
}

static bool
sqlite_commit(struct db *db, struct err *err)
{
	struct sqlite *s = sqlite_of(db);

	if (!settle(s, NULL, err) || !commit(s, err))
		return false;
	s->open = false;
	return true;
}

static void
give(struct sqlite *s, bool commit_too)
{
	behind_give(s->behind, &s->lots, commit_too);
	s->given = true;
}

static void
sqlite_hand_over(struct db *db)
{
	struct sqlite *s = sqlite_of(db);

	if (s->lots.first)
		give(s, false);
}

static void
sqlite_commit_behind(struct db *db)
{
	struct sqlite *s = sqlite_of(db);
	struct sqlite_query *q;

	for (q = s->gathers; q; q = q->next)
		held_end(q->held, &s->lots);
	give(s, true);
	s->open = false;
}

static void
sqlite_allow(struct db *db, const struct err *why)
{
	behind_allow(sqlite_of(db)->behind, why);
}

/* SQLite ends a transaction by itself after some errors, those of reading among them: what was in it is gone. */
static bool
is_ended(const struct sqlite *s)
{
	return s->open && !s->given && sqlite3_get_autocommit(s->handle);
}

static bool
sqlite_look(struct db *db, bool *ret_committed, struct err *err)
{
	struct sqlite *s = sqlite_of(db);

	return behind_look(s->behind, ret_committed, err) && is_well(s, err) &&
	    (!is_ended(s) || err_set(err, STATUS_RETRY, "unable to store: the transaction was ended by an error"));
}

static void
sqlite_rollback(struct db *db)
{
	struct sqlite *s = sqlite_of(db);
	struct sqlite_query *q;

	if (s->behind)
		behind_drop(s->behind);
	s->given = s->open = false;
	s->lost = (struct err)ERR_INIT;
	for (q = s->gathers; q; q = q->next)
		held_forget(q->held);
	lots_drop(&s->lots, &s->lots);
	/* after some errors SQLite has done it itself */
	(void)sqlite3_exec(s->handle, "ROLLBACK", NULL, NULL, NULL);
}

static bool
sqlite_in_transaction(const struct db *db)
{
	const struct sqlite *s = (const struct sqlite *)db;

	return s->open && (s->given || !sqlite3_get_autocommit(s->handle));
}

static void
sqlite_rest(struct db *db)
{
	struct sqlite *s = sqlite_of(db);

	own(s);
	(void)sqlite3_db_release_memory(s->handle);
	lots_trim(&s->lots);
	behind_rest(s->behind);
}

static void
sqlite_close(struct db *db)
{
	struct sqlite *s = sqlite_of(db);

	behind_free(s->behind);
	lots_release(&s->lots);
	checkpointer_free(s->checkpointer);
	sqlite3_close(s->handle);
	free(s);
}

static const struct db_ops sqlite_ops = { .close = sqlite_close,
	.begin = sqlite_begin,
	.commit = sqlite_commit,
	.rollback = sqlite_rollback,
	.in_transaction = sqlite_in_transaction,
	.prepare = sqlite_prepare,
	.drop = sqlite_drop,
	.bind_int = sqlite_bind_int,
	.bind_bytes = sqlite_bind_bytes,
	.run = sqlite_run,
	.step = sqlite_step,
	.get_int = sqlite_get_int,
	.get = sqlite_get,
	.reset = sqlite_reset,
	.gather = sqlite_gather,
	.hand_over = sqlite_hand_over,
	.commit_behind = sqlite_commit_behind,
	.allow = sqlite_allow,
	.look = sqlite_look,
	.note = sqlite_note,
	.rest = sqlite_rest };

struct db *
sqlite_db(sqlite3 *handle)
{
	struct sqlite *s = xcalloc(1, sizeof *s);

	s->db.ops = &sqlite_ops;
	s->handle = handle;
	lots_init(&s->lots);
	return &s->db;
}

bool
sqlite_start(struct db *db, const char *file, struct err *err)
{
	struct sqlite *s = sqlite_of(db);

	sqlite3_wal_hook(s->handle, on_log, s);
	s->checkpointer = checkpointer_new(file);
	s->behind = behind_new(run_behind, s);
	return s->behind || err_errno(err, STATUS_IO, "unable to start a thread for the store");
}
