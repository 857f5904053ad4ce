/* db.h - one database connection behind one door: sqlite.c, or pg.c, whose database several gateways share
 *
 * Every call but db_allow_commit() is the store's thread's. The texts of statements and of the schema are written once, in what the
 * engines have in common; the types are INTEGER (64 bits), TEXT and BLOB, parameters are ?1, ?2, ... On false, err is filled (STATUS_RETRY
 * for what may go away).
 */
#ifndef DB_H
#define DB_H

#include "compat.h"
#include "err.h"
#include "jtext.h"

struct db;
struct note;
struct query;

enum db_step { DB_ROW, DB_DONE, DB_FAILED };
/* After a failure. REFUSED: the database will never take what it was given. LOST: the connection is gone, and what was not committed with
 * it. IN_DOUBT: it went during a commit. */
enum db_state { DB_GOOD, DB_REFUSED, DB_LOST, DB_IN_DOUBT };

/* What an engine does; the calls below are what others use. */
struct db_ops {
	void (*close)(struct db *db);
	bool (*begin)(struct db *db, struct err *err);
	bool (*commit)(struct db *db, struct err *err);
	void (*rollback)(struct db *db);
	bool (*in_transaction)(const struct db *db);
	struct query *(*prepare)(struct db *db, const char *text, struct err *err);
	void (*drop)(struct query *query);
	void (*bind_int)(struct query *query, int i, const int64_t *value);
	void (*bind_bytes)(struct query *query, int i, struct span bytes, bool text);
	bool (*run)(struct query *query, int *ret_changed, struct err *err);
	enum db_step (*step)(struct query *query, struct err *err);
	int64_t (*get_int)(struct query *query, int i);
	struct span (*get)(struct query *query, int i);
	void (*reset)(struct query *query);
	void (*gather)(struct query *query);
	/* those of one's own only */
	void (*hand_over)(struct db *db);
	void (*commit_behind)(struct db *db);
	void (*allow)(struct db *db, const struct err *why);
	bool (*look)(struct db *db, bool *ret_committed, struct err *err);
	void (*note)(struct db *db, struct note *note);
	void (*rest)(struct db *db);
	/* shared databases only */
	void (*stream)(struct query *query);
	int (*fd)(const struct db *db);
	bool (*wrote)(const struct db *db);
	bool (*heard)(struct db *db);
	enum db_state (*state)(const struct db *db);
	bool (*connect)(struct db *db, struct err *err);
};

/* Each engine's struct begins so. */
struct db {
	const struct db_ops *ops;
};
struct query {
	struct db *db;
};

/* file: opened, its version checked, brought to this one. Errors STATUS_CONFIG and STATUS_IO say what and why. */
struct db *sqlite_open_db(const char *file, struct err *err);
bool sqlite_check_db(const char *file, struct err *err) USE_RESULT; /* the same without changing anything */

/* url: postgresql://..., without a password (refused). The same, and STATUS_UNREACHABLE. */
bool pg_is_url(const char *url);
struct db *pg_open_db(const char *url, struct err *err);
bool pg_check_db(const char *url, struct err *err) USE_RESULT;

void db_close(struct db *db); /* its queries are dropped before; accepts NULL */
bool db_begin(struct db *db, struct err *err) USE_RESULT;
bool db_commit(struct db *db, struct err *err) USE_RESULT;
void db_rollback(struct db *db);
bool db_in_transaction(const struct db *db);
void db_rest(struct db *db); /* what it keeps in memory to be faster goes, as far as it can */

/* Makes the statement in *query when it is not there yet, and resets it: all parameters are to be bound again. text: static storage. */
bool db_query(struct db *db, struct query **query, const char *text, struct err *err) USE_RESULT;
void query_drop(struct query *query); /* accepts NULL */
/* Bytes are borrowed until the statement has run. SPAN_NONE: null. */
void query_int(struct query *query, int i, int64_t value);
void query_text(struct query *query, int i, struct span text);
void query_blob(struct query *query, int i, struct span bytes);
void query_no_int(struct query *query, int i); /* a number that is null */
bool query_run(struct query *query,
    struct err *err) USE_RESULT; /* one that gives no rows; what fails may be told by a later call, db_commit() at last */
bool query_change(struct query *query, int *ret_changed, struct err *err) USE_RESULT; /* the same, and how many rows it changed */
enum db_step query_step(struct query *query, struct err *err) USE_RESULT;
int64_t query_get_int(struct query *query, int i); /* column, from 0; null is 0 */
struct span query_get(struct query *query, int i); /* SPAN_NONE: null; until the next step or reset */
void query_reset(struct query *query);

/* One INSERT INTO t(...) VALUES(?1, ...) whose runs may go out as one, before what names its table and before the commit. No two runs of it
 * conflict with each other unless something that names the table comes between them. Once, before its first run. */
void query_gather(struct query *query);
void query_stream(struct query *query); /* its rows may be many and large: they are not all held in memory at once */

/* ---- a database of one's own may store and commit what was gathered behind its caller's back, while that goes on */

void db_hand_over(struct db *db); /* what was gathered is stored, some time before the commit */
/* The transaction ends for the caller, and is committed when db_allow_commit() was called, which any thread may; not before the next call of
 * another function here is that certain to be, nor that it succeeds. why: it is not to be, and fails with this. One at a time. */
void db_commit_behind(struct db *db);
void db_allow_commit(struct db *db, const struct err *why);
/* Does not wait. False: something has failed behind, or has ended the transaction, and all does until db_rollback(), which takes back what
 * is not committed. *ret_committed: the last db_commit_behind() has succeeded. */
bool db_look_behind(struct db *db, bool *ret_committed, struct err *err) USE_RESULT;

/* From now on what query_run() and query_change() have done is noted there as well (redo.h), where this is a database of one's own; NULL:
 * no more. */
void db_note(struct db *db, struct note *note);

/* ---- a database that others write to as well. Those that write come one after another: a transaction begins when the one before is
 * committed. */

bool db_is_shared(const struct db *db);
int db_fd(const struct db *db);	    /* readable when the database says something by itself; -1: it never does */
bool db_wrote(const struct db *db); /* in this transaction */
bool db_heard(struct db *db);	    /* takes what it said: have others committed? */
enum db_state db_state(const struct db *db);
bool db_connect(struct db *db, struct err *err) USE_RESULT; /* again; what was in progress is gone */

/* schema.c: what brings a store of version i to the next one; 0 is an empty one */
extern const char *const schema_migrations[];
extern const int schema_version;
/* False, with the reason: a newer program wrote it. name: the store, as it is told to people. */
bool schema_known(int version, const char *name, struct err *err) USE_RESULT;

#endif
