/* pg.c - the database is a PostgreSQL that several gateways share
 *
 * Texts and blobs are both bytea, sent and read as bytes: no encoding, no collation and no zero byte can refuse what SQLite takes.
 * Statements that give no rows go out in pipeline mode and are not waited for until something is read or committed, and a read goes out
 * behind them: a batch costs a round trip for each of its reads and one for its commit. Rows of the log are gathered, and go out as one
 * insert.
 *
 * A transaction begins with an advisory lock that lasts until its commit. So writers come one after another, in whatever gateway they are,
 * and whoever sees an event sees all before it. The commit tells the other gateways (NOTIFY).
 */
#include "compat.h"

#include "store/pg.h"

const struct libpq *pq;

static struct pg *
pg_of(struct db *db)
{
	return (struct pg *)db;
}

/* ---- transactions */

static bool
defer(struct pg *pg, const char *text, struct err *err)
{
	if (!pg_enter_pipeline(pg, err))
		return false;
	if (!pq->sendQueryParams(pg->conn, text, 0, NULL, NULL, NULL, NULL, 1))
		return pg_failed(pg, NULL, "store", err);
	pg->deferred++;
	return true;
}

static bool
pg_begin(struct db *db, struct err *err)
{
	struct pg *pg = pg_of(db);

	pg->trouble.status = STATUS_OK;
	pg->in_doubt = pg->wrote = pg->refused = false;
	if (pg->lost)
		return pg_failed(pg, NULL, "store", err);
	pg->in_transaction = true;
	return defer(pg, "BEGIN", err) && defer(pg, "SELECT pg_advisory_xact_lock(" LOCK ")", err);
}

static bool
pg_commit(struct db *db, struct err *err)
{
	struct pg *pg = pg_of(db);

	if (pg->lost)
		return pg_failed(pg, NULL, "store", err);
	if (pg_in_trouble(pg, err) || !gather_flush(pg, NULL, err) || (pg->wrote && !defer(pg, "NOTIFY " CHANNEL, err)) ||
	    !defer(pg, "COMMIT", err))
		return false;
	pg->in_doubt = pg->wrote;
	if (!pg_settle(pg, err)) {
		pg->in_doubt = pg->in_doubt && pg->lost;
		return false;
	}
	pg->in_doubt = pg->in_transaction = false;
	return true;
}

static void
pg_rollback(struct db *db)
{
	struct pg *pg = pg_of(db);

	gather_forget(pg);
	if (pg->active)
		pg_end_rows(pg->active);
	if (!pg->lost)
		(void)pg_leave_pipeline(pg);
	if (!pg->lost) {
		/* what was to be prepared behind a statement that failed is not */
		pq->clear(pg_exec(pg, "ROLLBACK"));
		pq->clear(pg_exec(pg, "DEALLOCATE ALL"));
		pg->connection++;
		pg->lost = pg->lost || pq->status(pg->conn) == CONNECTION_BAD;
	}
	pg->trouble.status = STATUS_OK;
	pg->in_transaction = false;
}

static bool
pg_in_transaction(const struct db *db)
{
	const struct pg *pg = (const struct pg *)db;

	return pg->in_transaction && !pg->lost && !pg->trouble.status;
}

/* ---- what the server says by itself */

static int
pg_fd(const struct db *db)
{
	const struct pg *pg = (const struct pg *)db;

	return pg->lost ? -1 : pq->socket(pg->conn);
}

static bool
pg_wrote(const struct db *db)
{
	return ((const struct pg *)db)->wrote;
}

static bool
pg_heard(struct db *db)
{
	struct pg *pg = pg_of(db);
	PGnotify *notify;
	bool others = false;

	if (pg->lost)
		return false;
	if (!pq->consumeInput(pg->conn)) {
		pg->lost = true;
		return false;
	}
	while ((notify = pq->notifies(pg->conn))) {
		others |= notify->be_pid != pq->backendPID(pg->conn);
		pq->freemem(notify);
	}
	return others;
}

static enum db_state
pg_state(const struct db *db)
{
	const struct pg *pg = (const struct pg *)db;

	if (pg->lost || pq->status(pg->conn) == CONNECTION_BAD)
		return pg->in_doubt ? DB_IN_DOUBT : DB_LOST;
	return pg->refused ? DB_REFUSED : DB_GOOD;
}

const struct db_ops pg_ops = { .close = pg_close,
	.begin = pg_begin,
	.commit = pg_commit,
	.rollback = pg_rollback,
	.in_transaction = pg_in_transaction,
	.prepare = pg_prepare,
	.drop = pg_drop,
	.bind_int = pg_bind_int,
	.bind_bytes = pg_bind_bytes,
	.run = pg_run,
	.step = pg_step,
	.get_int = pg_get_int,
	.get = pg_get,
	.reset = pg_reset,
	.stream = pg_stream,
	.gather = pg_gather,
	.fd = pg_fd,
	.wrote = pg_wrote,
	.heard = pg_heard,
	.state = pg_state,
	.connect = pg_connect };
