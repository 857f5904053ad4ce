/* test_disk.c - the store when the disk below it fails or stands still at one kind of call: nothing that was answered is lost or doubled */
#include "compat.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "log/log.h"
#include "log/run.h"
#include "store/store.h"
#include "store_run.h"
#include "tap.h"

/* ---- the disk */

enum trouble { WELL, READS_FAIL, NOTES_FAIL, NOTES_STAY, LOG_FAILS, LOG_STANDS, LOG_NOT_SYNCED };
static _Atomic int trouble;

static ssize_t (*real_pread)(int fd, void *to, size_t n, off_t at);
static ssize_t (*real_pwrite)(int fd, const void *from, size_t n, off_t at);

/* Is it the database, or what lies beside it with this name? */
static bool
is_file(int fd, const char *end)
{
	char link[32], path[4096];
	ssize_t n;
	size_t k = strlen(end);

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof path);
	return n >= (ssize_t)k && !memcmp(path + n - k, end, k);
}

static ssize_t
bad_pread(int fd, void *to, size_t n, off_t at)
{
	if (trouble == READS_FAIL && is_file(fd, ".db")) {
		errno = ETIMEDOUT; /* EIO is a damaged file to SQLite, which ends no transaction */
		return -1;
	}
	return real_pread(fd, to, n, at);
}

/* Of SQLite's log. */
static ssize_t
bad_pwrite(int fd, const void *from, size_t n, off_t at)
{
	while (trouble == LOG_STANDS && is_file(fd, "-wal"))
		pause();
	if (trouble == LOG_FAILS && is_file(fd, "-wal")) {
		errno = ENOSPC;
		return -1;
	}
	return real_pwrite(fd, from, n, at);
}

/* What was written is in the file. */
int
fdatasync(int fd)
{
	if (((trouble == NOTES_FAIL || trouble == NOTES_STAY) && is_file(fd, "-redo")) ||
	    (trouble == LOG_NOT_SYNCED && is_file(fd, "-wal"))) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

int
ftruncate(int fd, off_t size)
{
	if (trouble == NOTES_STAY && is_file(fd, "-redo")) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_ftruncate, fd, size);
}

/* SQLite lets its calls of the system be replaced; which of the two it makes depends on how it was built. */
static bool
replace(const char *wide, const char *name, void (*with)(void), void *real)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	sqlite3_syscall_ptr was;

	if (vfs->iVersion < 3)
		return false;
	was = vfs->xGetSystemCall(vfs, wide);
	if (was)
		name = wide;
	else
		was = vfs->xGetSystemCall(vfs, name);
	memcpy(real, &was, sizeof was);
	return was && vfs->xSetSystemCall(vfs, name, with) == SQLITE_OK;
}

/* ---- the store */

static char dir[] = "/tmp/test_disk.XXXXXX";
static char big[100000];

/* The next one has a directory of its own. */
static struct store *
open_new(void)
{
	buf_addstr(&where, "x");
	return open_or_die();
}

static bool
apply(struct change *change, const void *row, struct change_context *context)
{
	const char *message = change->payload;

	(void)row;
	change_emit(
	    context, SPAN_NONE, "agent.test", LEVEL_INFO, SPAN_NONE, (struct span){ message, strlen(message) }, SPAN_NONE, SPAN_NONE);
	return true;
}

static struct change *
ask_change(struct store *store, const char *stream, const char *message)
{
	struct change *change = change_new(on_change, (void *)(uintptr_t)message);

	buf_addstr(&change->stream, stream);
	change->apply = apply;
	store_change(store, change);
	return change;
}

/* Is it stored? */
static bool
change_once(struct store *store, const char *stream, const char *message)
{
	struct change *change;
	bool done;

	finished = 0;
	change = ask_change(store, stream, message);
	await(store, 1);
	done = change->result == CHANGE_DONE;
	change_free(change);
	return done;
}

static struct page *
ask_page(struct store *store, const char *stream, int64_t after, int limit)
{
	struct page *page = page_new(on_page, NULL);

	buf_addstr(&page->stream, stream);
	page->after = after;
	page->limit = limit;
	store_page(store, page);
	return page;
}

static struct rows *
ask_rows(struct store *store, const char *stream)
{
	struct rows *rows = rows_new(on_rows, NULL);

	buf_addstr(&rows->stream, stream);
	rows->limit = 1;
	store_rows(store, rows);
	return rows;
}

/* How many events the row has; -1: there is none, or it could not be read. */
static int64_t
events_in(struct rows *rows)
{
	int64_t n = rows->n_rows == 1 && !rows->err.status ? ((struct run *)rows->rows[0])->events : -1;

	rows_free(rows, log_rows_ops());
	return n;
}

static int64_t
events_of(struct store *store, const char *stream)
{
	struct rows *rows;

	finished = 0;
	rows = ask_rows(store, stream);
	await(store, 1);
	return events_in(rows);
}

static int64_t
logged(struct store *store, const char *stream)
{
	struct page *page;
	int64_t n;

	finished = 0;
	page = ask_page(store, stream, 0, STORE_PAGE_MAX);
	await(store, 1);
	n = page->err.status ? -1 : (int64_t)page->n_events;
	page_free(page);
	return n;
}

static void
nothing(void *payload)
{
	(void)payload;
}

/* ---- what happens to it */

/* A batch that only reads fails, while what others were told is in the open transaction, which SQLite ends then. */
static void
read_fails(void)
{
	enum { OLD = 60, ROUNDS = 12 };
	struct store *store = open_new();
	int i, round, failed = 0, short_pages = 0;
	int64_t n = 0;

	for (i = 0; i < OLD; i++)
		if (!change_once(store, "old", big))
			return;
	store_close(store);
	/* nothing of it is in memory now */
	store = open_or_die();
	for (round = 0; round < ROUNDS; round++) {
		struct page *old, *others;

		n += change_once(store, "run", "m");
		n += change_once(store, "run", "m");
		store_gather(store, nothing, NULL);
		trouble = READS_FAIL;
		finished = 0;
		old = ask_page(store, "old", 2 + round * 3, 1);
		others = ask_page(store, "run", 0, STORE_PAGE_MAX);
		store_send(store);
		await(store, 2);
		trouble = WELL;
		store_gather(store, NULL, NULL);
		failed += old->err.status != 0;
		short_pages += !others->err.status && others->n_events != (size_t)n;
		page_free(old);
		page_free(others);
	}
	ok(failed > 0, "%d pages cannot be read from the disk", failed);
	is_int(short_pages, 0, "whoever reads beside them gets all that was answered, or nothing");
	n += change_once(store, "run", "m");
	is_int(logged(store, "run"), n, "the log has all of it");
	is_int(events_of(store, "run"), n, "and so has the row");
	store_close(store);
	store = open_or_die();
	is_int(logged(store, "run"), n, "after a restart, too");
	is_int(store_last_seq(store), OLD + n, "with the numbers that were given");
	store_close(store);
}

/* What ends in _exit(), in a process of its own, is killed there; its status is what it says. */
static int
killed(int (*what)(void))
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(what());
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Changes until one fails. */
static int
changes(struct store *store)
{
	int n = 0;

	while (n < 100 && change_once(store, "run", "m"))
		n++;
	return n;
}

static int
notes_fail(void)
{
	struct store *store = open_or_die();
	int n = change_once(store, "run", "m");

	trouble = NOTES_FAIL;
	return n + changes(store);
}

static int
notes_fail_and_stay(void)
{
	struct store *store = open_or_die();
	int n = change_once(store, "run", "m");

	trouble = NOTES_STAY;
	n += changes(store);
	trouble = WELL;
	return n + change_once(store, "run", "other");
}

/* What was refused because it could not be synced is in the file of notes, whole. */
static void
refused_notes(void)
{
	struct store *store;
	int n;

	buf_addstr(&where, "x");
	n = killed(notes_fail);
	ok(n > 0 && n < 100, "a disk that cannot sync notes: refused after %d", n);
	store = open_or_die();
	is_int(store_last_seq(store), n, "nothing of what was refused comes back after a kill");
	store_close(store);
	buf_addstr(&where, "x");
	n = killed(notes_fail_and_stay);
	store = open_or_die();
	is_int(logged(store, "run"), n, "and where it cannot be taken out of the file: not once something else was stored");
	is_int(store_last_seq(store), n, "under its number");
	is_int(events_of(store, "run"), n, "once");
	store_close(store);
}

/* What the next start is to run again, as the database has it. */
static void
read_salt(struct buf *to)
{
	struct buf file = BUF_INIT;
	sqlite3_stmt *statement = NULL;
	sqlite3 *db = NULL;

	buf_addf(&file, "%s/agentutils.db", where.s);
	if (sqlite3_open(file.s, &db) == SQLITE_OK && sqlite3_busy_timeout(db, WAIT_MS) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, "SELECT doc FROM docs WHERE key='store/redo'", -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		buf_add(to, sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0));
	sqlite3_finalize(statement);
	sqlite3_close(db);
	buf_release(&file);
}

/* Refused, in a commit that is in SQLite's log all the same, and nothing else is asked for. A process begins with a commit of its own. */
static int
refused_and_idle(void)
{
	struct store *store = open_or_die();
	struct buf before = BUF_INIT, now = BUF_INIT;
	int n, i;

	read_salt(&before);
	trouble = LOG_NOT_SYNCED;
	n = change_once(store, "run", "m");
	trouble = WELL;
	for (i = 0; i < WAIT_MS / 10; i++) {
		buf_reset(&now);
		read_salt(&now);
		if (!buf_equal(&before, &now))
			break;
		poll(NULL, 0, 10);
	}
	return n;
}

static void
refused_commit(void)
{
	struct store *store;
	int n;

	buf_addstr(&where, "x");
	n = killed(refused_and_idle);
	is_int(n, 0, "a disk that cannot sync a commit: refused");
	store = open_or_die();
	is_int(store_last_seq(store), 0, "when it can, a commit takes the place of that one, and a kill brings nothing back");
	store_close(store);
}

/* A list of runs, in one batch with a change before it: the rows go in for it. */
static bool
list_after_change(struct store *store)
{
	struct change *change;
	struct rows *rows;
	bool done;

	store_gather(store, nothing, NULL);
	finished = 0;
	change = ask_change(store, "run", "m");
	rows = ask_rows(store, "");
	store_send(store);
	await(store, 2);
	store_gather(store, NULL, NULL);
	done = change->result == CHANGE_DONE && events_in(rows) > 0;
	change_free(change);
	return done;
}

static int
listed(void)
{
	struct store *store = open_or_die();
	int n = change_once(store, "run", "m");

	trouble = LOG_STANDS;
	return n + list_after_change(store);
}

/* What was answered with a list is noted, and the commit with its rows never comes. */
static void
rows_without_commit(void)
{
	struct store *store;
	int n;

	buf_addstr(&where, "x");
	n = killed(listed);
	is_int(n, 2, "a list after a change, and no commit");
	store = open_or_die();
	is_int(logged(store, "run"), n, "after a kill the log has what was answered");
	is_int(events_of(store, "run"), n, "and the row has each event once");
	store_close(store);
	store = open_new();
	n = change_once(store, "run", "m");
	trouble = LOG_FAILS;
	n += list_after_change(store);
	n += changes(store);
	trouble = WELL;
	is_int(logged(store, "run"), n, "so it is when the commit fails");
	is_int(events_of(store, "run"), n, "and the row has each event once");
	is_int(change_once(store, "run", "m"), 1, "room again");
	is_int(events_of(store, ""), n + 1, "the list, too");
	store_close(store);
}

/* The rows on disk lack what was answered since the last commit: whoever asks for a list gets all of it, or nothing. */
static void
list_after_failure(void)
{
	struct store *store = open_new();
	int64_t n = change_once(store, "run", "m"), seen;

	trouble = LOG_FAILS;
	n += changes(store);
	seen = events_of(store, "");
	ok(seen == -1 || seen == n, "a list while no commit succeeds: %lld of %lld", (long long)seen, (long long)n);
	trouble = WELL;
	is_int(events_of(store, ""), n, "and when they do again");
	trouble = LOG_FAILS;
	n += changes(store);
	trouble = WELL;
	is_int(events_of(store, ""), n, "the first thing that is asked for after a failure");
	store_close(store);
}

int
main(void)
{
	struct buf rm = BUF_INIT;

	memset(big, 'x', sizeof big - 1);
	if (!replace("pread64", "pread", (void (*)(void))bad_pread, &real_pread) ||
	    !replace("pwrite64", "pwrite", (void (*)(void))bad_pwrite, &real_pwrite)) {
		printf("1..0 # SKIP SQLite reads and writes in another way\n");
		return 0;
	}
	if (!mkdtemp(dir))
		return 1;
	buf_addf(&where, "%s/state", dir);
	read_fails();
	refused_notes();
	refused_commit();
	rows_without_commit();
	list_after_failure();
	buf_addf(&rm, "rm -rf '%s'", dir);
	ok(system(rm.s) == 0, "cleared away");
	buf_release(&rm);
	buf_release(&where);
	return done();
}
