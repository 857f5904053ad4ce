/* pg.h - what the files of the PostgreSQL engine share. Private to store/pg*.c
 *
 * pg.c the door: transactions, what the server says by itself; pg_query.c statements and rows; pg_gather.c rows that go out many at once;
 * pg_wire.c the pipeline and what goes wrong in it; pg_open.c the connection, the URL, the schema.
 */
#ifndef STORE_PG_H
#define STORE_PG_H

#include "buf.h"
#include "compat.h"
#include "err.h"
#include "status.h"
#include "store/db.h"
#include "store/libpq.h"

#define PARAMS_MAX 16	  /* of one statement */
#define DEFERRED_MAX 1000 /* statements whose results wait in the connection */
#define GATHERED_MAX 1000 /* rows of one insert */
#define GATHERED_BYTES (4u * 1024 * 1024)
#define SILENCE_MS 30000 /* more than a writer waits for its turn (lock_timeout) */
#define OID_BYTEA 17
#define OID_INT8 20
#define OID_BYTEA_ARRAY 1001
#define OID_INT8_ARRAY 1016
#define CHANNEL "agentutils"
#define LOCK "4707, 1" /* two numbers of 32 bits: the writers' lock */

struct pg {
	struct db db;
	struct buf url;
	PGconn *conn;
	unsigned connection; /* counts them: what was prepared before is not there now */
	unsigned names;	     /* of statements */
	bool in_transaction, wrote;
	bool lost;		 /* the connection is gone, or the server said that it will be */
	bool in_doubt;		 /* it went while a commit was on its way */
	bool refused;		 /* the server does not take what it was given: again would be the same */
	unsigned deferred;	 /* results that are still to be read */
	struct pg_query *active; /* has rows in the connection */
	bool synced;		 /* behind those rows comes the end of a pipeline */
	struct gather *gathers;	 /* of all statements that have one */
	struct err trouble;	 /* of a deferred statement; status OK: none */
};

struct pg_query {
	struct query query;
	char *text;
	char name[16];
	unsigned connection; /* it is prepared there; 0: nowhere */
	int n;
	Oid types[PARAMS_MAX];
	const char *values[PARAMS_MAX];
	int lengths[PARAMS_MAX];
	unsigned char numbers[PARAMS_MAX][8];
	struct gather *gather; /* NULL: each run goes out by itself */
	bool streams;	       /* row by row: the rows may be many */
	bool begun;
	PGresult *rows;
	int row;
};

extern const struct libpq *pq; /* NULL until a store is opened */

/* pg_wire.c. On false err is filled; STATUS_RETRY. */
bool pg_failed(struct pg *pg, const PGresult *result, const char *what, struct err *err); /* always false */
bool pg_is_good(const PGresult *result);
bool pg_in_trouble(const struct pg *pg, struct err *err);
bool pg_enter_pipeline(struct pg *pg, struct err *err) USE_RESULT;
void pg_read_deferred(struct pg *pg);
bool pg_take_sync(struct pg *pg);		    /* the end of the pipeline, whose results were read, and of its mode */
bool pg_leave_pipeline(struct pg *pg);		    /* sends what is in it and waits for all of it */
PGresult *pg_result(struct pg *pg);		    /* the next one; NULL: there is none, or the server is silent: pg->lost, and trouble */
PGresult *pg_exec(struct pg *pg, const char *text); /* outside of a pipeline; the last result, or the first that is not good */
bool pg_settle(struct pg *pg, struct err *err) USE_RESULT; /* until every result that is due has come, and was good */
void pg_first_line(const char *text, struct buf *to);

/* pg_query.c */
bool pg_send(struct pg *pg, struct pg_query *query); /* after what prepares it, when that has not been done on this connection */
bool pg_defer(struct pg *pg, struct pg_query *query, struct err *err) USE_RESULT; /* its result waits in the connection */
struct query *pg_prepare(struct db *db, const char *text, struct err *err);
void pg_end_rows(struct pg_query *query);
void pg_drop(struct query *q);
void pg_reset(struct query *q);
void pg_stream(struct query *q);
void pg_gather(struct query *q);
void pg_bind_int(struct query *q, int i, const int64_t *value);
void pg_bind_bytes(struct query *q, int i, struct span bytes, bool text);
bool pg_run(struct query *q, int *ret_changed, struct err *err);
enum db_step pg_step(struct query *q, struct err *err);
int64_t pg_get_int(struct query *q, int i);
struct span pg_get(struct query *q, int i);

/* pg_gather.c - an insert of one row becomes one of many: INSERT INTO t(...) VALUES($1, $2, ...) ... */
struct gather *gather_new(struct pg *pg, const char *text);
void gather_free(struct gather *gather);
bool gather_add(struct gather *gather, const struct pg_query *row, struct err *err) USE_RESULT;
/* What was gathered goes out. text: only what that statement might see; NULL: all. */
bool gather_flush(struct pg *pg, const char *text, struct err *err) USE_RESULT;
void gather_forget(struct pg *pg); /* of a transaction that is no more */

/* pg_open.c */
bool pg_connect(struct db *db, struct err *err);
void pg_close(struct db *db);
extern const struct db_ops pg_ops;

#endif
