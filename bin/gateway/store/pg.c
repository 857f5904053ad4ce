/* pg.c - the database is a PostgreSQL that several gateways share
 *
 * Texts and blobs are both bytea, sent and read as bytes: no encoding, no collation and no zero byte can refuse what SQLite takes. Statements that
 * give no rows go out in pipeline mode and are not waited for until something is read or committed: a batch costs a round trip for each of its
 * reads, not for each of its writes.
 *
 * A transaction begins with an advisory lock that lasts until its commit. So writers come one after another, in whatever gateway they are, and
 * whoever sees an event sees all before it. The commit tells the other gateways (NOTIFY).
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "num.h"
#include "status.h"
#include "store/db.h"
#include "store/libpq.h"
#include "xalloc.h"

#define PARAMS_MAX 16	  /* of one statement */
#define DEFERRED_MAX 1000 /* statements whose results wait in the connection */
#define OID_INT8 20
#define OID_BYTEA 17
#define CHANNEL "agentutils"
#define LOCK "4707, 1" /* two numbers of 32 bits: the writers' lock */

static const struct libpq *pq; /* NULL until a store is opened */

struct pg {
	struct db db;
	struct buf url;
	PGconn *conn;
	unsigned connection; /* counts them: what was prepared before is not there now */
	unsigned names;	     /* of statements */
	bool in_transaction, wrote;
	bool lost;     /* the connection is gone, or the server said that it will be */
	bool in_doubt; /* it went while a commit was on its way */
	bool refused;  /* the server does not take what it was given: again would be the same */
	bool notified;
	unsigned deferred;	 /* results that are still to be read */
	struct pg_query *active; /* has rows in the connection */
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
	bool streams; /* row by row: the rows may be many */
	bool begun;
	PGresult *rows;
	int row;
};

static struct pg *
pg_of(struct db *db)
{
	return (struct pg *)db;
}

static struct pg_query *
query_of(struct query *query)
{
	return (struct pg_query *)query;
}

/* ---- what goes wrong */

static void
first_line(const char *text, struct buf *to)
{
	buf_add(to, text, strcspn(text, "\n"));
}

/* The server says so when it ends the session: it is shut down, it was killed, or we were idle in a transaction for too long. */
static bool
ends_session(const char *state)
{
	return state && (!strncmp(state, "57P", 3) || !strncmp(state, "08", 2) || !strcmp(state, "25P03"));
}

/* Data that does not fit, a constraint, a limit of the server. */
static bool
blames_data(const char *state)
{
	return state && (!strncmp(state, "22", 2) || !strncmp(state, "23", 2) || !strncmp(state, "54", 2));
}

static bool
failed(struct pg *pg, const PGresult *result, const char *what, struct err *err)
{
	const char *primary = result ? pq->resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	const char *state = result ? pq->resultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	struct buf text = BUF_INIT;

	/* an error without the server's code is libpq's own: it could not write or read, or is out of step */
	if (pq->status(pg->conn) == CONNECTION_BAD || ends_session(state) || (!state && pq->resultStatus(result) != PGRES_PIPELINE_ABORTED))
		pg->lost = true;
	if (blames_data(state))
		pg->refused = true;
	first_line(primary ? primary : pq->errorMessage(pg->conn), &text);
	err_set(err, STATUS_RETRY, "unable to %s: %s", what, text.len ? text.s : "the database is gone");
	buf_release(&text);
	return false;
}

static bool
is_good(const PGresult *result)
{
	ExecStatusType status = pq->resultStatus(result);

	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_SINGLE_TUPLE || status == PGRES_PIPELINE_SYNC;
}

/* Reads what the deferred statements said; the first that failed is remembered. */
static void
read_deferred(struct pg *pg)
{
	PGresult *result;

	while (pg->deferred && !pg->lost) {
		while ((result = pq->getResult(pg->conn))) {
			if (!is_good(result) && !pg->trouble.status)
				failed(pg, result, "store", &pg->trouble);
			pq->clear(result);
		}
		if (pq->status(pg->conn) == CONNECTION_BAD && !pg->trouble.status)
			failed(pg, NULL, "store", &pg->trouble);
		pg->deferred--;
	}
}

/* Ends the pipeline that is under way, if any, and leaves the mode. */
static bool
leave_pipeline(struct pg *pg)
{
	PGresult *result;
	int empty = 0;

	if (pq->pipelineStatus(pg->conn) == PQ_PIPELINE_OFF)
		return true;
	if (!pq->pipelineSync(pg->conn))
		return failed(pg, NULL, "store", &pg->trouble);
	read_deferred(pg);
	/* the sync's own */
	while (!pg->lost) {
		ExecStatusType status;

		result = pq->getResult(pg->conn);
		status = pq->resultStatus(result);
		pq->clear(result); /* only whether there was one is asked from now on */
		if (status == PGRES_PIPELINE_SYNC)
			break;
		if (pq->status(pg->conn) == CONNECTION_BAD || (!result && ++empty > 1))
			return failed(pg, NULL, "store", &pg->trouble);
	}
	return !pg->lost && (pq->exitPipelineMode(pg->conn) || failed(pg, NULL, "store", &pg->trouble));
}

static bool
in_trouble(const struct pg *pg, struct err *err)
{
	if (!pg->trouble.status)
		return false;
	if (err)
		*err = pg->trouble;
	return true;
}

/* ---- statements */

/* ?1 is $1 here. */
static char *
own_text(const char *text)
{
	char *own = xstrdup(text), *at;
	bool quoted = false;

	for (at = own; *at; at++) {
		if (*at == '\'')
			quoted = !quoted;
		else if (*at == '?' && !quoted)
			*at = '$';
	}
	return own;
}

static struct query *
pg_prepare(struct db *db, const char *text, struct err *err)
{
	struct pg_query *query = xcalloc(1, sizeof *query);

	(void)err;
	query->query.db = db;
	query->text = own_text(text);
	snprintf(query->name, sizeof query->name, "s%u", ++pg_of(db)->names);
	return &query->query;
}

static void
end_rows(struct pg_query *query)
{
	struct pg *pg = pg_of(query->query.db);
	PGresult *result;

	pq->clear(query->rows);
	query->rows = NULL;
	if (pg->active == query) {
		pg->active = NULL;
		while (!pg->lost && (result = pq->getResult(pg->conn)))
			pq->clear(result);
	}
	query->begun = false;
}

static void
pg_drop(struct query *q)
{
	struct pg_query *query = query_of(q);

	end_rows(query);
	free(query->text);
	free(query);
}

static void
pg_reset(struct query *q)
{
	struct pg_query *query = query_of(q);

	end_rows(query);
	query->n = 0;
	query->streams = false;
}

static void
pg_stream(struct query *q)
{
	query_of(q)->streams = true;
}

static void
set(struct pg_query *query, int i, Oid type, const char *value, size_t n)
{
	query->types[i - 1] = type;
	query->values[i - 1] = value;
	query->lengths[i - 1] = (int)n;
	if (query->n < i)
		query->n = i;
}

static void
pg_bind_int(struct query *q, int i, const int64_t *value)
{
	struct pg_query *query = query_of(q);
	unsigned char *at = query->numbers[i - 1];
	int k;

	for (k = 0; value && k < 8; k++)
		at[k] = (unsigned char)((uint64_t)*value >> (56 - 8 * k));
	set(query, i, OID_INT8, value ? (const char *)at : NULL, 8);
}

static void
pg_bind_bytes(struct query *q, int i, struct span bytes, bool text)
{
	(void)text;
	set(query_of(q), i, OID_BYTEA, bytes.s, bytes.n);
}

/* Sends it, after what prepares it when that has not been done on this connection. */
static bool
send_query(struct pg *pg, struct pg_query *query)
{
	static const int binary[PARAMS_MAX] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };

	if (query->connection != pg->connection) {
		if (!pq->sendPrepare(pg->conn, query->name, query->text, query->n, query->types))
			return false;
		query->connection = pg->connection;
		pg->deferred++;
	}
	return pq->sendQueryPrepared(pg->conn, query->name, query->n, query->values, query->lengths, binary, 1);
}

static bool
enter_pipeline(struct pg *pg, struct err *err)
{
	if (pg->active)
		end_rows(pg->active);
	return pq->pipelineStatus(pg->conn) != PQ_PIPELINE_OFF || pq->enterPipelineMode(pg->conn) || failed(pg, NULL, "store", err);
}

/* Until every result that is due has come. */
static bool
settle(struct pg *pg, struct err *err)
{
	(void)leave_pipeline(pg);
	return !in_trouble(pg, err);
}

static bool
pg_run(struct query *q, int *ret_changed, struct err *err)
{
	struct pg_query *query = query_of(q);
	struct pg *pg = pg_of(q->db);

	if (pg->lost || in_trouble(pg, err))
		return pg->lost ? failed(pg, NULL, "store", err) : false;
	pg->wrote = true;
	if (ret_changed) {
		const char *changed;
		PGresult *result;
		int64_t n;
		bool ok;

		/* prepared in the pipeline, run alone */
		if (query->connection != pg->connection) {
			if (!enter_pipeline(pg, err) || !pq->sendPrepare(pg->conn, query->name, query->text, query->n, query->types))
				return failed(pg, NULL, "store", err);
			query->connection = pg->connection;
			pg->deferred++;
		}
		if (!settle(pg, err))
			return false;
		if (!send_query(pg, query))
			return failed(pg, NULL, "store", err);
		result = pq->getResult(pg->conn);
		ok = result && is_good(result);
		if (!ok)
			failed(pg, result, "store", err);
		changed = ok ? pq->cmdTuples(result) : "";
		*ret_changed = ok && num_i64(changed, strlen(changed), &n) ? (int)n : 0;
		pq->clear(result);
		while (!pg->lost && (result = pq->getResult(pg->conn)))
			pq->clear(result);
		return ok;
	}
	if (!enter_pipeline(pg, err))
		return false;
	if (!send_query(pg, query))
		return failed(pg, NULL, "store", err);
	pg->deferred++;
	return pg->deferred < DEFERRED_MAX || settle(pg, err);
}

/* The rest of the rows into memory: another statement needs the connection. Only one that streams has any there. */
static bool
begin_rows(struct pg *pg, struct pg_query *query, struct err *err)
{
	if (pg->active)
		end_rows(pg->active);
	if (query->connection != pg->connection) {
		if (!enter_pipeline(pg, err) || !pq->sendPrepare(pg->conn, query->name, query->text, query->n, query->types))
			return failed(pg, NULL, "read the store", err);
		query->connection = pg->connection;
		pg->deferred++;
	}
	if (!settle(pg, err)) {
		if (!pg->in_transaction) {
			pg->trouble.status = STATUS_OK; /* it was this statement's own */
			query->connection = 0;
		}
		return false;
	}
	if (!send_query(pg, query))
		return failed(pg, NULL, "read the store", err);
	if (query->streams)
		pq->setSingleRowMode(pg->conn);
	pg->active = query;
	query->begun = true;
	query->row = -1;
	return true;
}

static enum db_step
pg_step(struct query *q, struct err *err)
{
	struct pg_query *query = query_of(q);
	struct pg *pg = pg_of(q->db);

	if (pg->lost) {
		failed(pg, NULL, "read the store", err);
		return DB_FAILED;
	}
	if (!query->begun && !begin_rows(pg, query, err))
		return DB_FAILED;
	if (query->rows && query->row + 1 < pq->ntuples(query->rows)) {
		query->row++;
		return DB_ROW;
	}
	if (pg->active != query)
		return DB_DONE;
	pq->clear(query->rows);
	query->rows = pq->getResult(pg->conn);
	query->row = 0;
	if (!query->rows || !is_good(query->rows)) {
		failed(pg, query->rows, "read the store", err);
		if (pg->in_transaction && !pg->trouble.status)
			pg->trouble = *err;
		end_rows(query);
		return DB_FAILED;
	}
	if (pq->resultStatus(query->rows) == PGRES_TUPLES_OK) {
		/* nothing more is in the connection */
		PGresult *end = pq->getResult(pg->conn);

		pq->clear(end);
		pg->active = NULL;
	}
	if (pq->ntuples(query->rows))
		return DB_ROW;
	return DB_DONE;
}

static int64_t
pg_get_int(struct query *q, int i)
{
	const struct pg_query *query = query_of(q);
	const unsigned char *at;
	uint64_t value;
	int k, n;

	if (pq->getisnull(query->rows, query->row, i))
		return 0;
	at = (const unsigned char *)pq->getvalue(query->rows, query->row, i);
	n = pq->getlength(query->rows, query->row, i);
	value = n && at[0] & 0x80 ? UINT64_MAX : 0;
	for (k = 0; k < n; k++)
		value = value << 8 | at[k];
	return (int64_t)value;
}

static struct span
pg_get(struct query *q, int i)
{
	const struct pg_query *query = query_of(q);

	if (pq->getisnull(query->rows, query->row, i))
		return SPAN_NONE;
	return (struct span){ pq->getvalue(query->rows, query->row, i), (size_t)pq->getlength(query->rows, query->row, i) };
}

/* ---- transactions */

static bool
defer(struct pg *pg, const char *text, struct err *err)
{
	if (!enter_pipeline(pg, err))
		return false;
	if (!pq->sendQueryParams(pg->conn, text, 0, NULL, NULL, NULL, NULL, 1))
		return failed(pg, NULL, "store", err);
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
		return failed(pg, NULL, "store", err);
	pg->in_transaction = true;
	return defer(pg, "BEGIN", err) && defer(pg, "SELECT pg_advisory_xact_lock(" LOCK ")", err);
}

static bool
pg_commit(struct db *db, struct err *err)
{
	struct pg *pg = pg_of(db);

	if (pg->lost)
		return failed(pg, NULL, "store", err);
	if (in_trouble(pg, err) || (pg->wrote && !defer(pg, "NOTIFY " CHANNEL, err)) || !defer(pg, "COMMIT", err))
		return false;
	pg->in_doubt = pg->wrote;
	if (!settle(pg, err)) {
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

	if (pg->active)
		end_rows(pg->active);
	if (!pg->lost)
		(void)leave_pipeline(pg);
	if (!pg->lost) {
		/* what was to be prepared behind a statement that failed is not */
		pq->clear(pq->exec(pg->conn, "ROLLBACK"));
		pq->clear(pq->exec(pg->conn, "DEALLOCATE ALL"));
		pg->connection++;
		pg->lost = pq->status(pg->conn) == CONNECTION_BAD;
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

/* ---- the connection */

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

static bool
refuse(struct pg *pg, enum status status, const PGresult *result, struct err *err)
{
	const char *primary = result ? pq->resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	struct buf text = BUF_INIT;

	first_line(primary ? primary : pq->errorMessage(pg->conn), &text);
	err_set(err, status, "unable to use the store '%s': %s", pg->url.s, text.s);
	buf_release(&text);
	return false;
}

static bool
exec(struct pg *pg, const char *text, struct err *err)
{
	PGresult *result = pq->exec(pg->conn, text);
	bool ok = is_good(result) || refuse(pg, STATUS_CONFIG, result, err);

	pq->clear(result);
	return ok;
}

static void
ignore_notice(void *payload, const PGresult *result)
{
	(void)payload;
	(void)result;
}

/* Defaults first: what the URL says overrides them. */
static PGconn *
connect_to(const char *url)
{
	static const char *const keys[] = { "connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count",
		"tcp_user_timeout", "fallback_application_name", "dbname", NULL };
	const char *values[] = { "10", "10", "5", "3", "20000", "agent-gateway", url, NULL };

	return pq->connectdbParams(keys, values, 1);
}

static bool
set_up(struct pg *pg, struct err *err)
{
	pq->setNoticeReceiver(pg->conn, ignore_notice, NULL);
	if (pq->serverVersion(pg->conn) < 120000)
		return err_set(err, STATUS_CONFIG, "unable to use the store '%s': the server is PostgreSQL %d, expected 12 or newer",
		    pg->url.s, pq->serverVersion(pg->conn) / 10000);
	return exec(pg,
	    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';"
	    "SET idle_in_transaction_session_timeout = '10s'; SET lock_timeout = '20s'; SET standard_conforming_strings = on;"
	    "LISTEN " CHANNEL,
	    err);
}

static bool
pg_connect(struct db *db, struct err *err)
{
	struct pg *pg = pg_of(db);

	if (pg->active)
		end_rows(pg->active);
	pq->finish(pg->conn);
	pg->conn = connect_to(pg->url.s);
	pg->connection++;
	pg->deferred = 0;
	pg->trouble.status = STATUS_OK;
	pg->in_transaction = pg->in_doubt = pg->refused = false;
	pg->lost = pq->status(pg->conn) != CONNECTION_OK;
	if (pg->lost)
		return refuse(pg, STATUS_UNREACHABLE, NULL, err);
	pg->lost = !set_up(pg, err);
	return !pg->lost;
}

static void
pg_close(struct db *db)
{
	struct pg *pg = pg_of(db);

	pq->finish(pg->conn);
	buf_release(&pg->url);
	free(pg);
}

static const struct db_ops pg_ops = { .close = pg_close,
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
	.fd = pg_fd,
	.wrote = pg_wrote,
	.heard = pg_heard,
	.state = pg_state,
	.connect = pg_connect };

/* ---- opening */

/* What lies in an argument or an environment is seen by others. */
static bool
has_no_password(const char *url, struct err *err)
{
	char *why = NULL;
	PQconninfoOption *options = pq->conninfoParse(url, &why), *option;
	bool ok = true;

	if (!options) {
		ok = err_set(err, STATUS_CONFIG, "unable to use the store: its URL is not understood");
		pq->freemem(why); /* it may have the password in it */
		return ok;
	}
	for (option = options; ok && option->keyword; option++)
		if (option->val && (!strcmp(option->keyword, "password") || !strcmp(option->keyword, "sslpassword")))
			ok = err_set(err, STATUS_CONFIG,
			    "unable to use the store: a password in its URL is seen by everybody on this machine; put it into the file that PGPASSFILE names, "
			    "or into a service file");
	pq->conninfoFree(options);
	return ok;
}

/* The types have other names here, and STRICT is what every table is. */
static void
own_schema(const char *text, struct buf *to)
{
	static const char *const words[][2] = { { "INTEGER PRIMARY KEY", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY" },
		{ "INTEGER", "BIGINT" }, { "TEXT", "BYTEA" }, { "BLOB", "BYTEA" }, { " STRICT, WITHOUT ROWID", "" }, { " STRICT", "" } };
	size_t i;

	while (*text) {
		for (i = 0; i < ARRAY_LEN(words) && strncmp(text, words[i][0], strlen(words[i][0])) != 0; i++)
			;
		if (i < ARRAY_LEN(words)) {
			buf_addstr(to, words[i][1]);
			text += strlen(words[i][0]);
		} else
			buf_addch(to, *text++);
	}
}

/* *ret is 0 when there is nothing yet. */
static bool
read_version(struct pg *pg, int *ret, struct err *err)
{
	PGresult *result = pq->exec(pg->conn, "SELECT to_regclass('agentutils_schema') IS NOT NULL");
	bool ok = is_good(result) || refuse(pg, STATUS_CONFIG, result, err);
	int64_t version;

	*ret = 0;
	if (ok && pq->getvalue(result, 0, 0)[0] == 't') {
		pq->clear(result);
		result = pq->exec(pg->conn, "SELECT version FROM agentutils_schema");
		ok = is_good(result) || refuse(pg, STATUS_CONFIG, result, err);
		if (ok && pq->ntuples(result) && num_i64(pq->getvalue(result, 0, 0), (size_t)pq->getlength(result, 0, 0), &version))
			*ret = (int)version;
	}
	pq->clear(result);
	return ok && schema_known(*ret, pg->url.s, err);
}

static const char own_tables
    [] = "CREATE TABLE agentutils_schema(version BIGINT NOT NULL); INSERT INTO agentutils_schema VALUES(0);"
	 "CREATE TABLE gateways(id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, seen BIGINT NOT NULL, batch BIGINT NOT NULL);";

static bool
migrate(struct pg *pg, struct err *err)
{
	struct buf text = BUF_INIT;
	int version = 0, i;
	bool ok = exec(pg, "BEGIN; SELECT pg_advisory_xact_lock(" LOCK ")", err) && read_version(pg, &version, err);

	if (ok && !version)
		ok = exec(pg, own_tables, err);
	for (i = version; ok && i < schema_version; i++) {
		buf_reset(&text);
		own_schema(schema_migrations[i], &text);
		ok = exec(pg, text.s, err);
	}
	buf_reset(&text);
	buf_addf(&text, "UPDATE agentutils_schema SET version=%d WHERE version<>%d; COMMIT", schema_version, schema_version);
	ok = ok && exec(pg, text.s, err);
	if (!ok)
		pq->clear(pq->exec(pg->conn, "ROLLBACK"));
	buf_release(&text);
	return ok;
}

static struct pg *
open_only(const char *url, struct err *err)
{
	struct pg *pg;

	pq = libpq_load(err);
	if (!pq || !has_no_password(url, err))
		return NULL;
	pg = xcalloc(1, sizeof *pg);
	pg->db.ops = &pg_ops;
	buf_init(&pg->url);
	buf_addstr(&pg->url, url);
	if (pg_connect(&pg->db, err))
		return pg;
	pg_close(&pg->db);
	return NULL;
}

struct db *
pg_open_db(const char *url, struct err *err)
{
	struct pg *pg = open_only(url, err);

	if (pg && !migrate(pg, err)) {
		pg_close(&pg->db);
		return NULL;
	}
	return pg ? &pg->db : NULL;
}

bool
pg_check_db(const char *url, struct err *err)
{
	struct pg *pg = open_only(url, err);
	bool ok;
	int version;

	if (!pg)
		return false;
	ok = read_version(pg, &version, err);
	pg_close(&pg->db);
	return ok;
}
