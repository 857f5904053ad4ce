/* sqlite_open.c - a SQLite file is opened: its version, what was noted and not committed, and what brings it to this version
 *
 * STRICT tables, WAL, synchronous=FULL.
 */
#include "compat.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "buf.h"
#include "num.h"
#include "status.h"
#include "store/db.h"
#include "store/redo.h"
#include "store/sqlite.h"

#define BUSY_MS 5000	 /* somebody else (a backup) may hold the file for a moment */
#define PAGE_SIZE "8192" /* bytes, of a file that is made; a page of the log is two calls of the system, however large it is */
#define REDO_VERSION 6	 /* of the schema, from which on there are notes */

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
	return ok && schema_known(*ret, file, err);
}

/* The salt of what was noted, and how much of it is committed; *ret_found false: nothing was noted since the last commit. */
static bool
read_salt(struct db *db, bool *ret_found, int64_t *ret_salt, int64_t *ret_committed, struct err *err)
{
	struct query *query = NULL;
	enum db_step step = DB_FAILED;
	struct span text;
	const char *blank;

	*ret_found = false;
	*ret_committed = 0;
	if (db_query(db, &query, "SELECT doc FROM docs WHERE key='" REDO_KEY "'", err)) {
		step = query_step(query, err);
		if (step == DB_ROW) {
			text = query_get(query, 0);
			blank = memchr(text.s, ' ', text.n);
			*ret_found = num_i64(text.s, blank ? (size_t)(blank - text.s) : text.n, ret_salt) &&
			    (!blank || num_i64(blank + 1, (size_t)(text.s + text.n - blank - 1), ret_committed));
		}
	}
	query_drop(query);
	return step != DB_FAILED;
}

static bool
remove_salt(struct db *db, struct err *err)
{
	struct query *query = NULL;
	bool ok = db_query(db, &query, "DELETE FROM docs WHERE key='" REDO_KEY "'", err) && query_run(query, err);

	query_drop(query);
	return ok;
}

/* What was noted and not committed is done again, and committed. */
static bool
do_again(struct db *db, const char *file, struct err *err)
{
	struct redo *redo = redo_new(file);
	int64_t salt, committed;
	bool found, ok = read_salt(db, &found, &salt, &committed, err);

	if (ok && found) {
		redo_start(redo, (uint64_t)salt);
		redo_committed(redo, (size_t)committed);
		ok = db_begin(db, err) && redo_play(redo, db, true, err) && (!redo_size(redo) || remove_salt(db, err)) &&
		    db_commit(db, err);
		if (!ok) {
			db_rollback(db);
			err_prefix(err, "unable to use the store '%s'", file);
			err->status = STATUS_IO;
		}
	}
	redo_free(redo);
	return ok;
}

static bool
set_up(sqlite3 *handle, struct db *db, const char *file, struct err *err)
{
	struct buf set = BUF_INIT;
	int version, i;
	bool ok;

	sqlite3_busy_timeout(handle, BUSY_MS);
	if (!read_version(handle, file, &version, err))
		return false;
	if (!exec(handle,
		"PRAGMA page_size=" PAGE_SIZE
		"; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-4000; PRAGMA journal_size_limit=16777216;"
		" PRAGMA temp_store=MEMORY",
		file, err))
		return false;
	if (version >= REDO_VERSION && !do_again(db, file, err))
		return false;
	if (version == schema_version)
		return true;
	ok = exec(handle, "BEGIN EXCLUSIVE", file, err);
	for (i = version; ok && i < schema_version; i++)
		ok = exec(handle, schema_migrations[i], file, err);
	buf_addf(&set, "PRAGMA user_version=%d; COMMIT", schema_version);
	ok = ok && exec(handle, set.s, file, err);
	buf_release(&set);
	return ok;
}

/* Nobody asks SQLite what it has allocated, and counting takes a lock each time. Once SQLite is at work this has no effect. */
static void
set_up_library(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

struct db *
sqlite_open_db(const char *file, struct err *err)
{
	mode_t old = umask(0077);
	sqlite3 *handle = NULL;
	struct db *db;
	bool ok;

	set_up_library();
	ok = sqlite3_open_v2(file, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK;
	if (!ok)
		err_set(err, STATUS_IO, "unable to open the store '%s': %s", file, handle ? sqlite3_errmsg(handle) : "out of memory");
	db = sqlite_db(handle);
	ok = ok && set_up(handle, db, file, err) && sqlite_start(db, file, err);
	umask(old);
	if (ok)
		return db;
	db_close(db);
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
