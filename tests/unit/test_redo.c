/* test_redo.c - what is noted ahead of the database: run again as it was, up to where it was cut, and never what is of another chain */
#include "compat.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "store/db.h"
#include "store/redo.h"
#include "tap.h"

static char dir[] = "/tmp/test_redo.XXXXXX";
static struct buf file = BUF_INIT, ahead = BUF_INIT;
static struct db *db;

static const char put[] = "INSERT INTO docs(key, doc) VALUES(?1,?2)";
static const char key_of[] = "INSERT INTO keys(key, print, answer, at) VALUES(?1,?2,?3,?4)";
static const char forget[] = "DELETE FROM docs WHERE key=?1";

static void
die(const struct err *err)
{
	printf("Bail out! %s\n", err->text);
	exit(1);
}

static struct span
span(const char *s)
{
	return (struct span){ s, strlen(s) };
}

/* Three statements of one segment, told apart by k. */
static void
run(int k)
{
	static struct query *queries[3];
	const char *const texts[] = { put, key_of, forget };
	struct err err = ERR_INIT;
	char key[16];
	int i;

	snprintf(key, sizeof key, "k%d", k);
	for (i = 0; i < 3; i++)
		if (k < 0) {
			query_drop(queries[i]);
			queries[i] = NULL;
		} else if (!db_query(db, &queries[i], texts[i], &err))
			die(&err);
	if (k < 0)
		return;
	query_text(queries[0], 1, span(key));
	query_blob(queries[0], 2, (struct span){ "a\0b", 3 });
	query_text(queries[1], 1, span(key));
	query_int(queries[1], 2, -k);
	query_blob(queries[1], 3, k % 2 ? SPAN_NONE : span(""));
	query_int(queries[1], 4, INT64_MAX);
	query_text(queries[2], 1, span("k0"));
	if (!query_run(queries[0], &err) || !query_run(queries[1], &err) || !query_run(queries[2], &err))
		die(&err);
}

static int64_t
count(const char *text)
{
	struct query *query = NULL;
	struct err err = ERR_INIT;
	int64_t n = -1;

	if (db_query(db, &query, text, &err) && query_step(query, &err) == DB_ROW)
		n = query_get_int(query, 0);
	query_drop(query);
	return n;
}

static void
begin(void)
{
	struct err err = ERR_INIT;

	if (!db_begin(db, &err))
		die(&err);
}

/* A chain of n segments in the file, of what was run and rolled back. */
static void
write_chain(uint64_t salt, int n)
{
	struct redo *redo = redo_new(file.s);
	struct buf segments = BUF_INIT;
	struct err err = ERR_INIT;
	struct note note;
	int i;

	redo_start(redo, salt);
	note_init(&note);
	begin();
	db_note(db, &note);
	for (i = 0; i < n; i++) {
		ok(note_is_empty(&note), "a new segment is empty");
		run(i);
		note_move(&note, &segments);
		/* two of them at once every other time */
		if (i % 3 != 1) {
			if (!redo_write(redo, &segments, &err))
				die(&err);
			buf_reset(&segments);
		}
	}
	if (segments.len && !redo_write(redo, &segments, &err))
		die(&err);
	db_note(db, NULL);
	db_rollback(db);
	begin();
	ok(redo_play(redo, db, false, &err) && count("SELECT count(*) FROM keys") == n, "the writer runs its own again");
	db_rollback(db);
	run(-1);
	note_release(&note);
	buf_release(&segments);
	redo_free(redo);
}

/* How many of its segments are run again by who comes after a crash; -1: refused. */
static int
play(uint64_t salt)
{
	struct redo *redo = redo_new(file.s);
	struct err err = ERR_INIT;
	int64_t n;

	redo_start(redo, salt);
	begin();
	n = redo_play(redo, db, true, &err) ? count("SELECT count(*) FROM keys") : -1;
	if (n > 0 &&
	    (count("SELECT count(*) FROM docs WHERE doc=x'610062' AND key<>'k0'") != n - 1 ||
		count("SELECT count(*) FROM keys WHERE at=9223372036854775807 AND print=-CAST(substr(key, 2) AS INTEGER) AND"
		      " (answer IS NULL) = (print % 2 <> 0)") != n))
		n = -2;
	db_rollback(db);
	redo_free(redo);
	return (int)n;
}

/* What the database has committed of a chain that goes on is not run again, whoever does it. */
static void
committed_in_part(void)
{
	struct redo *redo = redo_new(file.s);
	struct buf segment = BUF_INIT;
	struct err err = ERR_INIT;
	struct note note;
	size_t done = 0;
	int i;

	redo_start(redo, 11);
	note_init(&note);
	begin();
	db_note(db, &note);
	for (i = 0; i < 5; i++) {
		run(i);
		note_move(&note, &segment);
		if (!redo_write(redo, &segment, &err))
			die(&err);
		buf_reset(&segment);
		if (i == 2)
			done = redo_size(redo);
	}
	db_note(db, NULL);
	db_rollback(db);
	redo_committed(redo, done);
	begin();
	ok(redo_play(redo, db, false, &err) && count("SELECT count(*) FROM keys") == 2, "the writer runs what is not committed again");
	db_rollback(db);
	redo_free(redo);
	redo = redo_new(file.s);
	redo_start(redo, 11);
	redo_committed(redo, done);
	begin();
	ok(redo_play(redo, db, true, &err) && count("SELECT count(*) FROM keys WHERE key IN ('k3', 'k4')") == 2 &&
		count("SELECT count(*) FROM keys") == 2,
	    "so does who comes after a crash");
	db_rollback(db);
	redo_free(redo);
	run(-1);
	note_release(&note);
	buf_release(&segment);
}

static void
cut_and_flipped(void)
{
	struct err err = ERR_INIT;
	struct buf whole = BUF_INIT;
	int last = 0, fd, n;
	bool growing = true, prefix = true;
	size_t i;

	if (!buf_read_file(&whole, ahead.s, 1 << 20, &err))
		die(&err);
	for (i = 0; i <= whole.len; i += i % 64 < 20 ? 1 : 7) {
		if (truncate(ahead.s, 0) < 0 || (fd = open(ahead.s, O_WRONLY)) < 0 || write(fd, whole.s, i) != (ssize_t)i)
			break;
		close(fd);
		n = play(7);
		growing = growing && n >= last && n <= 5;
		last = n;
	}
	ok(growing, "cut anywhere: the segments before it, whole");
	for (i = 0; i < whole.len; i += 5) {
		whole.s[i] = (char)(whole.s[i] ^ 0x10);
		fd = open(ahead.s, O_WRONLY | O_TRUNC);
		if (fd < 0 || write(fd, whole.s, whole.len) != (ssize_t)whole.len)
			break;
		close(fd);
		n = play(7);
		prefix = prefix && n >= 0 && n < 5;
		whole.s[i] = (char)(whole.s[i] ^ 0x10);
	}
	ok(prefix, "a bit that is wrong: what comes before it");
	buf_release(&whole);
}

int
main(void)
{
	struct err err = ERR_INIT;
	struct stat st;
	bool good;

	if (!mkdtemp(dir))
		return 1;
	buf_addf(&file, "%s/db", dir);
	buf_addf(&ahead, "%s-redo", file.s);
	db = sqlite_open_db(file.s, &err);
	if (!db)
		die(&err);
	is_int(play(7), 0, "no file: nothing to do");
	ok(stat(ahead.s, &st) < 0, "and none is made");
	write_chain(7, 5);
	ok(stat(ahead.s, &st) == 0 && (st.st_mode & 0777) == 0600, "the file is for its owner alone");
	is_int(play(7), 5, "all of it is run again");
	is_int(play(8), 0, "nothing with another salt");
	write_chain(9, 2);
	is_int(play(9), 2, "written over: the new chain, and nothing of the longer one behind it");
	is_int(play(7), 0, "the old one has lost its beginning");
	committed_in_part();
	write_chain(7, 5);
	cut_and_flipped();
	good = note_play(db, (struct span){ "", 0 }, &err);
	ok(good, "no notes at all");
	ok(!note_play(db, span("R\1\1\1"), &err) && strstr(err.text, "not understood"), "notes that are none: %s", err.text);
	ok(!note_play(db, (struct span){ "T\3\0\0\0abc", 8 }, &err), "a statement that is none: %s", err.text);
	db_close(db);
	unlink(file.s);
	unlink(ahead.s);
	rmdir(dir);
	buf_release(&file);
	buf_release(&ahead);
	return done();
}
