/* pg_query.c - statements: prepared where they are first needed, run now or later, their rows */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "num.h"
#include "store/pg.h"
#include "xalloc.h"

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

/* ---- making */

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

struct query *
pg_prepare(struct db *db, const char *text, struct err *err)
{
	struct pg_query *query = xcalloc(1, sizeof *query);

	(void)err;
	query->query.db = db;
	query->text = own_text(text);
	snprintf(query->name, sizeof query->name, "s%u", ++pg_of(db)->names);
	return &query->query;
}

void
pg_end_rows(struct pg_query *query)
{
	struct pg *pg = pg_of(query->query.db);
	PGresult *result;

	pq->clear(query->rows);
	query->rows = NULL;
	if (pg->active == query) {
		pg->active = NULL;
		while ((result = pg_result(pg)))
			pq->clear(result);
		if (pg->synced)
			(void)pg_take_sync(pg);
		pg->synced = false;
	}
	query->begun = false;
}

void
pg_drop(struct query *q)
{
	struct pg_query *query = query_of(q);

	pg_end_rows(query);
	gather_free(query->gather);
	free(query->text);
	free(query);
}

void
pg_reset(struct query *q)
{
	struct pg_query *query = query_of(q);

	pg_end_rows(query);
	query->n = 0;
	query->streams = false;
}

void
pg_stream(struct query *q)
{
	query_of(q)->streams = true;
}

void
pg_gather(struct query *q)
{
	struct pg_query *query = query_of(q);

	if (!query->gather)
		query->gather = gather_new(pg_of(q->db), query->text);
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

void
pg_bind_int(struct query *q, int i, const int64_t *value)
{
	struct pg_query *query = query_of(q);
	unsigned char *at = query->numbers[i - 1];
	int k;

	for (k = 0; value && k < 8; k++)
		at[k] = (unsigned char)((uint64_t)*value >> (56 - 8 * k));
	set(query, i, OID_INT8, value ? (const char *)at : NULL, 8);
}

void
pg_bind_bytes(struct query *q, int i, struct span bytes, bool text)
{
	(void)text;
	set(query_of(q), i, OID_BYTEA, bytes.s, bytes.n);
}

/* ---- sending */

bool
pg_send(struct pg *pg, struct pg_query *query)
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

bool
pg_defer(struct pg *pg, struct pg_query *query, struct err *err)
{
	if (!pg_enter_pipeline(pg, err))
		return false;
	if (!pg_send(pg, query))
		return pg_failed(pg, NULL, "store", err);
	pg->deferred++;
	return pg->deferred < DEFERRED_MAX || pg_settle(pg, err);
}

/* What was deferred before it has failed, or it cannot be prepared. */
static bool
not_begun(struct pg *pg, struct pg_query *query, struct err *err)
{
	(void)pg_take_sync(pg);
	(void)pg_in_trouble(pg, err);
	if (!pg->in_transaction) {
		pg->trouble.status = STATUS_OK; /* it was this statement's own */
		query->connection = 0;
	}
	return false;
}

/* Sends it with all that is deferred, and reads up to its results: one round trip. */
static bool
begin(struct pg *pg, struct pg_query *query, const char *what, struct err *err)
{
	if (pg->active)
		pg_end_rows(pg->active);
	if (!gather_flush(pg, query->text, err))
		return false;
	if (query->connection != pg->connection && !pg_enter_pipeline(pg, err))
		return false;
	pg->synced = pq->pipelineStatus(pg->conn) != PQ_PIPELINE_OFF;
	if (!pg_send(pg, query) || (pg->synced && !pq->pipelineSync(pg->conn))) {
		pg->synced = false;
		return pg_failed(pg, NULL, what, err);
	}
	pg_read_deferred(pg);
	if (pg->lost || pg_in_trouble(pg, NULL)) {
		pg->synced = false;
		return not_begun(pg, query, err);
	}
	if (query->streams)
		pq->setSingleRowMode(pg->conn);
	pg->active = query;
	query->begun = true;
	query->row = -1;
	return true;
}

static bool
change(struct pg *pg, struct pg_query *query, int *ret_changed, struct err *err)
{
	const char *changed;
	PGresult *result;
	int64_t n;
	bool ok;

	if (!begin(pg, query, "store", err))
		return false;
	result = pg_result(pg);
	ok = result && pg_is_good(result);
	if (!ok)
		pg_failed(pg, result, "store", err);
	changed = ok ? pq->cmdTuples(result) : "";
	*ret_changed = ok && num_i64(changed, strlen(changed), &n) ? (int)n : 0;
	pq->clear(result);
	pg_end_rows(query);
	return ok;
}

bool
pg_run(struct query *q, int *ret_changed, struct err *err)
{
	struct pg_query *query = query_of(q);
	struct pg *pg = pg_of(q->db);

	if (pg->lost || pg_in_trouble(pg, err))
		return pg->lost ? pg_failed(pg, NULL, "store", err) : false;
	pg->wrote = true;
	if (ret_changed)
		return change(pg, query, ret_changed, err);
	if (query->gather)
		return gather_add(query->gather, query, err);
	return gather_flush(pg, query->text, err) && pg_defer(pg, query, err);
}

/* ---- rows */

enum db_step
pg_step(struct query *q, struct err *err)
{
	struct pg_query *query = query_of(q);
	struct pg *pg = pg_of(q->db);

	if (pg->lost) {
		pg_failed(pg, NULL, "read the store", err);
		return DB_FAILED;
	}
	if (!query->begun && !begin(pg, query, "read the store", err))
		return DB_FAILED;
	if (query->rows && query->row + 1 < pq->ntuples(query->rows)) {
		query->row++;
		return DB_ROW;
	}
	if (pg->active != query)
		return DB_DONE;
	pq->clear(query->rows);
	query->rows = pg_result(pg);
	query->row = 0;
	if (!query->rows || !pg_is_good(query->rows)) {
		pg_failed(pg, query->rows, "read the store", err);
		if (pg->in_transaction && !pg->trouble.status)
			pg->trouble = *err;
		pg_end_rows(query);
		return DB_FAILED;
	}
	if (pq->resultStatus(query->rows) == PGRES_TUPLES_OK) {
		/* nothing more is in the connection */
		pq->clear(pg_result(pg));
		pg->active = NULL;
		if (pg->synced)
			(void)pg_take_sync(pg);
		pg->synced = false;
	}
	return pq->ntuples(query->rows) ? DB_ROW : DB_DONE;
}

int64_t
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

struct span
pg_get(struct query *q, int i)
{
	const struct pg_query *query = query_of(q);

	if (pq->getisnull(query->rows, query->row, i))
		return SPAN_NONE;
	return (struct span){ pq->getvalue(query->rows, query->row, i), (size_t)pq->getlength(query->rows, query->row, i) };
}
