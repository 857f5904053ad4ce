/* pg_wire.c - the pipeline: what is sent without waiting, what comes back, and what goes wrong */
#include "compat.h"

#include <poll.h>
#include <string.h>

#include "clock.h"
#include "status.h"
#include "store/pg.h"

/* ---- what goes wrong */

void
pg_first_line(const char *text, struct buf *to)
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

bool
pg_failed(struct pg *pg, const PGresult *result, const char *what, struct err *err)
{
	const char *primary = result ? pq->resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	const char *state = result ? pq->resultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
	struct buf text = BUF_INIT;

	/* an error without the server's code is libpq's own: it could not write or read, or is out of step */
	if (pq->status(pg->conn) == CONNECTION_BAD || ends_session(state) || (!state && pq->resultStatus(result) != PGRES_PIPELINE_ABORTED))
		pg->lost = true;
	if (blames_data(state))
		pg->refused = true;
	pg_first_line(primary ? primary : pq->errorMessage(pg->conn), &text);
	err_set(err, STATUS_RETRY, "unable to %s: %s", what, text.len ? text.s : "the database is gone");
	buf_release(&text);
	return false;
}

bool
pg_is_good(const PGresult *result)
{
	ExecStatusType status = pq->resultStatus(result);

	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_SINGLE_TUPLE || status == PGRES_PIPELINE_SYNC;
}

bool
pg_in_trouble(const struct pg *pg, struct err *err)
{
	if (!pg->trouble.status)
		return false;
	if (err)
		*err = pg->trouble;
	return true;
}

/* ---- what comes */

/* Writes what is still to be written, and waits for something to read. False: it takes too long. */
static bool
wait_for_word(struct pg *pg, int64_t until)
{
	struct pollfd fd = { .fd = pq->socket(pg->conn), .events = POLLIN };
	int more = pq->flush(pg->conn), ready;
	int64_t left = until - clock_monotonic_ms();

	if (more < 0)
		return false;
	if (more)
		fd.events |= POLLOUT;
	ready = poll(&fd, 1, left < 0 ? 0 : (int)left);
	/* when that fails the next result says so */
	if (ready > 0 && fd.revents & ~POLLOUT)
		(void)pq->consumeInput(pg->conn);
	return ready || clock_monotonic_ms() < until;
}

/* A server may stand still while its kernel says that it is there. */
PGresult *
pg_result(struct pg *pg)
{
	int64_t until = clock_monotonic_ms() + SILENCE_MS;

	while (!pg->lost && pq->isBusy(pg->conn))
		if (!wait_for_word(pg, until)) {
			pg->lost = true;
			if (!pg->trouble.status)
				pg_failed(pg, NULL, "store", &pg->trouble);
		}
	return pg->lost ? NULL : pq->getResult(pg->conn);
}

PGresult *
pg_exec(struct pg *pg, const char *text)
{
	PGresult *result, *last = NULL;

	if (!pq->sendQuery(pg->conn, text))
		return NULL;
	while ((result = pg_result(pg))) {
		if (last && !pg_is_good(last)) {
			pq->clear(result);
			continue;
		}
		pq->clear(last);
		last = result;
	}
	return last;
}

/* ---- the pipeline */

bool
pg_enter_pipeline(struct pg *pg, struct err *err)
{
	if (pg->active)
		pg_end_rows(pg->active);
	return pq->pipelineStatus(pg->conn) != PQ_PIPELINE_OFF || pq->enterPipelineMode(pg->conn) || pg_failed(pg, NULL, "store", err);
}

/* What the deferred statements said; the first that failed is remembered. */
void
pg_read_deferred(struct pg *pg)
{
	PGresult *result;

	while (pg->deferred && !pg->lost) {
		while ((result = pg_result(pg))) {
			if (!pg_is_good(result) && !pg->trouble.status)
				pg_failed(pg, result, "store", &pg->trouble);
			pq->clear(result);
		}
		if (pq->status(pg->conn) == CONNECTION_BAD && !pg->trouble.status)
			pg_failed(pg, NULL, "store", &pg->trouble);
		pg->deferred--;
	}
}

bool
pg_take_sync(struct pg *pg)
{
	int empty = 0;

	while (!pg->lost) {
		PGresult *result = pg_result(pg);
		bool gone = !result;
		ExecStatusType status = pq->resultStatus(result);

		pq->clear(result);
		if (status == PGRES_PIPELINE_SYNC)
			break;
		if (pq->status(pg->conn) == CONNECTION_BAD || (gone && ++empty > 1))
			return pg_failed(pg, NULL, "store", &pg->trouble);
	}
	return !pg->lost && (pq->exitPipelineMode(pg->conn) || pg_failed(pg, NULL, "store", &pg->trouble));
}

bool
pg_leave_pipeline(struct pg *pg)
{
	if (pq->pipelineStatus(pg->conn) == PQ_PIPELINE_OFF)
		return true;
	if (!pq->pipelineSync(pg->conn))
		return pg_failed(pg, NULL, "store", &pg->trouble);
	pg_read_deferred(pg);
	return pg_take_sync(pg);
}

bool
pg_settle(struct pg *pg, struct err *err)
{
	(void)pg_leave_pipeline(pg);
	return !pg_in_trouble(pg, err);
}
