/* thread.c - threads, turns and approvals in SQLite */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "secrets.h"
#include "store/internal.h"
#include "store/thread.h"
#include "xalloc.h"

static const char *const statuses[] = { [THREAD_IDLE] = "idle",
	[THREAD_IN_PROGRESS] = "inProgress",
	[THREAD_COMPLETED] = "completed",
	[THREAD_INTERRUPTED] = "interrupted",
	[THREAD_ERROR] = "error" };
static const char *const modes[] = { [THREAD_CLOUD] = "cloud", [THREAD_LOCAL] = "local" };
static const char *const hosts[] = { [THREAD_DYNAMIC_SESSIONS] = "dynamic_sessions", [THREAD_DESKTOP_LOCAL] = "desktop_local" };
_Static_assert(ARRAY_LEN(statuses) == THREAD_STATUS_COUNT && ARRAY_LEN(modes) == THREAD_MODE_COUNT && ARRAY_LEN(hosts) == THREAD_HOST_COUNT,
    "a word for each");

const char *
thread_status_text(enum thread_status status)
{
	return statuses[status];
}

const char *
thread_mode_text(enum thread_mode mode)
{
	return modes[mode];
}

const char *
thread_host_text(enum thread_host host)
{
	return hosts[host];
}

enum statement {
	THREAD_GET,
	THREAD_PUT,
	THREAD_DROP,
	THREAD_DROP_TURNS,
	THREAD_DROP_APPROVALS,
	THREAD_LIST,
	TURN_GET,
	TURN_BY_REQUEST,
	TURN_OPEN,
	TURN_OPEN_ANY,
	TURN_ADD,
	TURN_END,
	APPROVAL_GET,
	APPROVAL_ADD,
	APPROVAL_END,
	APPROVAL_LIST,
	STATEMENT_COUNT
};

#define THREAD_COLUMNS "thread, workspace, title, native, rules, status, mode, host, archived, created, updated, switched, session"
#define TURN_COLUMNS                                                                                                                       \
	"turn, thread, input, output, error, parent, source, request, user_message, assistant_message, status, mode, host, started, completed"
#define APPROVAL_COLUMNS "approval, thread, turn, doc, status, created"

static const char *const texts[] = {
	[THREAD_GET] = "SELECT " THREAD_COLUMNS " FROM threads WHERE thread=?1",
	[THREAD_PUT] =
	    "INSERT INTO threads(" THREAD_COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13) ON CONFLICT(thread) DO UPDATE SET"
	    " title=excluded.title, native=excluded.native, rules=excluded.rules, status=excluded.status, mode=excluded.mode, host=excluded.host,"
	    " archived=excluded.archived, updated=excluded.updated, switched=excluded.switched, session=excluded.session",
	[THREAD_DROP] = "DELETE FROM threads WHERE thread=?1",
	[THREAD_DROP_TURNS] = "DELETE FROM turns WHERE thread=?1",
	[THREAD_DROP_APPROVALS] = "DELETE FROM approvals WHERE thread=?1",
	[THREAD_LIST] = "SELECT " THREAD_COLUMNS
			" FROM threads WHERE workspace=?1 AND (?2=2 OR archived=?2) ORDER BY updated DESC, id DESC LIMIT ?3",
	[TURN_GET] = "SELECT " TURN_COLUMNS " FROM turns WHERE turn=?1",
	[TURN_BY_REQUEST] = "SELECT " TURN_COLUMNS " FROM turns WHERE thread=?1 AND request=?2",
	[TURN_OPEN] = "SELECT " TURN_COLUMNS " FROM turns WHERE thread=?1 AND status='inProgress'",
	[TURN_OPEN_ANY] = "SELECT " TURN_COLUMNS " FROM turns WHERE status='inProgress' LIMIT 1",
	[TURN_ADD] = "INSERT INTO turns(" TURN_COLUMNS
		     ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15) ON CONFLICT DO NOTHING",
	[TURN_END] =
	    "UPDATE turns SET status=?2, output=?3, error=?4, assistant_message=?5, completed=?6 WHERE turn=?1 AND status='inProgress'",
	[APPROVAL_GET] = "SELECT " APPROVAL_COLUMNS " FROM approvals WHERE approval=?1",
	[APPROVAL_ADD] = "INSERT INTO approvals(" APPROVAL_COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6)",
	[APPROVAL_END] = "UPDATE approvals SET status='resolved', doc=?2 WHERE approval=?1 AND status='pending'",
	[APPROVAL_LIST] = "SELECT " APPROVAL_COLUMNS
			  " FROM approvals WHERE thread=?1 AND (?2 IS NULL OR turn=?2) AND (?3=0 OR status='pending') ORDER BY id LIMIT ?4",
};
_Static_assert(ARRAY_LEN(texts) == STATEMENT_COUNT, "a text for each statement");

struct thread_db {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
};

struct thread_db *
thread_db_new(struct sqlite *db)
{
	struct thread_db *threads = xcalloc(1, sizeof *threads);

	threads->db = sqlite_handle(db);
	return threads;
}

void
thread_db_free(struct thread_db *threads)
{
	size_t i;

	if (!threads)
		return;
	for (i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(threads->statements[i]);
	free(threads);
}

/* ---- rows in memory */

void
thread_init(struct thread *thread)
{
	*thread = (struct thread){ .id = BUF_INIT, .workspace = BUF_INIT, .title = BUF_INIT, .native = BUF_INIT, .rules = BUF_INIT };
}

void
thread_release(struct thread *thread)
{
	buf_release(&thread->id);
	buf_release(&thread->workspace);
	buf_release(&thread->title);
	buf_release(&thread->native);
	buf_release(&thread->rules);
}

void
turn_init(struct turn *turn)
{
	*turn = (struct turn){ .id = BUF_INIT,
		.thread = BUF_INIT,
		.input = BUF_INIT,
		.output = BUF_INIT,
		.error = BUF_INIT,
		.parent = BUF_INIT,
		.source = BUF_INIT,
		.request = BUF_INIT,
		.user_message = BUF_INIT,
		.assistant_message = BUF_INIT,
		.status = THREAD_IN_PROGRESS };
}

void
turn_release(struct turn *turn)
{
	buf_release(&turn->id);
	buf_release(&turn->thread);
	buf_release(&turn->input);
	buf_release(&turn->output);
	buf_release(&turn->error);
	buf_release(&turn->parent);
	buf_release(&turn->source);
	buf_release(&turn->request);
	buf_release(&turn->user_message);
	buf_release(&turn->assistant_message);
}

void
approval_init(struct approval *approval)
{
	*approval = (struct approval){ .id = BUF_INIT, .thread = BUF_INIT, .turn = BUF_INIT, .doc = BUF_INIT, .pending = true };
}

void
approval_release(struct approval *approval)
{
	buf_release(&approval->id);
	buf_release(&approval->thread);
	buf_release(&approval->turn);
	buf_release(&approval->doc);
}

/* ---- statements */

/* NULL: the batch has failed. */
static sqlite3_stmt *
get(struct change_context *context, enum statement which)
{
	struct thread_db *threads = change_threads(context);

	if (!threads)
		return NULL;
	if (!threads->statements[which] &&
	    sqlite3_prepare_v3(threads->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, &threads->statements[which], NULL) != SQLITE_OK) {
		change_broken(context, sqlite3_errmsg(threads->db));
		return NULL;
	}
	sqlite3_reset(threads->statements[which]);
	return threads->statements[which];
}

static void
bind(sqlite3_stmt *statement, int i, struct span text)
{
	if (text.s)
		sqlite3_bind_text64(statement, i, text.s, text.n, SQLITE_TRANSIENT, SQLITE_UTF8);
	else
		sqlite3_bind_null(statement, i);
}

static void
bind_buf(sqlite3_stmt *statement, int i, const struct buf *text)
{
	bind(statement, i, (struct span){ text->s, text->len });
}

/* "" is null */
static void
bind_some(sqlite3_stmt *statement, int i, const struct buf *text)
{
	bind(statement, i, text->len ? (struct span){ text->s, text->len } : SPAN_NONE);
}

static void
bind_word(sqlite3_stmt *statement, int i, const char *word)
{
	sqlite3_bind_text(statement, i, word, -1, SQLITE_STATIC);
}

static void
bind_time(sqlite3_stmt *statement, int i, int64_t ms)
{
	if (ms)
		sqlite3_bind_int64(statement, i, ms);
	else
		sqlite3_bind_null(statement, i);
}

/* A text without secrets, bound. */
static void
bind_clean(struct change_context *context, sqlite3_stmt *statement, int i, struct buf *text)
{
	struct buf clean = BUF_INIT;

	if (secrets_text(change_secrets(context), text->s, text->len, &clean)) {
		buf_reset(text);
		buf_add(text, clean.s, clean.len);
	}
	buf_release(&clean);
	bind_buf(statement, i, text);
}

/* Runs a statement that gives no rows; the number of rows it changed. */
static int
run(struct change_context *context, sqlite3_stmt *statement)
{
	struct thread_db *threads = change_threads(context);
	int code = sqlite3_step(statement);

	sqlite3_reset(statement);
	if (code == SQLITE_DONE)
		return sqlite3_changes(threads->db);
	change_broken(context, sqlite3_errmsg(threads->db));
	return 0;
}

/* True: there is a (further) row. */
static bool
step(struct change_context *context, sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	if (code == SQLITE_ROW)
		return true;
	if (code != SQLITE_DONE)
		change_broken(context, sqlite3_errmsg(change_threads(context)->db));
	sqlite3_reset(statement);
	return false;
}

static void
column(sqlite3_stmt *statement, int i, struct buf *to)
{
	const void *bytes = sqlite3_column_blob(statement, i);

	if (bytes)
		buf_add(to, bytes, (size_t)sqlite3_column_bytes(statement, i));
}

static int
word(sqlite3_stmt *statement, int i, const char *const *words, int n)
{
	const char *text = (const char *)sqlite3_column_text(statement, i);
	int at;

	for (at = n - 1; at > 0 && (!text || strcmp(words[at], text) != 0); at--)
		;
	return at;
}

/* ---- threads */

static void
read_thread(sqlite3_stmt *statement, struct thread *ret)
{
	column(statement, 0, &ret->id);
	column(statement, 1, &ret->workspace);
	column(statement, 2, &ret->title);
	column(statement, 3, &ret->native);
	column(statement, 4, &ret->rules);
	ret->status = (enum thread_status)word(statement, 5, statuses, THREAD_STATUS_COUNT);
	ret->mode = (enum thread_mode)word(statement, 6, modes, THREAD_MODE_COUNT);
	ret->host = (enum thread_host)word(statement, 7, hosts, THREAD_HOST_COUNT);
	ret->archived = sqlite3_column_int(statement, 8) != 0;
	ret->created_ms = sqlite3_column_int64(statement, 9);
	ret->updated_ms = sqlite3_column_int64(statement, 10);
	ret->switched_ms = sqlite3_column_int64(statement, 11);
	ret->session = sqlite3_column_int(statement, 12) != 0;
}

bool
change_thread_get(struct change_context *context, struct span id, struct thread *ret)
{
	sqlite3_stmt *statement = get(context, THREAD_GET);
	bool found;

	if (!statement)
		return false;
	bind(statement, 1, id);
	found = step(context, statement);
	if (found)
		read_thread(statement, ret);
	sqlite3_reset(statement);
	return found;
}

void
change_thread_put(struct change_context *context, const struct thread *thread)
{
	sqlite3_stmt *statement = get(context, THREAD_PUT);
	struct buf title = BUF_INIT;

	if (!statement)
		return;
	buf_add(&title, thread->title.s, thread->title.len);
	bind_buf(statement, 1, &thread->id);
	bind_buf(statement, 2, &thread->workspace);
	bind_clean(context, statement, 3, &title);
	if (!title.len)
		sqlite3_bind_null(statement, 3);
	bind_some(statement, 4, &thread->native);
	bind_some(statement, 5, &thread->rules);
	bind_word(statement, 6, statuses[thread->status]);
	bind_word(statement, 7, modes[thread->mode]);
	bind_word(statement, 8, hosts[thread->host]);
	sqlite3_bind_int(statement, 9, thread->archived);
	sqlite3_bind_int64(statement, 10, thread->created_ms);
	sqlite3_bind_int64(statement, 11, thread->updated_ms);
	bind_time(statement, 12, thread->switched_ms);
	sqlite3_bind_int(statement, 13, thread->session);
	(void)run(context, statement);
	buf_release(&title);
}

void
change_thread_drop(struct change_context *context, struct span id)
{
	static const enum statement all[] = { THREAD_DROP_APPROVALS, THREAD_DROP_TURNS, THREAD_DROP };
	sqlite3_stmt *statement;
	size_t i;

	for (i = 0; i < ARRAY_LEN(all) && (statement = get(context, all[i])); i++) {
		bind(statement, 1, id);
		(void)run(context, statement);
	}
}

void
change_thread_list(
    struct change_context *context, struct span workspace, enum thread_state state, int limit, thread_each_cb *cb, void *payload)
{
	sqlite3_stmt *statement = get(context, THREAD_LIST);
	struct thread thread;

	if (!statement)
		return;
	bind(statement, 1, workspace);
	sqlite3_bind_int(statement, 2, state == THREAD_ALL ? 2 : state == THREAD_ARCHIVED);
	sqlite3_bind_int(statement, 3, limit);
	while (step(context, statement)) {
		thread_init(&thread);
		read_thread(statement, &thread);
		cb(&thread, payload);
		thread_release(&thread);
	}
}

/* ---- turns */

static void
read_turn(sqlite3_stmt *statement, struct turn *ret)
{
	column(statement, 0, &ret->id);
	column(statement, 1, &ret->thread);
	column(statement, 2, &ret->input);
	column(statement, 3, &ret->output);
	ret->has_output = sqlite3_column_type(statement, 3) != SQLITE_NULL;
	column(statement, 4, &ret->error);
	column(statement, 5, &ret->parent);
	column(statement, 6, &ret->source);
	column(statement, 7, &ret->request);
	column(statement, 8, &ret->user_message);
	column(statement, 9, &ret->assistant_message);
	ret->status = (enum thread_status)word(statement, 10, statuses, THREAD_STATUS_COUNT);
	ret->mode = (enum thread_mode)word(statement, 11, modes, THREAD_MODE_COUNT);
	ret->host = (enum thread_host)word(statement, 12, hosts, THREAD_HOST_COUNT);
	ret->started_ms = sqlite3_column_int64(statement, 13);
	ret->completed_ms = sqlite3_column_int64(statement, 14);
}

static bool
one_turn(struct change_context *context, enum statement which, struct span first, struct span second, struct turn *ret)
{
	sqlite3_stmt *statement = get(context, which);
	bool found;

	if (!statement)
		return false;
	if (first.s)
		bind(statement, 1, first);
	if (second.s)
		bind(statement, 2, second);
	found = step(context, statement);
	if (found)
		read_turn(statement, ret);
	sqlite3_reset(statement);
	return found;
}

bool
change_turn_get(struct change_context *context, struct span id, struct turn *ret)
{
	return one_turn(context, TURN_GET, id, SPAN_NONE, ret);
}

bool
change_turn_by_request(struct change_context *context, struct span thread, struct span request, struct turn *ret)
{
	return one_turn(context, TURN_BY_REQUEST, thread, request, ret);
}

bool
change_turn_open(struct change_context *context, struct span thread, struct turn *ret)
{
	return one_turn(context, thread.s ? TURN_OPEN : TURN_OPEN_ANY, thread, SPAN_NONE, ret);
}

bool
change_turn_add(struct change_context *context, struct turn *turn)
{
	sqlite3_stmt *statement = get(context, TURN_ADD);

	if (!statement)
		return false;
	bind_buf(statement, 1, &turn->id);
	bind_buf(statement, 2, &turn->thread);
	bind_clean(context, statement, 3, &turn->input);
	sqlite3_bind_null(statement, 4);
	sqlite3_bind_null(statement, 5);
	bind_some(statement, 6, &turn->parent);
	bind_some(statement, 7, &turn->source);
	bind_some(statement, 8, &turn->request);
	bind_some(statement, 9, &turn->user_message);
	sqlite3_bind_null(statement, 10);
	bind_word(statement, 11, statuses[THREAD_IN_PROGRESS]);
	bind_word(statement, 12, modes[turn->mode]);
	bind_word(statement, 13, hosts[turn->host]);
	sqlite3_bind_int64(statement, 14, turn->started_ms);
	sqlite3_bind_null(statement, 15);
	return run(context, statement) == 1;
}

bool
change_turn_end(struct change_context *context, struct turn *turn)
{
	sqlite3_stmt *statement = get(context, TURN_END);
	struct buf clean = BUF_INIT;

	if (!statement)
		return false;
	bind_buf(statement, 1, &turn->id);
	bind_word(statement, 2, statuses[turn->status]);
	bind_clean(context, statement, 3, &turn->output);
	if (!turn->has_output)
		sqlite3_bind_null(statement, 3);
	if (turn->error.len && secrets_json(change_secrets(context), (struct span){ turn->error.s, turn->error.len }, &clean)) {
		buf_reset(&turn->error);
		buf_add(&turn->error, clean.s, clean.len);
	}
	buf_release(&clean);
	bind_some(statement, 4, &turn->error);
	bind_some(statement, 5, &turn->assistant_message);
	sqlite3_bind_int64(statement, 6, turn->completed_ms);
	return run(context, statement) == 1;
}

/* ---- approvals */

static void
read_approval(sqlite3_stmt *statement, struct approval *ret)
{
	column(statement, 0, &ret->id);
	column(statement, 1, &ret->thread);
	column(statement, 2, &ret->turn);
	column(statement, 3, &ret->doc);
	ret->pending = !strcmp((const char *)sqlite3_column_text(statement, 4), "pending");
	ret->created_ms = sqlite3_column_int64(statement, 5);
}

bool
change_approval_get(struct change_context *context, struct span id, struct approval *ret)
{
	sqlite3_stmt *statement = get(context, APPROVAL_GET);
	bool found;

	if (!statement)
		return false;
	bind(statement, 1, id);
	found = step(context, statement);
	if (found)
		read_approval(statement, ret);
	sqlite3_reset(statement);
	return found;
}

/* The document, without secrets. */
static void
bind_doc(struct change_context *context, sqlite3_stmt *statement, int i, struct span doc)
{
	struct buf clean = BUF_INIT;

	bind(statement, i, secrets_json(change_secrets(context), doc, &clean) ? (struct span){ clean.s, clean.len } : doc);
	buf_release(&clean);
}

void
change_approval_add(struct change_context *context, const struct approval *approval)
{
	sqlite3_stmt *statement = get(context, APPROVAL_ADD);

	if (!statement)
		return;
	bind_buf(statement, 1, &approval->id);
	bind_buf(statement, 2, &approval->thread);
	bind_buf(statement, 3, &approval->turn);
	bind_doc(context, statement, 4, (struct span){ approval->doc.s, approval->doc.len });
	bind_word(statement, 5, "pending");
	sqlite3_bind_int64(statement, 6, approval->created_ms);
	(void)run(context, statement);
}

bool
change_approval_end(struct change_context *context, struct span id, struct span doc)
{
	sqlite3_stmt *statement = get(context, APPROVAL_END);

	if (!statement)
		return false;
	bind(statement, 1, id);
	bind_doc(context, statement, 2, doc);
	return run(context, statement) == 1;
}

void
change_approval_list(
    struct change_context *context, struct span thread, struct span turn, bool pending, int limit, approval_each_cb *cb, void *payload)
{
	sqlite3_stmt *statement = get(context, APPROVAL_LIST);
	struct approval approval;

	if (!statement)
		return;
	bind(statement, 1, thread);
	bind(statement, 2, turn);
	sqlite3_bind_int(statement, 3, pending);
	sqlite3_bind_int(statement, 4, limit);
	while (step(context, statement)) {
		approval_init(&approval);
		read_approval(statement, &approval);
		cb(&approval, payload);
		approval_release(&approval);
	}
}
