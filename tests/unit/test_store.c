/* test_store.c - the event log on disk: order, keys, refusals, failures, and what survives a kill */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "log/log.h"
#include "log/run.h"
#include "status.h"
#include "store/store.h"
#include "store_run.h"
#include "tap.h"

static char dir[] = "/tmp/test_store.XXXXXX";
static struct buf file = BUF_INIT;
static char big[100000];

static struct span
span(const char *s)
{
	return s ? (struct span){ s, strlen(s) } : SPAN_NONE;
}

static bool
apply_one(struct change *change, const void *row, struct change_context *context)
{
	const char *data = change->payload;

	(void)row;
	change_emit(context, SPAN_NONE, "agent.test", LEVEL_INFO, SPAN_NONE, span(data), SPAN_NONE, SPAN_NONE);
	buf_addf(&change->answer, "answer");
	return true;
}

static bool
apply_no(struct change *change, const void *row, struct change_context *context)
{
	(void)row;
	(void)context;
	return err_set(&change->err, STATUS_CONFLICT, "no");
}

static struct change *
ask_change(struct store *store, const char *stream, const char *key, uint64_t print, const char *data,
    bool (*apply)(struct change *, const void *, struct change_context *))
{
	struct change *change = change_new(on_change, (void *)(uintptr_t)data);

	buf_addstr(&change->stream, stream);
	if (key)
		buf_addstr(&change->key, key);
	change->print = print;
	change->apply = apply;
	store_change(store, change);
	return change;
}

/* How often the database was let go. */
static size_t rests;

static void
on_rest(void)
{
	rests++;
}

static struct page *
ask_page(struct store *store, const char *stream, const char *prefix, int64_t after, int limit, bool last)
{
	struct page *page = page_new(on_page, NULL);

	buf_addstr(&page->stream, stream);
	page->prefix = prefix;
	page->after = after;
	page->limit = limit;
	page->last = last;
	store_page(store, page);
	return page;
}

static struct page *
read_page(struct store *store, const char *stream, const char *prefix, int64_t after, int limit, bool last)
{
	struct page *page = ask_page(store, stream, prefix, after, limit, last);

	await(store, finished + 1);
	return page;
}

static void
is_page(struct page *page, int64_t first, int64_t last, bool more, const char *name)
{
	size_t n = (size_t)(last - first + 1), i;
	bool good = page->n_events == n && page->more == more && !page->err.status;

	for (i = 0; good && i < n; i++)
		good = page->events[i]->seq == first + (int64_t)i;
	ok(good, "%s", name);
	if (!good)
		printf("# got %zu events, more %d, %s\n", page->n_events, page->more, page->err.text);
	page_free(page);
}

static void
on_docs(struct docs *docs)
{
	(void)docs;
	finished++;
}

static bool
apply_docs(struct change *change, const void *row, struct change_context *context)
{
	(void)row;
	(void)change;
	change_put(context, span("d/b"), span("1"));
	change_put(context, span("d/a"), span("2"));
	change_put(context, span("e/a"), span("3"));
	change_put(context, span("d/b"), span("4"));
	change_put(context, span("d/c"), span("5"));
	change_put(context, span("d/c"), SPAN_NONE);
	change_emit(context, STREAM_NONE, "service.test", LEVEL_INFO, SPAN_NONE, span("m"), span("svc"), SPAN_NONE);
	return true;
}

/* Documents come with their change, and stay in the order in which they were first put. */
static void
documents(void)
{
	struct store *store = open_or_die();
	struct change *change = ask_change(store, "run", NULL, 0, "{}", apply_docs);
	struct docs *docs = docs_new("d/", on_docs, NULL);
	struct page *page;
	struct rows *rows;

	finished = 0;
	store_docs(store, docs);
	await(store, 2);
	ok(change->result == CHANGE_DONE && !change->events[0]->stream.s, "an event of no stream");
	ok(docs->n == 2 && !strcmp(docs->list[0].key.s, "d/b") && !strcmp(docs->list[0].text.s, "4") && !strcmp(docs->list[1].text.s, "2"),
	    "documents, as put last");
	rows = rows_new(on_rows, NULL);
	buf_addstr(&rows->stream, "run");
	rows->limit = 1;
	store_rows(store, rows);
	page = page_new(on_page, NULL);
	buf_addstr(&page->service, "svc");
	page->last = true;
	page->limit = 5;
	store_page(store, page);
	await(store, 4);
	is_int(rows->n_rows, 0, "the change's own stream got nothing");
	ok(page->n_events == 1 && !strcmp(page->events[0]->kind.s, "service.test"), "the events of a service");
	page_free(page);
	rows_free(rows, log_rows_ops());
	docs_free(docs);
	change_free(change);
	store_close(store);
	store = open_or_die();
	docs = docs_new("d/", on_docs, NULL);
	finished = 0;
	store_docs(store, docs);
	await(store, 1);
	ok(docs->n == 2 && !strcmp(docs->list[0].key.s, "d/b"), "and after a restart");
	docs_free(docs);
	store_close(store);
}

static void
order(void)
{
	struct store *store = open_or_die();
	struct change *changes[100], *refused;
	struct page *before, *after;
	struct rows *rows;
	struct stat st;
	bool good = true;
	int i;

	ok(stat(file.s, &st) == 0 && (st.st_mode & 0777) == 0600, "the file is for its owner alone");
	ok(stat(where.s, &st) == 0 && (st.st_mode & 0777) == 0700, "and so is its directory");
	finished = 0;
	before = ask_page(store, "", NULL, 0, 10, false);
	for (i = 0; i < 100; i++)
		changes[i] = ask_change(store, i % 2 ? "odd" : "even", NULL, 0, "{}", apply_one);
	refused = ask_change(store, "odd", NULL, 0, NULL, apply_no);
	after = ask_page(store, "", NULL, 95, 10, false);
	rows = rows_new(on_rows, NULL);
	rows->limit = 10;
	store_rows(store, rows);
	is_int(store_queued(store), 104, "what was asked is counted until it is dispatched");
	await(store, 104);
	for (i = 0; i < 100; i++) {
		good = good && changes[i]->result == CHANGE_DONE && changes[i]->n_events == 1 && changes[i]->events[0]->seq == i + 1;
		change_free(changes[i]);
	}
	ok(good, "changes are numbered in the order in which they were asked");
	ok(refused->result == CHANGE_REFUSED && !refused->n_events && refused->err.status == STATUS_CONFLICT,
	    "a refusal says why and stores nothing");
	change_free(refused);
	ok(before->n_events == 0 && before->last_seq == 0, "a page asked before sees none of them");
	page_free(before);
	is_page(after, 96, 100, false, "a page asked after sees all of them");
	ok(rows->n_rows == 2 && !strcmp(((struct run *)rows->rows[0])->id.s, "even") && ((struct run *)rows->rows[0])->events == 50,
	    "the derived rows too, ties by who was first");
	rows_free(rows, log_rows_ops());
	is_int(store_last_seq(store), 100, "the last seq");
	is_page(read_page(store, "", NULL, 0, 100, false), 1, 100, false, "a page that ends with the log: no more");
	is_page(read_page(store, "", NULL, 0, 99, false), 1, 99, true, "one row fewer: more");
	is_page(read_page(store, "", NULL, 100, 10, false), 101, 100, false, "at the end: nothing");
	is_page(read_page(store, "", NULL, 0, 7, true), 94, 100, true, "the newest seven, ascending");
	is_page(read_page(store, "", "agent.", 0, 3, false), 1, 3, true, "a prefix that fits");
	is_page(read_page(store, "", "agent.u", 0, 3, false), 1, 0, false, "a prefix that does not");
	after = read_page(store, "odd", NULL, 50, 2, false);
	ok(after->n_events == 2 && after->events[0]->seq == 52 && after->events[1]->seq == 54 && after->more, "a page of one stream");
	page_free(after);
	store_close(store);
}

static void
keys(void)
{
	struct store *store = open_or_die();
	struct change *first, *again, *other, *later;

	finished = 0;
	is_page(read_page(store, "", NULL, 0, 200, false), 1, 100, false, "everything is there when it is opened again");
	first = ask_change(store, "k", "key", 7, "{}", apply_one);
	again = ask_change(store, "k", "key", 7, "{}", apply_one);
	other = ask_change(store, "k", "key", 8, "{}", apply_one);
	await(store, 4);
	ok(first->result == CHANGE_DONE && first->n_events == 1, "a new key: done");
	ok(again->result == CHANGE_REPLAYED && again->n_events == 0, "the same request again: replayed");
	is_buf(&again->answer, "answer", "with the first answer");
	ok(other->result == CHANGE_KEY_REUSED && other->n_events == 0, "another request under it: told so");
	change_free(first);
	change_free(again);
	change_free(other);
	store_close(store);
	store = open_or_die();
	finished = 0;
	later = ask_change(store, "k", "key", 7, "{}", apply_one);
	await(store, 1);
	ok(later->result == CHANGE_REPLAYED, "a key is known after a restart");
	change_free(later);
	is_int(store_last_seq(store), 101, "it was stored once");
	store_close(store);
}

/* Root is held to the modes of files without these capabilities; for anybody else this does nothing. */
static void
held_to_modes(bool on)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	uint32_t passes_by = CAP_TO_MASK(CAP_DAC_OVERRIDE) | CAP_TO_MASK(CAP_DAC_READ_SEARCH);

	if (syscall(SYS_capget, &header, data) < 0)
		return;
	data[0].effective = on ? data[0].effective & ~passes_by : data[0].effective | (data[0].permitted & passes_by);
	syscall(SYS_capset, &header, data);
}

static void
refuses_to_open(void)
{
	struct err err = ERR_INIT;
	struct store *store = open_or_die();
	struct buf path = BUF_INIT;
	char pid[32];
	sqlite3 *db = NULL;
	int fd;

	ok(!store_open(where.s, NULL, log_rows_ops(), &err) && err.status == STATUS_CONFIG, "one gateway at a time");
	snprintf(pid, sizeof pid, "process %ld", (long)getpid());
	ok(strstr(err.text, pid), "the message names the other: %s", err.text);
	store_close(store);

	sqlite3_open(file.s, &db);
	sqlite3_exec(db, "PRAGMA user_version=99", NULL, NULL, NULL);
	sqlite3_close(db);
	err.text[0] = '\0';
	ok(!store_open(where.s, NULL, log_rows_ops(), &err) && err.status == STATUS_CONFIG && strstr(err.text, "schema 99") &&
		strstr(err.text, "knows 7"),
	    "a file of a newer version: %s", err.text);
	err.text[0] = '\0';
	ok(!store_check(where.s, NULL, &err) && strstr(err.text, "schema 99"), "the check says the same");
	sqlite3_open(file.s, &db);
	sqlite3_exec(db,
	    "PRAGMA user_version=1; DROP TABLE docs; DROP INDEX events_service; DROP INDEX events_thread; ALTER TABLE events DROP COLUMN thread;"
	    "DROP INDEX events_stream; ALTER TABLE events DROP COLUMN block; CREATE INDEX events_stream ON events(stream, seq);"
	    "DROP TABLE threads; DROP TABLE turns; DROP TABLE approvals; ALTER TABLE streams DROP COLUMN owner",
	    NULL, NULL, NULL);
	sqlite3_close(db);
	ok(store_check(where.s, NULL, &err), "put back, as an older version left it: the check is content");
	store = open_or_die();
	is_int(store_last_seq(store), 101, "a file of an older version is brought up to date, with what is in it");
	store_close(store);

	buf_addf(&path, "sqlite:%s/text", dir);
	fd = open(path.s + 7, O_WRONLY | O_CREAT, 0600);
	ok(write(fd, big, 8192) == 8192, "a file that is no database ...");
	close(fd);
	err.text[0] = '\0';
	ok(!store_open(path.s, NULL, log_rows_ops(), &err) && err.status == STATUS_CONFIG && strstr(err.text, "not a database"),
	    "... is refused: %s", err.text);
	err.text[0] = '\0';
	ok(!store_open(path.s + 7, NULL, log_rows_ops(), &err) && err.status == STATUS_CONFIG, "so is a file in place of the directory: %s",
	    err.text);
	buf_reset(&path);
	buf_addf(&path, "%s/ro", dir);
	mkdir(path.s, 0500);
	held_to_modes(true);
	err.text[0] = '\0';
	ok(!store_open(path.s, NULL, log_rows_ops(), &err) && err.status == STATUS_CONFIG && strstr(err.text, path.s),
	    "a read-only directory: %s", err.text);
	held_to_modes(false);
	err.text[0] = '\0';
	ok(!store_open("", NULL, log_rows_ops(), &err) && err.text[0], "no place at all: %s", err.text);
	buf_release(&path);
}

/* A limit on the size of files stands for a full disk. */
static void
full_disk(void)
{
	struct store *store = open_or_die();
	struct rlimit old, tight;
	struct change *changes[200], *small;
	struct page *page;
	int64_t last = 101;
	bool good = true;
	int i;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	tight = old;
	tight.rlim_cur = 1024 * 1024;
	setrlimit(RLIMIT_FSIZE, &tight);
	finished = 0;
	for (i = 0; i < 200; i++)
		changes[i] = ask_change(store, "full", NULL, 0, big, apply_one);
	page = ask_page(store, "full", NULL, 0, 500, false);
	await(store, 201);
	for (i = 0; i < 200; i++) {
		if (changes[i]->result == CHANGE_DONE)
			good = good && changes[i]->events[0]->seq == ++last;
		else
			good = good && changes[i]->result == CHANGE_FAILED && changes[i]->n_events == 0 &&
			    !strncmp(changes[i]->err.text, "unable to store: ", 17) && changes[i]->err.status == STATUS_RETRY;
	}
	ok(changes[199]->result == CHANGE_FAILED, "a full disk: %s", changes[199]->err.text);
	ok(good, "each change of the batch is told, none is numbered");
	ok(!page->err.status && page->n_events == (size_t)(last - 101), "reading goes on, and sees none of them");
	page_free(page);
	for (i = 0; i < 200; i++)
		change_free(changes[i]);
	setrlimit(RLIMIT_FSIZE, &old);
	finished = 0;
	small = ask_change(store, "full", NULL, 0, "{}", apply_one);
	await(store, 1);
	ok(small->result == CHANGE_DONE && small->events[0]->seq == last + 1,
	    "room again: the next change is stored under the next number");
	change_free(small);
	store_close(store);
}

/* An error while derived rows are written for a list may end the transaction in the middle of a batch: what comes after it in the batch
 * must not be stored one by one, and its numbers must not be given twice. */
static void
full_disk_between_lists(void)
{
	enum { N = 60, ROUNDS = 4, TIGHT = 2 };
	struct store *store;
	struct rlimit old, tight;
	struct change *changes[N];
	struct rows *rows[N];
	const char *medium = big + sizeof big - 40000;
	struct page *page;
	int round, i, stored = 0, failed = 0;

	buf_addstr(&where, "2");
	store = open_or_die();
	getrlimit(RLIMIT_FSIZE, &old);
	tight = old;
	tight.rlim_cur = 1000000;
	setrlimit(RLIMIT_FSIZE, &tight);
	for (round = 0; round < ROUNDS; round++) {
		if (round == TIGHT)
			setrlimit(RLIMIT_FSIZE, &old);
		finished = 0;
		for (i = 0; i < N; i++) {
			char stream[2] = { (char)('A' + i), '\0' };

			changes[i] = ask_change(store, stream, NULL, 0, round < TIGHT && i % 20 != 19 ? medium : "m", apply_one);
			rows[i] = rows_new(on_rows, NULL);
			rows[i]->limit = 5;
			store_rows(store, rows[i]);
		}
		await(store, 2 * N);
		for (i = 0; i < N; i++) {
			stored += changes[i]->result == CHANGE_DONE;
			failed += round >= TIGHT && changes[i]->result != CHANGE_DONE;
			change_free(changes[i]);
			rows_free(rows[i], log_rows_ops());
		}
	}
	is_int(failed, 0, "a disk that filled up while lists were read: room again, all is stored");
	finished = 0;
	page = read_page(store, "", NULL, 0, STORE_PAGE_MAX, false);
	is_int(page->n_events, stored, "and the log holds what was answered, no more");
	page_free(page);
	store_close(store);
}

/* As the run's row has it; NULL: as the first one of the list has it. */
static int64_t
events_of(struct store *store, const char *stream)
{
	struct rows *rows = rows_new(on_rows, NULL);
	int64_t n;

	if (stream)
		buf_addstr(&rows->stream, stream);
	rows->limit = 1;
	finished = 0;
	store_rows(store, rows);
	await(store, 1);
	n = rows->n_rows == 1 ? ((struct run *)rows->rows[0])->events : -1;
	rows_free(rows, log_rows_ops());
	return n;
}

static void
run_sql(const char *text)
{
	sqlite3 *db = NULL;

	if (sqlite3_open(file.s, &db) != SQLITE_OK || sqlite3_busy_timeout(db, 20000) != SQLITE_OK ||
	    sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK) {
		printf("Bail out! %s\n", sqlite3_errmsg(db));
		exit(1);
	}
	sqlite3_close(db);
}

static int
change_once(struct store *store, const char *stream)
{
	struct change *change;
	int result;

	finished = 0;
	change = ask_change(store, stream, NULL, 0, "{}", apply_one);
	await(store, 1);
	result = change->result;
	change_free(change);
	return result;
}

/* What was answered is in the notes when the database finds, behind, that it cannot commit. */
static void
full_behind(void)
{
	struct rlimit old, tight;
	struct store *store;
	int64_t n = 0;

	buf_addstr(&where, "3");
	buf_reset(&file);
	buf_addf(&file, "%s/agentutils.db", where.s);
	store = open_or_die();
	n += change_once(store, "first") == CHANGE_DONE;
	/* its log is beyond the limit then, and the notes are not */
	run_sql("INSERT INTO docs(key, doc) VALUES('large', zeroblob(2000000))");
	getrlimit(RLIMIT_FSIZE, &old);
	tight = old;
	tight.rlim_cur = 1000000;
	n += change_once(store, "first") == CHANGE_DONE;
	n += change_once(store, "first") == CHANGE_DONE;
	is_int(n, 3, "three changes before the disk is full");
	setrlimit(RLIMIT_FSIZE, &tight);
	while (change_once(store, "first") == CHANGE_DONE)
		n++;
	is_int(events_of(store, "first"), n, "a change is refused once the database takes nothing more, and what was answered is known");
	setrlimit(RLIMIT_FSIZE, &old);
	is_int(change_once(store, "other"), CHANGE_DONE, "room again: the next change is stored");
	is_int(events_of(store, "first"), n, "and all before it is");
	store_close(store);
	store = open_or_die();
	is_int(events_of(store, "first"), n, "after a restart, too");
	is_int(store_last_seq(store), n + 1, "with the numbers that were given");
	store_close(store);
}

static void
spoil_rows(void)
{
	run_sql("UPDATE streams SET doc=x'78'");
}

static void
child(int fd)
{
	struct store *store = open_or_die();
	int i;

	for (i = 0;; i++) {
		struct change *change;

		finished = 0;
		change = ask_change(store, "killed", NULL, 0, "{}", apply_one);
		await(store, 1);
		if (change->result != CHANGE_DONE || write(fd, &change->events[0]->seq, sizeof(int64_t)) != sizeof(int64_t))
			_exit(1);
		change_free(change);
	}
}

static void
killed(void)
{
	struct store *store;
	struct page *page;
	int64_t seqs[1000], after = 0;
	int pipes[2], n = 0, i = 0, status;
	bool good = true;
	pid_t pid;

	if (pipe(pipes) < 0)
		return;
	fflush(stdout);
	pid = fork();
	if (!pid) {
		close(pipes[0]);
		child(pipes[1]);
	}
	close(pipes[1]);
	while (n < 1000 && read(pipes[0], &seqs[n], sizeof seqs[n]) == sizeof seqs[n])
		n++;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(pipes[0]);
	is_int(n, 1000, "a thousand changes were answered before the kill");
	store = open_or_die();
	finished = 0;
	for (;;) {
		size_t k;
		bool more;

		page = read_page(store, "killed", NULL, after, STORE_PAGE_MAX, false);
		for (k = 0; k < page->n_events; k++, i++) {
			after = page->events[k]->seq;
			good = good && (i >= n || after == seqs[i]);
		}
		more = page->more;
		page_free(page);
		if (!more)
			break;
	}
	ok(good && i >= n, "all of them are there afterwards, in order");
	is_int(events_of(store, "killed"), i, "and the run's row knows every one, though it was not written with each");
	is_int(events_of(store, NULL), i, "in the list of runs too");
	store_close(store);
	spoil_rows();
	store = open_or_die();
	is_int(events_of(store, "killed"), i, "a row that is not understood is folded again from the events");
	store_close(store);
}

/* What a change says at once: long blocks of one stream, two that alternate, services that come and go, and events of no stream. */
static bool
apply_blocks(struct change *change, const void *row, struct change_context *context)
{
	int i;

	(void)row;
	(void)change;
	for (i = 0; i < 260; i++) {
		const char *stream = i < 150 ? "one" : i < 200 ? (i % 2 ? "two" : "one") : i < 230 ? "" : "two";
		const char *service = i < 40 || i > 180 ? "s" : i < 160 ? NULL : "t";

		change_emit(context, *stream ? span(stream) : STREAM_NONE, i % 3 ? "agent.a" : "agent.b", LEVEL_INFO, SPAN_NONE, span("m"),
		    span(service), SPAN_NONE);
	}
	return true;
}

static bool
is_in(const struct entry *event, const char *stream, const char *service, const char *kind)
{
	return (!stream || (event->stream.s && !strcmp(event->stream.s, stream))) &&
	    (!service || (event->service.s && !strcmp(event->service.s, service))) && (!kind || !strcmp(event->kind.s, kind));
}

/* Is each page, from wherever it begins, what is to be seen by looking at all that was said? */
static bool
pages_of(struct store *store, struct entry *const *all, size_t n, const char *stream, const char *service, const char *kind)
{
	enum { LIMIT = 7 };
	size_t from, i;
	int last;

	for (from = 0; from <= n; from += 3)
		for (last = 0; last < 2; last++) {
			struct page *page = page_new(on_page, NULL);
			const struct entry *want[LIMIT];
			size_t found = 0, k = 0;
			bool good;

			if (stream)
				buf_addstr(&page->stream, stream);
			else if (service)
				buf_addstr(&page->service, service);
			page->prefix = kind;
			page->after = from ? all[from - 1]->seq : 0;
			page->limit = LIMIT;
			page->last = last;
			store_page(store, page);
			await(store, finished + 1);
			for (i = from; i < n; i++)
				found += is_in(all[i], stream, service, kind);
			for (i = from; i < n; i++)
				if (is_in(all[i], stream, service, kind) && (last ? found-- <= LIMIT : k < LIMIT))
					want[k++] = all[i];
			good = page->n_events == k;
			for (i = 0; good && i < k; i++)
				good = page->events[i]->seq == want[i]->seq;
			page_free(page);
			if (!good) {
				printf("# from %zu, last %d: %zu wanted\n", from, last, k);
				return false;
			}
		}
	return true;
}

static void
blocks(void)
{
	struct store *store;
	struct change *change;

	buf_addstr(&where, "3");
	store = open_or_die();
	finished = 0;
	change = ask_change(store, "one", NULL, 0, "{}", apply_blocks);
	await(store, 1);
	is_int(change->n_events, 260, "many events of one change");
	ok(pages_of(store, change->events, change->n_events, "one", NULL, NULL), "pages of a stream, from anywhere");
	ok(pages_of(store, change->events, change->n_events, "two", NULL, "agent.a"), "of another one, those of a kind");
	ok(pages_of(store, change->events, change->n_events, NULL, "s", NULL), "of a service");
	ok(pages_of(store, change->events, change->n_events, NULL, "t", "agent.b"), "of another one, those of a kind");
	ok(pages_of(store, change->events, change->n_events, NULL, NULL, NULL), "of everything");
	change_free(change);
	store_close(store);
}

/* Rows that are held back are there for whoever asks, at any number of them; so is what was in memory before a rest. */
static void
among_writes(void)
{
	enum { CHANGES = 60 };
	struct change *changes[CHANGES];
	struct page *pages[CHANGES];
	struct store *store;
	size_t i, n, good = 0;

	buf_addstr(&where, "4");
	store = open_or_die();
	finished = 0;
	for (i = 0; i < CHANGES; i++) {
		/* a large one goes in at once */
		changes[i] = ask_change(store, "r", i % 5 ? NULL : "same", 0, i % 7 ? "{}" : big, apply_one);
		if (i % 3 == 2)
			store_rest(store, on_rest);
		pages[i] = ask_page(store, i % 2 ? "r" : "", NULL, 0, STORE_PAGE_MAX, false);
	}
	await(store, 2 * CHANGES);
	for (i = n = 0; i < CHANGES; i++) {
		n += changes[i]->result == CHANGE_DONE;
		good += pages[i]->n_events == n && pages[i]->events[n - 1]->seq == (int64_t)n;
		good += changes[i]->result == (i && !(i % 5) ? CHANGE_REPLAYED : CHANGE_DONE);
		change_free(changes[i]);
		page_free(pages[i]);
	}
	is_int(good, 2 * CHANGES, "what was asked for between changes has all before it, and a key is known at once");
	is_int(events_of(store, "r"), n, "and so has the row");
	is_int(rests, CHANGES / 3, "each rest was told of");
	store_close(store);
}

int
main(void)
{
	struct buf rm = BUF_INIT;

	memset(big, 'x', sizeof big - 1);
	if (!mkdtemp(dir))
		return 1;
	buf_addf(&where, "%s/state", dir);
	buf_addf(&file, "%s/agentutils.db", where.s);
	order();
	keys();
	refuses_to_open();
	full_disk();
	killed();
	full_disk_between_lists();
	full_behind();
	documents();
	blocks();
	among_writes();
	buf_addf(&rm, "rm -rf '%s'", dir);
	ok(system(rm.s) == 0, "cleared away");
	buf_release(&rm);
	buf_release(&where);
	buf_release(&file);
	return done();
}
