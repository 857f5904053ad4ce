/* schema.c - the tables, whatever keeps them
 *
 * Written for SQLite, whose STRICT tables take nothing of a wrong type; another engine reads the same texts with its own names of the
 * types.
 */
#include "compat.h"

#include "status.h"
#include "store/db.h"

const char *const schema_migrations[] = {
	"CREATE TABLE events(seq INTEGER PRIMARY KEY, stream TEXT, kind TEXT NOT NULL, turn TEXT, level INTEGER NOT NULL,"
	" message TEXT NOT NULL, service TEXT, data BLOB, at INTEGER NOT NULL) STRICT;"
	"CREATE INDEX events_stream ON events(stream, seq) WHERE stream IS NOT NULL;"
	"CREATE TABLE streams(id INTEGER PRIMARY KEY, stream TEXT NOT NULL UNIQUE, updated INTEGER NOT NULL, status TEXT NOT NULL,"
	" open INTEGER NOT NULL, doc BLOB NOT NULL) STRICT;"
	"CREATE INDEX streams_updated ON streams(updated DESC, id);"
	"CREATE INDEX streams_open ON streams(id) WHERE open <> 0;"
	"CREATE TABLE keys(key TEXT PRIMARY KEY, print INTEGER NOT NULL, answer BLOB, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE INDEX keys_at ON keys(at);",

	"CREATE TABLE docs(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, doc BLOB NOT NULL) STRICT;"
	"CREATE INDEX events_service ON events(service, seq) WHERE service IS NOT NULL;",

	/* One turn in progress per thread is the store's promise: turns_one. */
	"ALTER TABLE events ADD COLUMN thread TEXT;"
	"CREATE INDEX events_thread ON events(thread, seq) WHERE thread IS NOT NULL;"
	"CREATE TABLE threads(id INTEGER PRIMARY KEY, thread TEXT NOT NULL UNIQUE, workspace TEXT NOT NULL, mode TEXT NOT NULL, host TEXT NOT NULL,"
	" status TEXT NOT NULL, title TEXT, archived INTEGER NOT NULL, native TEXT, rules TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL,"
	" switched INTEGER, session INTEGER NOT NULL) STRICT;"
	"CREATE INDEX threads_updated ON threads(workspace, updated DESC, id DESC);"
	"CREATE TABLE turns(id INTEGER PRIMARY KEY, turn TEXT NOT NULL UNIQUE, thread TEXT NOT NULL, status TEXT NOT NULL, mode TEXT NOT NULL, host TEXT NOT NULL,"
	" input TEXT NOT NULL, output TEXT, error TEXT, parent TEXT, source TEXT, request TEXT, user_message TEXT, assistant_message TEXT,"
	" started INTEGER NOT NULL, completed INTEGER,"
	" CHECK((status = 'inProgress') = (completed IS NULL))) STRICT;"
	"CREATE UNIQUE INDEX turns_one ON turns(thread) WHERE status = 'inProgress';"
	"CREATE UNIQUE INDEX turns_request ON turns(thread, request) WHERE request IS NOT NULL;"
	"CREATE INDEX turns_thread ON turns(thread, id);"
	"CREATE TABLE approvals(id INTEGER PRIMARY KEY, approval TEXT NOT NULL UNIQUE, thread TEXT NOT NULL, turn TEXT NOT NULL, status TEXT NOT NULL,"
	" doc TEXT NOT NULL, created INTEGER NOT NULL) STRICT;"
	"CREATE INDEX approvals_open ON approvals(thread, id) WHERE status = 'pending';"
	"CREATE INDEX approvals_thread ON approvals(thread, id);",

	/* Who works on it, where several gateways keep one store: share.c */
	"ALTER TABLE streams ADD COLUMN owner INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE turns ADD COLUMN owner INTEGER NOT NULL DEFAULT 0;",

	"ALTER TABLE threads ADD COLUMN cwd TEXT;",

	/* The tables are as they were, but part of them may be in a file beside the database (redo.h), which an older version does not look
	 * at. */
	"SELECT 1;",

	/* The indices have one entry for each block of events (tables_insert_event()); those of before are blocks of one. */
	"ALTER TABLE events ADD COLUMN block INTEGER NOT NULL DEFAULT 1;"
	"DROP INDEX IF EXISTS events_stream;"
	"DROP INDEX IF EXISTS events_service;"
	"DROP INDEX IF EXISTS events_thread;"
	"CREATE INDEX events_stream ON events(stream, seq, block) WHERE stream IS NOT NULL AND block > 0;"
	"CREATE INDEX events_service ON events(service, seq, block) WHERE service IS NOT NULL AND block > 0;"
	"CREATE INDEX events_thread ON events(thread, seq, block) WHERE thread IS NOT NULL AND block > 0;",
};

const int schema_version = (int)ARRAY_LEN(schema_migrations);

bool
schema_known(int version, const char *name, struct err *err)
{
	return version <= schema_version ||
	    err_set(err, STATUS_CONFIG, "unable to use the store '%s': a newer version wrote it (schema %d, this one knows %d)", name,
		version, schema_version);
}
