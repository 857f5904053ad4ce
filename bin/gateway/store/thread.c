/* thread.c - threads, turns and approvals */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

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
	THREAD_ADOPT,
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
_Static_assert(ARRAY_LEN(texts) == STATEMENT_COUNT, "a text for each statement");

struct thread_db {
	struct db *db;
	struct query *queries[STATEMENT_COUNT];
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
	for (i = 0; i < STATEMENT_COUNT; i++)
		query_drop(threads->queries[i]);
	free(threads);
}

/* ---- rows in memory */

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

void
approval_copy(struct approval *to, const struct approval *from)
{
	approval_init(to);
	buf_add(&to->id, from->id.s, from->id.len);
	buf_add(&to->thread, from->thread.s, from->thread.len);
	buf_add(&to->turn, from->turn.s, from->turn.len);
	buf_add(&to->doc, from->doc.s, from->doc.len);
	to->pending = from->pending;
	to->created_ms = from->created_ms;
}

/* ---- statements */

/* NULL: the batch has failed. */
static struct query *
get(struct change_context *context, enum statement which)
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

static void
bind_buf(struct query *query, int i, const struct buf *text)
{
	query_text(query, i, span_of(text));
}

/* "" is null */
static void
bind_some(struct query *query, int i, const struct buf *text)
{
	query_text(query, i, span_or_none(text));
}

static void
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

/* The text without its secrets. */
static void
clean_text(struct change_context *context, struct buf *text)
{
	struct buf clean = BUF_INIT;

	if (secrets_text(change_secrets(context), text->s, text->len, &clean)) {
		buf_reset(text);
		buf_add(text, clean.s, clean.len);
	}
	buf_release(&clean);
}

/* Runs a statement whose changed rows nobody counts. */
static void
run(struct change_context *context, struct query *query)
{
	struct err err = ERR_INIT;

	if (!query_run(query, &err))
		change_broken(context, &err);
}

/* Has it changed one row? */
static bool
run_one(struct change_context *context, struct query *query)
{
	struct err err = ERR_INIT;
	int changed = 0;

	if (!query_change(query, &changed, &err))
		change_broken(context, &err);
	return changed == 1;
}

/* True: there is a (further) row. */
static bool
step(struct change_context *context, struct query *query)
{
	struct err err = ERR_INIT;
	enum db_step step = query_step(query, &err);

	if (step == DB_FAILED)
		change_broken(context, &err);
	if (step != DB_ROW)
		query_reset(query);
	return step == DB_ROW;
}

static void
column(struct query *query, int i, struct buf *to)
{
	struct span value = query_get(query, i);

	if (value.s)
		buf_add(to, value.s, value.n);
}

static int
word(struct query *query, int i, const char *const *words, int n)
{
	struct span text = query_get(query, i);
	int at;

	for (at = n - 1; at > 0 && (strlen(words[at]) != text.n || memcmp(words[at], text.s, text.n) != 0); at--)
		;
	return at;
}

/* The one row of a statement that takes up to two texts (SPAN_NONE: it does not). False: there is none. */
static bool
one(struct change_context *context, enum statement which, struct span first, struct span second,
    void (*read)(struct query *query, void *ret), void *ret)
{
	struct query *query = get(context, which);
	bool found;

	if (!query)
		return false;
	if (which == TURN_OPEN_ANY)
		query_int(query, 1, change_gateway(context));
	else
		query_text(query, 1, first);
	if (second.s)
		query_text(query, 2, second);
	found = step(context, query);
	if (found)
		read(query, ret);
	query_reset(query);
	return found;
}

/* ---- threads */

static void
read_thread(struct query *query, void *payload)
{
	struct thread *ret = payload;

	column(query, 0, &ret->id);
	column(query, 1, &ret->workspace);
	column(query, 2, &ret->title);
	column(query, 3, &ret->native);
	column(query, 4, &ret->rules);
	ret->status = (enum thread_status)word(query, 5, statuses, THREAD_STATUS_COUNT);
	ret->mode = (enum thread_mode)word(query, 6, modes, THREAD_MODE_COUNT);
	ret->host = (enum thread_host)word(query, 7, hosts, THREAD_HOST_COUNT);
	ret->archived = query_get_int(query, 8) != 0;
	ret->created_ms = query_get_int(query, 9);
	ret->updated_ms = query_get_int(query, 10);
	ret->switched_ms = query_get_int(query, 11);
	ret->session = query_get_int(query, 12) != 0;
	column(query, 13, &ret->cwd);
}

bool
change_thread_get(struct change_context *context, struct span id, struct thread *ret)
{
	return one(context, THREAD_GET, id, SPAN_NONE, read_thread, ret);
}

void
change_thread_put(struct change_context *context, const struct thread *thread)
{
	struct query *query = get(context, THREAD_PUT);
	struct buf title = BUF_INIT;

	if (!query)
		return;
	buf_add(&title, thread->title.s, thread->title.len);
	bind_buf(query, 1, &thread->id);
	bind_buf(query, 2, &thread->workspace);
	clean_text(context, &title);
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
	run(context, query);
	buf_release(&title);
}

void
change_thread_drop(struct change_context *context, struct span id)
{
	static const enum statement all[] = { THREAD_DROP_APPROVALS, THREAD_DROP_TURNS, THREAD_DROP };
	struct query *query;
	size_t i;

	for (i = 0; i < ARRAY_LEN(all) && (query = get(context, all[i])); i++) {
		query_text(query, 1, id);
		run(context, query);
	}
}

void
change_thread_list(
    struct change_context *context, struct span workspace, enum thread_state state, int limit, thread_each_cb *cb, void *payload)
{
	struct query *query = get(context, THREAD_LIST);
	struct thread thread;

	if (!query)
		return;
	query_text(query, 1, workspace);
	query_int(query, 2, state == THREAD_ALL ? 2 : state == THREAD_ARCHIVED);
	query_int(query, 3, limit);
	while (step(context, query)) {
		thread_init(&thread);
		read_thread(query, &thread);
		cb(&thread, payload);
		thread_release(&thread);
	}
}

void
change_adopt_thread(struct change_context *context, struct span thread)
{
	struct query *query = get(context, THREAD_ADOPT);
	struct turn turn;

	if (!query)
		return;
	change_insert(context);
	query_text(query, 1, thread);
	run(context, query);
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

/* ---- turns */

static void
read_turn(struct query *query, void *payload)
{
	struct turn *ret = payload;

	column(query, 0, &ret->id);
	column(query, 1, &ret->thread);
	column(query, 2, &ret->input);
	column(query, 3, &ret->output);
	ret->has_output = query_get(query, 3).s != NULL;
	column(query, 4, &ret->error);
	column(query, 5, &ret->parent);
	column(query, 6, &ret->source);
	column(query, 7, &ret->request);
	column(query, 8, &ret->user_message);
	column(query, 9, &ret->assistant_message);
	ret->status = (enum thread_status)word(query, 10, statuses, THREAD_STATUS_COUNT);
	ret->mode = (enum thread_mode)word(query, 11, modes, THREAD_MODE_COUNT);
	ret->host = (enum thread_host)word(query, 12, hosts, THREAD_HOST_COUNT);
	ret->started_ms = query_get_int(query, 13);
	ret->completed_ms = query_get_int(query, 14);
	ret->owner = query_get_int(query, 15);
}

bool
change_turn_get(struct change_context *context, struct span id, struct turn *ret)
{
	return one(context, TURN_GET, id, SPAN_NONE, read_turn, ret);
}

bool
change_turn_by_request(struct change_context *context, struct span thread, struct span request, struct turn *ret)
{
	return one(context, TURN_BY_REQUEST, thread, request, read_turn, ret);
}

bool
change_turn_open(struct change_context *context, struct span thread, struct turn *ret)
{
	return one(context, thread.s ? TURN_OPEN : TURN_OPEN_ANY, thread, SPAN_NONE, read_turn, ret);
}

bool
change_turn_add(struct change_context *context, struct turn *turn)
{
	struct query *query = get(context, TURN_ADD);

	if (!query)
		return false;
	bind_buf(query, 1, &turn->id);
	bind_buf(query, 2, &turn->thread);
	clean_text(context, &turn->input);
	bind_buf(query, 3, &turn->input);
	query_text(query, 4, SPAN_NONE);
	query_text(query, 5, SPAN_NONE);
	bind_some(query, 6, &turn->parent);
	bind_some(query, 7, &turn->source);
	bind_some(query, 8, &turn->request);
	bind_some(query, 9, &turn->user_message);
	query_text(query, 10, SPAN_NONE);
	bind_word(query, 11, statuses[THREAD_IN_PROGRESS]);
	bind_word(query, 12, modes[turn->mode]);
	bind_word(query, 13, hosts[turn->host]);
	query_int(query, 14, turn->started_ms);
	query_no_int(query, 15);
	query_int(query, 16, change_gateway(context));
	return run_one(context, query);
}

bool
change_turn_end(struct change_context *context, struct turn *turn)
{
	struct query *query = get(context, TURN_END);
	struct buf clean = BUF_INIT;

	if (!query)
		return false;
	bind_buf(query, 1, &turn->id);
	bind_word(query, 2, statuses[turn->status]);
	clean_text(context, &turn->output);
	query_text(query, 3, turn->has_output ? span_of(&turn->output) : SPAN_NONE);
	if (turn->error.len && secrets_json(change_secrets(context), span_of(&turn->error), &clean)) {
		buf_reset(&turn->error);
		buf_add(&turn->error, clean.s, clean.len);
	}
	buf_release(&clean);
	bind_some(query, 4, &turn->error);
	bind_some(query, 5, &turn->assistant_message);
	query_int(query, 6, turn->completed_ms);
	return run_one(context, query);
}

/* ---- approvals */

static const char *const approval_statuses[] = { "pending", "resolved" };

static void
read_approval(struct query *query, void *payload)
{
	struct approval *ret = payload;

	column(query, 0, &ret->id);
	column(query, 1, &ret->thread);
	column(query, 2, &ret->turn);
	column(query, 3, &ret->doc);
	ret->pending = word(query, 4, approval_statuses, ARRAY_LEN(approval_statuses)) == 0;
	ret->created_ms = query_get_int(query, 5);
}

bool
change_approval_get(struct change_context *context, struct span id, struct approval *ret)
{
	return one(context, APPROVAL_GET, id, SPAN_NONE, read_approval, ret);
}

/* The document without its secrets, which lies in `clean` when there were some. */
static struct span
clean_doc(struct change_context *context, struct span doc, struct buf *clean)
{
	return secrets_json(change_secrets(context), doc, clean) ? span_of(clean) : doc;
}

void
change_approval_add(struct change_context *context, const struct approval *approval)
{
	struct query *query = get(context, APPROVAL_ADD);
	struct buf clean = BUF_INIT;

	if (!query)
		return;
	bind_buf(query, 1, &approval->id);
	bind_buf(query, 2, &approval->thread);
	bind_buf(query, 3, &approval->turn);
	query_text(query, 4, clean_doc(context, span_of(&approval->doc), &clean));
	bind_word(query, 5, "pending");
	query_int(query, 6, approval->created_ms);
	run(context, query);
	buf_release(&clean);
}

bool
change_approval_end(struct change_context *context, struct span id, struct span doc)
{
	struct query *query = get(context, APPROVAL_END);
	struct buf clean = BUF_INIT;
	bool ended;

	if (!query)
		return false;
	query_text(query, 1, id);
	query_text(query, 2, clean_doc(context, doc, &clean));
	ended = run_one(context, query);
	buf_release(&clean);
	return ended;
}

void
change_approval_list(
    struct change_context *context, struct span thread, struct span turn, bool pending, int limit, approval_each_cb *cb, void *payload)
{
	struct query *query = get(context, APPROVAL_LIST);
	struct approval approval;

	if (!query)
		return;
	query_text(query, 1, thread);
	query_text(query, 2, turn);
	query_int(query, 3, pending);
	query_int(query, 4, limit);
	while (step(context, query)) {
		approval_init(&approval);
		read_approval(query, &approval);
		cb(&approval, payload);
		approval_release(&approval);
	}
}
