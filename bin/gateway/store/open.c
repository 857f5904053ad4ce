/* open.c - a store's beginning and end: where it lies, the lock, the database, the thread */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "num.h"
#include "status.h"
#include "store/internal.h"
#include "worker.h"
#include "xalloc.h"

#define HOLDER_MAX 80 /* bytes of what the lock says of who has it */

static void
file_of(const char *where, struct buf *file, struct buf *dir)
{
	if (!strncmp(where, "sqlite:", 7)) {
		const char *slash;

		buf_addstr(file, where + 7);
		slash = strrchr(file->s, '/');
		if (slash && slash != file->s)
			buf_add(dir, file->s, (size_t)(slash - file->s));
		else
			buf_addstr(dir, slash ? "/" : ".");
		return;
	}
	buf_addstr(dir, where);
	buf_addf(file, "%s/agentutils.db", where);
}

static bool
make_dir(const char *dir, struct err *err)
{
	struct buf path = BUF_INIT;
	const char *slash;
	struct stat st;
	bool ok = true;

	/* its parents too */
	for (slash = *dir ? strchr(dir + 1, '/') : NULL; ok && *dir; slash = strchr(slash + 1, '/')) {
		buf_reset(&path);
		buf_add(&path, dir, slash ? (size_t)(slash - dir) : strlen(dir));
		if (mkdir(path.s, 0700) < 0 && errno != EEXIST)
			ok = err_errno(err, STATUS_CONFIG, "unable to create the state directory '%s'", path.s);
		if (!slash)
			break;
	}
	if (ok && (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode)))
		ok = err_set(err, STATUS_CONFIG, "unable to use the state directory '%s': it is no directory", dir);
	if (ok && access(dir, W_OK) < 0)
		ok = err_errno(err, STATUS_CONFIG, "unable to write to the state directory '%s'", dir);
	buf_release(&path);
	return ok;
}

/* The process, and where a database is shared the gateway's number there and its sign, each behind a blank. */
static bool
sign_lock(struct store *store, const char *file, struct err *err)
{
	char text[HOLDER_MAX];
	int n = store->me ? snprintf(text, sizeof text, "%ld %lld %lld\n", (long)getpid(), (long long)store->me, (long long)store->sign)
			  : snprintf(text, sizeof text, "%ld\n", (long)getpid());

	return (ftruncate(store->lock_fd, 0) == 0 && pwrite(store->lock_fd, text, (size_t)n, 0) == n) ||
	    err_errno(err, STATUS_CONFIG, "unable to write '%s.lock'", file);
}

static void
read_holder(const char *text, struct holder *ret)
{
	const char *gateway = strchr(text, ' '), *sign = gateway ? strchr(gateway + 1, ' ') : NULL;

	if (!sign || !num_i64(gateway + 1, (size_t)(sign - gateway - 1), &ret->gateway) ||
	    !num_i64(sign + 1, strcspn(sign + 1, "\n"), &ret->sign))
		ret->sign = 0;
}

/* One gateway per state directory. */
static bool
take_lock(struct store *store, const char *file, struct holder *ret_before, struct err *err)
{
	struct buf path = BUF_INIT, holder = BUF_INIT;
	bool ok = false;

	*ret_before = (struct holder){ 0 };
	buf_addf(&path, "%s.lock", file);
	store->lock_fd = open(path.s, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (store->lock_fd < 0)
		err_errno(err, STATUS_CONFIG, "unable to create '%s'", path.s);
	else if (flock(store->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (buf_read_fd(&holder, store->lock_fd, HOLDER_MAX, path.s, err) && holder.len)
			err_set(err, STATUS_CONFIG, "unable to use the store '%s': another gateway uses it (process %.*s)", file,
			    (int)strcspn(holder.s, " \n"), holder.s);
		else
			err_set(err, STATUS_CONFIG, "unable to use the store '%s': another gateway uses it", file);
	} else {
		ok = buf_read_fd(&holder, store->lock_fd, HOLDER_MAX, path.s, err);
		if (ok && holder.len)
			read_holder(holder.s, ret_before);
		ok = ok && sign_lock(store, file, err);
	}
	buf_release(&path);
	buf_release(&holder);
	return ok;
}

static bool
start_thread(struct store *store, struct err *err)
{
	int error = store->ahead ? ahead_start(store) : 0;

	if (!error) {
		error = worker_start(&store->thread, store_work, store);
		if (error && store->ahead)
			ahead_stop(store);
	}
	if (!error)
		return true;
	errno = error;
	return err_errno(err, STATUS_IO, "unable to start the store's thread");
}

void
store_secrets(struct store *store, const struct secrets *secrets)
{
	store->secrets = secrets;
}

bool
store_is_shared(const char *where)
{
	return pg_is_url(where);
}

/* The file that the lock lies beside, and its directory. */
static void
place_of(const char *where, const char *state, struct buf *file, struct buf *dir)
{
	if (pg_is_url(where)) {
		buf_addstr(dir, state);
		buf_addf(file, "%s/gateway", state);
	} else
		file_of(where, file, dir);
}

static bool
open_tables(struct store *store, const char *where, const char *file, struct err *err)
{
	store->db = pg_is_url(where) ? pg_open_db(where, err) : sqlite_open_db(file, err);
	if (store->db)
		store->tables = tables_new(store->db, err);
	if (store->tables && db_is_shared(store->db))
		store->share = share_new(store->db, err);
	return store->tables && store->share ? db_is_shared(store->db) : store->tables && !db_is_shared(store->db);
}

static bool
find_place(struct store *store, const char *file, const struct holder *before, struct err *err)
{
	if (!store->share)
		return tables_last(store->tables, &store->last_seq, &store->last_at, err);
	return share_join(store, before, err) && sign_lock(store, file, err);
}

static bool
make_pipe(int fds[2], struct err *err)
{
	return pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0 || err_errno(err, STATUS_IO, "unable to create a pipe");
}

static void
close_all(struct store *store)
{
	int fds[] = { store->lock_fd, store->wake[0], store->wake[1], store->ask[0], store->ask[1] };
	size_t i;

	thread_db_free(store->threads);
	share_free(store->share);
	ahead_free(store->ahead);
	tables_free(store->tables);
	db_close(store->db);
	cache_free(store->cache);
	for (i = 0; i < ARRAY_LEN(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]); /* and with the first one the lock */
	free(store);
}

/* One whose deadlines are monotonic. */
static void
init_clocked(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attributes);
	pthread_condattr_destroy(&attributes);
}

struct store *
store_open(const char *where, const char *state, const struct derived_ops *ops, struct err *err)
{
	struct store *store = xcalloc(1, sizeof *store);
	struct buf file = BUF_INIT, dir = BUF_INIT;
	struct holder before;
	bool ok;

	store->ops = ops;
	store->lock_fd = store->wake[0] = store->wake[1] = store->ask[0] = store->ask[1] = -1;
	queue_init(&store->gathered);
	queue_init(&store->asked);
	queue_init(&store->finished);
	place_of(where, state, &file, &dir);
	ok = make_dir(dir.s, err) && take_lock(store, file.s, &before, err) && open_tables(store, where, file.s, err) &&
	    find_place(store, file.s, &before, err) && make_pipe(store->wake, err) && make_pipe(store->ask, err);
	store->cache = cache_new(ops);
	ok = ok && rows_open(store, err);
	if (ok) {
		store->threads = thread_db_new(store->db);
		store->last_seq_seen = store->last_seq_done = store->last_seq;
		if (!store->share)
			store->ahead = ahead_new(store, file.s);
		pthread_mutex_init(&store->lock, NULL);
		init_clocked(&store->work);
		ok = start_thread(store, err);
	}
	buf_release(&file);
	buf_release(&dir);
	if (ok)
		return store;
	close_all(store);
	return NULL;
}

bool
store_check(const char *where, const char *state, struct err *err)
{
	struct buf file = BUF_INIT, dir = BUF_INIT;
	bool ok = true;

	place_of(where, state, &file, &dir);
	if (access(dir.s, F_OK) == 0 && access(dir.s, W_OK) < 0)
		ok = err_errno(err, STATUS_CONFIG, "unable to write to the state directory '%s'", dir.s);
	ok = ok && (pg_is_url(where) ? pg_check_db(where, err) : sqlite_check_db(file.s, err));
	buf_release(&file);
	buf_release(&dir);
	return ok;
}

static void
drop(const struct store *store, struct op *op)
{
	switch (op->kind) {
	case OP_CHANGE:
		change_free(op->u.change);
		break;
	case OP_PAGE:
		page_free(op->u.page);
		break;
	case OP_ROWS:
		rows_free(op->u.rows, store->ops);
		break;
	case OP_DOCS:
		docs_free(op->u.docs);
		break;
	case OP_NEWS:
		page_free(op->u.page);
		break;
	case OP_REST:
	case OP_TAKEN:
	case OP_FENCED:
		break;
	}
	free(op);
}

void
store_close(struct store *store)
{
	struct op *op;

	if (!store)
		return;
	store_send(store);
	pthread_mutex_lock(&store->lock);
	store->quit = true;
	store_wake(store);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->thread, NULL);
	if (store->ahead)
		ahead_stop(store);
	while ((op = queue_pop(&store->finished)))
		drop(store, op);
	pthread_mutex_destroy(&store->lock);
	pthread_cond_destroy(&store->work);
	close_all(store);
}
