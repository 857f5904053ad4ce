/* db.c - the door itself: each call goes to the engine */
#include "compat.h"

#include <string.h>

#include "store/db.h"

void
db_close(struct db *db)
{
	if (db)
		db->ops->close(db);
}

bool
db_begin(struct db *db, struct err *err)
{
	return db->ops->begin(db, err);
}

bool
db_commit(struct db *db, struct err *err)
{
	return db->ops->commit(db, err);
}

void
db_rollback(struct db *db)
{
	db->ops->rollback(db);
}

bool
db_in_transaction(const struct db *db)
{
	return db->ops->in_transaction(db);
}

bool
db_query(struct db *db, struct query **query, const char *text, struct err *err)
{
	if (!*query)
		*query = db->ops->prepare(db, text, err);
	else
		query_reset(*query);
	return *query != NULL;
}

void
query_drop(struct query *query)
{
	if (query)
		query->db->ops->drop(query);
}

void
query_int(struct query *query, int i, int64_t value)
{
	query->db->ops->bind_int(query, i, &value);
}

void
query_text(struct query *query, int i, struct span text)
{
	query->db->ops->bind_bytes(query, i, text, true);
}

void
query_blob(struct query *query, int i, struct span bytes)
{
	query->db->ops->bind_bytes(query, i, bytes, false);
}

void
query_no_int(struct query *query, int i)
{
	query->db->ops->bind_int(query, i, NULL);
}

bool
query_run(struct query *query, struct err *err)
{
	return query->db->ops->run(query, NULL, err);
}

bool
query_change(struct query *query, int *ret_changed, struct err *err)
{
	return query->db->ops->run(query, ret_changed, err);
}

enum db_step
query_step(struct query *query, struct err *err)
{
	return query->db->ops->step(query, err);
}

int64_t
query_get_int(struct query *query, int i)
{
	return query->db->ops->get_int(query, i);
}

struct span
query_get(struct query *query, int i)
{
	return query->db->ops->get(query, i);
}

void
query_reset(struct query *query)
{
	query->db->ops->reset(query);
}

void
query_stream(struct query *query)
{
	if (query->db->ops->stream)
		query->db->ops->stream(query);
}

void
query_gather(struct query *query)
{
	query->db->ops->gather(query);
}

void
db_hand_over(struct db *db)
{
	db->ops->hand_over(db);
}

void
db_commit_behind(struct db *db)
{
	db->ops->commit_behind(db);
}

void
db_allow_commit(struct db *db, const struct err *why)
{
	db->ops->allow(db, why);
}

bool
db_look_behind(struct db *db, bool *ret_committed, struct err *err)
{
	return db->ops->look(db, ret_committed, err);
}

void
db_note(struct db *db, struct note *note)
{
	if (db->ops->note)
		db->ops->note(db, note);
}

void
db_rest(struct db *db)
{
	if (db->ops->rest)
		db->ops->rest(db);
}

/* ---- shared ones */

bool
pg_is_url(const char *url)
{
	return !strncmp(url, "postgresql://", 13) || !strncmp(url, "postgres://", 11);
}

bool
db_is_shared(const struct db *db)
{
	return db->ops->connect != NULL;
}

int
db_fd(const struct db *db)
{
	return db->ops->fd ? db->ops->fd(db) : -1;
}

bool
db_wrote(const struct db *db)
{
	return !db->ops->wrote || db->ops->wrote(db);
}

bool
db_heard(struct db *db)
{
	return db->ops->heard && db->ops->heard(db);
}

enum db_state
db_state(const struct db *db)
{
	return db->ops->state ? db->ops->state(db) : DB_GOOD;
}

bool
db_connect(struct db *db, struct err *err)
{
	return !db->ops->connect || db->ops->connect(db, err);
}
