/* share.c - several gateways on one database: what the others wrote, leases, and a connection that comes back
 *
 * Each gateway has a row in `gateways`. It says there that it lives, at each beat and with each batch; the clock is the database's. Work
 * that is in progress has its gateway as its owner. A gateway that was silent for LEASE_MS has lost its row and its work to who noticed
 * first; should it wake up, its next commit fails, and it ends. An owner -N is gateway N which has taken the work over and not yet looked
 * at it.
 *
 * The batch's number in that row, written by the batch's own transaction, tells after a lost connection whether the batch was committed.
 */
#include "compat.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "key.h"
#include "status.h"
#include "store/internal.h"
#include "xalloc.h"

#define BATCHES_MAX INT64_C(1099511627776) /* of one gateway: one each millisecond for 34 years */
#define SIGNS 4194304
#define NOW "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

enum statement { JOIN, MARK, BEAT, LEAVE, READ_BATCH, SILENT, REMOVE, TAKE_ROWS, TAKE_TURNS, STATEMENT_COUNT };

static const char *const texts[] = {
	[JOIN] = "INSERT INTO gateways(seen, batch) VALUES(" NOW ", ?1) RETURNING id",
	/* fails, and with it the transaction, when the row is gone */
	[MARK] = "WITH mine AS (UPDATE gateways SET seen=" NOW ", batch=?2 WHERE id=?1 RETURNING id) SELECT 1/count(*) FROM mine",
	[BEAT] = "UPDATE gateways SET seen=" NOW " WHERE id=?1",
	[LEAVE] = "UPDATE gateways SET seen=0 WHERE id=?1",
	[READ_BATCH] = "SELECT batch FROM gateways WHERE id=?1",
	[SILENT] = "SELECT id FROM gateways WHERE id<>?1 AND seen < " NOW " - ?2 LIMIT 1",
	[REMOVE] = "DELETE FROM gateways WHERE id=?1 AND (?2 = 0 OR batch / ?3 = ?2)",
	[TAKE_ROWS] = "UPDATE streams SET owner=-?1 WHERE open<>0 AND owner IN (?2, -?2)",
	[TAKE_TURNS] = "UPDATE turns SET owner=-?1 WHERE status='inProgress' AND owner IN (?2, -?2)",
};
_Static_assert(ARRAY_LEN(texts) == STATEMENT_COUNT, "a text for each statement");

struct share {
	struct query *queries[STATEMENT_COUNT];
	int64_t batch;		  /* number of the last one */
	int64_t next_beat, since; /* monotonic; since: the connection is good since then */
	int64_t lost;		  /* when it went; 0: it is there */
	int64_t next_try;
	bool fenced;
};

struct share *
share_new(struct db *db, struct err *err)
{
	struct share *share = xcalloc(1, sizeof *share);
	int i;

	share->since = clock_monotonic_ms();
	for (i = 0; i < STATEMENT_COUNT; i++)
		if (!db_query(db, &share->queries[i], texts[i], err)) {
			share_free(share);
			return NULL;
		}
	return share;
}

void
share_free(struct share *share)
{
	int i;

	if (!share)
		return;
	for (i = 0; i < STATEMENT_COUNT; i++)
		query_drop(share->queries[i]);
	free(share);
}

static struct query *
get(struct store *store, enum statement which, int64_t first)
{
	struct query *query = store->share->queries[which];

	query_reset(query);
	query_int(query, 1, first);
	return query;
}

/* The one number that a statement gives. */
static enum db_step
one(struct query *query, int64_t *ret, struct err *err)
{
	enum db_step step = query_step(query, err);

	if (step == DB_ROW)
		*ret = query_get_int(query, 0);
	query_reset(query);
	return step;
}

/* ---- what the others wrote */

bool
share_news(struct store *store, struct err *err)
{
	bool more = true;

	while (more) {
		struct page *page = page_new(NULL, NULL);
		size_t i;

		page->after = store->last_seq;
		if (!tables_read_news(store->tables, page)) {
			*err = page->err;
			page_free(page);
			return false;
		}
		more = page->more;
		for (i = 0; i < page->n_events; i++) {
			const struct entry *event = page->events[i];

			store->last_seq = event->seq;
			if (event->at_ms > store->last_at)
				store->last_at = event->at_ms;
			if (event->stream.s && !event->thread)
				cache_drop(store->cache, event->stream);
		}
		if (page->n_events)
			store_tell(store, OP_NEWS, page);
		else
			page_free(page);
	}
	return true;
}

/* ---- leases */

static void
fence(struct store *store)
{
	if (!store->share->fenced)
		store_tell(store, OP_FENCED, NULL);
	store->share->fenced = true;
}

bool
share_mark(struct store *store, struct err *err)
{
	struct query *query = get(store, MARK, store->me);

	query_int(query, 2, ++store->share->batch);
	return query_run(query, err);
}

/* All of another gateway's work becomes ours; in a transaction. sign 0: whoever it is. False: somebody else was first, or it failed. */
static bool
take(struct store *store, int64_t other, int64_t sign, struct err *err)
{
	static const enum statement all[] = { TAKE_ROWS, TAKE_TURNS };
	struct query *query = get(store, REMOVE, other);
	int changed = 0;
	size_t i;

	query_int(query, 2, sign);
	query_int(query, 3, BATCHES_MAX);
	if (!query_change(query, &changed, err) || !changed)
		return false;
	for (i = 0; i < ARRAY_LEN(all); i++) {
		query = get(store, all[i], store->me);
		query_int(query, 2, other);
		if (!query_run(query, err))
			return false;
	}
	return true;
}

/* In another database its number is somebody else's, or our own: so each has a sign, by which its batches are counted. */
bool
share_join(struct store *store, const struct holder *before, struct err *err)
{
	uint32_t random;
	bool ok = db_begin(store->db, err);

	key_random(&random, sizeof random);
	store->sign = 1 + random % SIGNS;
	store->share->batch = store->sign * BATCHES_MAX;
	ok = ok && one(get(store, JOIN, store->share->batch), &store->me, err) == DB_ROW;
	if (ok && before->sign && !take(store, before->gateway, before->sign, err))
		ok = err->status == STATUS_OK;
	ok = ok && tables_last(store->tables, &store->last_seq, &store->last_at, err);
	return ok && db_commit(store->db, err);
}

void
share_leave(struct store *store)
{
	struct err err = ERR_INIT;
	int changed;

	if (db_state(store->db) == DB_GOOD && !store->share->fenced && !query_change(get(store, LEAVE, store->me), &changed, &err))
		return; /* its lease runs out */
}

static bool
take_silent(struct store *store, struct err *err)
{
	struct query *query = get(store, SILENT, store->me);
	int64_t other = 0;
	bool ok;

	query_int(query, 2, LEASE_MS);
	if (one(query, &other, err) != DB_ROW)
		return false;
	ok = db_begin(store->db, err) && take(store, other, 0, err) && share_mark(store, err) && db_commit(store->db, err);
	if (!ok) {
		db_rollback(store->db);
		return false;
	}
	cache_drop_all(store->cache);
	store_tell(store, OP_TAKEN, NULL);
	return true;
}

/* ---- the connection */

static bool
is_lost(const struct store *store)
{
	enum db_state state = db_state(store->db);

	return state == DB_LOST || state == DB_IN_DOUBT;
}

static bool
try_connect(struct store *store, struct err *err)
{
	int64_t now = clock_monotonic_ms();

	if (!store->share->lost)
		store->share->lost = now;
	if (!db_connect(store->db, err))
		return false;
	store->share->lost = 0;
	store->share->since = now;
	store->share->next_beat = 0;
	return true;
}

static bool
is_closing(struct store *store)
{
	bool quit;

	pthread_mutex_lock(&store->lock);
	quit = store->quit;
	pthread_mutex_unlock(&store->lock);
	return quit;
}

bool
share_reconnect(struct store *store, struct err *err)
{
	static const struct timespec pause = { 0, RECONNECT_MS * 1000000L };
	int64_t limit;

	/* the outage may be older than this batch: who came later does not wait for longer than the first one did */
	if (!store->share->lost)
		store->share->lost = clock_monotonic_ms();
	limit = store->share->lost + OUTAGE_MS;
	while (!try_connect(store, err)) {
		if (clock_monotonic_ms() >= limit || is_closing(store))
			return err_set(err, STATUS_RETRY, "unable to store: the database cannot be reached");
		nanosleep(&pause, NULL);
	}
	return true;
}

bool
share_was_committed(struct store *store, bool *ret, struct err *err)
{
	int64_t batch = 0;
	enum db_step step;

	/* the lock of the writers: whatever became of that commit is decided when we have it */
	if (!db_begin(store->db, err))
		return false;
	step = one(get(store, READ_BATCH, store->me), &batch, err);
	db_rollback(store->db);
	if (step == DB_DONE)
		fence(store);
	*ret = step == DB_ROW && batch == store->share->batch;
	return step != DB_FAILED;
}

bool
share_is_fenced(struct store *store)
{
	return store->share->fenced;
}

/* After a commit that the database did not take: has our row gone? */
void
share_look(struct store *store)
{
	struct err err = ERR_INIT;
	int64_t batch;

	if (!is_lost(store) && one(get(store, READ_BATCH, store->me), &batch, &err) == DB_DONE)
		fence(store);
}

/* ---- between the batches */

void
share_wait(struct store *store)
{
	int64_t left = store->share->next_beat - clock_monotonic_ms();
	struct pollfd fds[2] = { { .fd = store->ask[0], .events = POLLIN }, { .fd = db_fd(store->db), .events = POLLIN } };
	char bytes[64];

	if (is_lost(store))
		left = RECONNECT_MS;
	(void)poll(fds, 2, left < 0 ? 0 : (int)left);
	while (read(store->ask[0], bytes, sizeof bytes) > 0)
		;
}

/* Then it begins with the news. */
static bool
change_is_next(struct store *store)
{
	bool is;

	pthread_mutex_lock(&store->lock);
	is = store->asked.first && store->asked.first->kind == OP_CHANGE;
	pthread_mutex_unlock(&store->lock);
	return is;
}

void
share_tend(struct store *store)
{
	struct err err = ERR_INIT;
	int64_t now = clock_monotonic_ms();
	int changed = 1;

	if (store->share->fenced) {
		store->share->next_beat = now + BEAT_MS;
		return;
	}
	if (is_lost(store) && !try_connect(store, &err))
		return;
	if (((db_heard(store->db) && !change_is_next(store)) || now >= store->share->next_beat) && !share_news(store, &err))
		return; /* the next beat tries again */
	if (now < store->share->next_beat)
		return;
	store->share->next_beat = now + BEAT_MS;
	if (query_change(get(store, BEAT, store->me), &changed, &err) && !changed)
		fence(store);
	/* after an outage everybody looks silent: all get the time to say that they are there */
	else if (now - store->share->since >= LEASE_MS)
		while (take_silent(store, &err))
			;
}
