/* thread.c - threads, and the statements on them, their turns and their approvals */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "secrets.h"
#include "store/thread_internal.h"
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

#define THREAD_COLUMNS "thread, workspace, title, native, rules, status, mode, host, archived, created, updated, switched, session, cwd"
#define TURN_COLUMNS                                                                                                                       \
	"turn, thread, input, output, error, parent, source, request, user_message, assistant_message, status, mode, host, started, completed, owner"
#define APPROVAL_COLUMNS "approval, thread, turn, doc, status, created"

static const char *const texts[] = {
	[THREAD_GET] = "SELECT " THREAD_COLUMNS " FROM threads WHERE thread=?1",
	[THREAD_PUT] =
	    "INSERT INTO threads(" THREAD_COLUMNS
	    ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14) ON CONFLICT(thread) DO UPDATE SET"
	    " title=excluded.title, native=excluded.native, rules=excluded.rules, status=excluded.status, mode=excluded.mode, host=excluded.host,"
	    " archived=excluded.archived, updated=excluded.updated, switched=excluded.switched, session=excluded.session",
	[THREAD_DROP] = "DELETE FROM threads WHERE thread=?1",
	[THREAD_DROP_TURNS] = "DELETE FROM turns WHERE thread=?1",
	[THREAD_DROP_APPROVALS] = "DELETE FROM approvals WHERE thread=?1",
	[THREAD_LIST] = "SELECT " THREAD_COLUMNS
			" FROM threads WHERE workspace=?1 AND (?2=2 OR archived=?2) ORDER BY updated DESC, id DESC LIMIT ?3",
	/* what others have sent up under a run's names was not told to the thread's readers as the gateway's word, and is not */
	[THREAD_ADOPT] =
	    "UPDATE events SET block=1, stream=CASE WHEN stream IS NULL AND NOT (kind >= 'agent.' AND kind < 'agent/') THEN thread ELSE stream END"
	    " WHERE seq IN (SELECT e.seq FROM events h CROSS JOIN events e"
	    " WHERE h.thread=?1 AND h.block>0 AND e.seq>=h.seq AND e.seq<h.seq+h.block)",
	[TURN_GET] = "SELECT " TURN_COLUMNS " FROM turns WHERE turn=?1",
	[TURN_BY_REQUEST] = "SELECT " TURN_COLUMNS " FROM turns WHERE thread=?1 AND request=?2",
	[TURN_OPEN] = "SELECT " TURN_COLUMNS " FROM turns WHERE thread=?1 AND status='inProgress'",
	[TURN_OPEN_ANY] = "SELECT " TURN_COLUMNS " FROM turns WHERE status='inProgress' AND owner=-?1 LIMIT 1",
	[TURN_ADD] = "INSERT INTO turns(" TURN_COLUMNS
		     ") VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16) ON CONFLICT DO NOTHING",
	[TURN_END] =
	    "UPDATE turns SET status=?2, output=?3, error=?4, assistant_message=?5, completed=?6 WHERE turn=?1 AND status='inProgress'",
	[APPROVAL_GET] = "SELECT " APPROVAL_COLUMNS " FROM approvals WHERE approval=?1",
	[APPROVAL_ADD] = "INSERT INTO approvals(" APPROVAL_COLUMNS ") VALUES(?1,?2,?3,?4,?5,?6)",
	[APPROVAL_END] = "UPDATE approvals SET status='resolved', doc=?2 WHERE approval=?1 AND status='pending'",
	[APPROVAL_LIST] = "SELECT " APPROVAL_COLUMNS
			  " FROM approvals WHERE thread=?1 AND (?2 IS NULL OR turn=?2) AND (?3=0 OR status='pending') ORDER BY id LIMIT ?4",
};
_Static_assert(ARRAY_LEN(texts) == THREAD_STATEMENTS, "a text for each statement");

struct thread_db {
	struct db *db;
	struct query *queries[THREAD_STATEMENTS];
};

struct thread_db *
thread_db_new(struct db *db)
{
	struct thread_db *threads = xcalloc(1, sizeof *threads);

	threads->db = db;
	return threads;
}

void
thread_db_free(struct thread_db *threads)
{
	size_t i;

	if (!threads)
		return;
	for (i = 0; i < THREAD_STATEMENTS; i++)
		query_drop(threads->queries[i]);
	free(threads);
}

/* ---- statements */

struct query *
thread_query(struct change_context *context, enum thread_statement which)
{
	struct thread_db *threads = change_threads(context);
	struct err err = ERR_INIT;

	if (!threads)
		return NULL;
	if (db_query(threads->db, &threads->queries[which], texts[which], &err))
		return threads->queries[which];
	change_broken(context, &err);
	return NULL;
}

void
bind_buf(struct query *query, int i, const struct buf *text)
{
	query_text(query, i, span_of(text));
}

void
bind_some(struct query *query, int i, const struct buf *text)
{
	query_text(query, i, span_or_none(text));
}

void
bind_word(struct query *query, int i, const char *word)
{
	query_text(query, i, (struct span){ word, strlen(word) });
}

static void
bind_time(struct query *query, int i, int64_t ms)
{
	if (ms)
		query_int(query, i, ms);
	else
		query_no_int(query, i);
}

void
thread_clean(struct change_context *context, struct buf *text)
{
	struct buf clean = BUF_INIT;

	if (secrets_text(change_secrets(context), text->s, text->len, &clean)) {
		buf_reset(text);
		buf_add(text, clean.s, clean.len);
	}
	buf_release(&clean);
}

void
thread_run(struct change_context *context, struct query *query)
{
	struct err err = ERR_INIT;

	if (!query_run(query, &err))
		change_broken(context, &err);
}

bool
thread_run_one(struct change_context *context, struct query *query)
{
	struct err err = ERR_INIT;
	int changed = 0;

	if (!query_change(query, &changed, &err))
		change_broken(context, &err);
	return changed == 1;
}

bool
thread_step(struct change_context *context, struct query *query)
{
	struct err err = ERR_INIT;
	enum db_step step = query_step(query, &err);

	if (step == DB_FAILED)
		change_broken(context, &err);
	if (step != DB_ROW)
		query_reset(query);
	return step == DB_ROW;
}

void
column_buf(struct query *query, int i, struct buf *to)
{
	struct span value = query_get(query, i);

	if (value.s)
		buf_add(to, value.s, value.n);
}

int
column_word(struct query *query, int i, const char *const *words, int n)
{
	struct span text = query_get(query, i);
	int at;

	for (at = n - 1; at > 0 && (strlen(words[at]) != text.n || memcmp(words[at], text.s, text.n) != 0); at--)
		;
	return at;
}

void
column_state(struct query *query, int i, enum thread_status *ret_status, enum thread_mode *ret_mode, enum thread_host *ret_host)
{
	*ret_status = (enum thread_status)column_word(query, i, statuses, THREAD_STATUS_COUNT);
	*ret_mode = (enum thread_mode)column_word(query, i + 1, modes, THREAD_MODE_COUNT);
	*ret_host = (enum thread_host)column_word(query, i + 2, hosts, THREAD_HOST_COUNT);
}

bool
thread_one(struct change_context *context, enum thread_statement which, struct span first, struct span second,
    void (*read)(struct query *query, void *ret), void *ret)
{
	struct query *query = thread_query(context, which);
	bool found;

	if (!query)
		return false;
	if (which == TURN_OPEN_ANY)
		query_int(query, 1, change_gateway(context));
	else
		query_text(query, 1, first);
	if (second.s)
		query_text(query, 2, second);
	found = thread_step(context, query);
	if (found)
		read(query, ret);
	query_reset(query);
	return found;
}

/* ---- threads */

void
thread_init(struct thread *thread)
{
	*thread = (struct thread){
		.id = BUF_INIT, .workspace = BUF_INIT, .title = BUF_INIT, .native = BUF_INIT, .rules = BUF_INIT, .cwd = BUF_INIT
	};
}

void
thread_release(struct thread *thread)
{
	buf_release(&thread->id);
	buf_release(&thread->workspace);
	buf_release(&thread->title);
	buf_release(&thread->native);
	buf_release(&thread->rules);
	buf_release(&thread->cwd);
}

static void
read_thread(struct query *query, void *payload)
{
	struct thread *ret = payload;

	column_buf(query, 0, &ret->id);
	column_buf(query, 1, &ret->workspace);
	column_buf(query, 2, &ret->title);
	column_buf(query, 3, &ret->native);
	column_buf(query, 4, &ret->rules);
	column_state(query, 5, &ret->status, &ret->mode, &ret->host);
	ret->archived = query_get_int(query, 8) != 0;
	ret->created_ms = query_get_int(query, 9);
	ret->updated_ms = query_get_int(query, 10);
	ret->switched_ms = query_get_int(query, 11);
	ret->session = query_get_int(query, 12) != 0;
	column_buf(query, 13, &ret->cwd);
}

bool
change_thread_get(struct change_context *context, struct span id, struct thread *ret)
{
	return thread_one(context, THREAD_GET, id, SPAN_NONE, read_thread, ret);
}

void
change_thread_put(struct change_context *context, const struct thread *thread)
{
	struct query *query = thread_query(context, THREAD_PUT);
	struct buf title = BUF_INIT;

	if (!query)
		return;
	buf_add(&title, thread->title.s, thread->title.len);
	bind_buf(query, 1, &thread->id);
	bind_buf(query, 2, &thread->workspace);
	thread_clean(context, &title);
	bind_some(query, 3, &title);
	bind_some(query, 4, &thread->native);
	bind_some(query, 5, &thread->rules);
	bind_word(query, 6, statuses[thread->status]);
	bind_word(query, 7, modes[thread->mode]);
	bind_word(query, 8, hosts[thread->host]);
	query_int(query, 9, thread->archived);
	query_int(query, 10, thread->created_ms);
	query_int(query, 11, thread->updated_ms);
	bind_time(query, 12, thread->switched_ms);
	query_int(query, 13, thread->session);
	bind_some(query, 14, &thread->cwd);
	thread_run(context, query);
	buf_release(&title);
}

void
change_thread_drop(struct change_context *context, struct span id)
{
	static const enum thread_statement all[] = { THREAD_DROP_APPROVALS, THREAD_DROP_TURNS, THREAD_DROP };
	struct query *query;
	size_t i;

	for (i = 0; i < ARRAY_LEN(all) && (query = thread_query(context, all[i])); i++) {
		query_text(query, 1, id);
		thread_run(context, query);
	}
}

void
change_thread_list(
    struct change_context *context, struct span workspace, enum thread_state state, int limit, thread_each_cb *cb, void *payload)
{
	struct query *query = thread_query(context, THREAD_LIST);
	struct thread thread;

	if (!query)
		return;
	query_text(query, 1, workspace);
	query_int(query, 2, state == THREAD_ALL ? 2 : state == THREAD_ARCHIVED);
	query_int(query, 3, limit);
	while (thread_step(context, query)) {
		thread_init(&thread);
		read_thread(query, &thread);
		cb(&thread, payload);
		thread_release(&thread);
	}
}

void
change_adopt_thread(struct change_context *context, struct span thread)
{
	struct query *query = thread_query(context, THREAD_ADOPT);
	struct turn turn;

	if (!query)
		return;
	change_insert(context);
	query_text(query, 1, thread);
	thread_run(context, query);
	change_share_thread(context, thread);
	turn_init(&turn);
	if (change_turn_open(context, thread, &turn))
		change_mark(context, MARK_LONE_TURN, span_of(&turn.id), true);
	turn_release(&turn);
}

bool
change_turn_alone(struct change_context *context, struct span turn)
{
	return change_marked(context, MARK_LONE_TURN, turn);
}

void
change_turn_alone_over(struct change_context *context, struct span turn)
{
	change_mark(context, MARK_LONE_TURN, turn, false);
}
