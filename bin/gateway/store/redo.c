/* redo.c - notes of what was run, and the file that they are kept in */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "status.h"
#include "store/db.h"
#include "store/redo.h"
#include "xalloc.h"

#define MAGIC 0x6f646572u

/* ---- notes
 *
 * 'T' bytes(32) text: a statement, the next one of the segment; 'R' index(16) n(8) values: it is run. A value: kind(8), and 64 bits or
 * bytes(32) and these. Numbers are the machine's: the file does not outlive the database it belongs to.
 */

void
note_init(struct note *note)
{
	buf_init(&note->bytes);
	note->number = 0;
	note_begin(note);
}

void
note_release(struct note *note)
{
	buf_release(&note->bytes);
}

void
note_begin(struct note *note)
{
	static const char head[REDO_HEAD];

	buf_reset(&note->bytes);
	buf_add(&note->bytes, head, sizeof head);
	note->n_texts = 0;
	if (!++note->number)
		note->number = 1;
}

bool
note_is_empty(const struct note *note)
{
	return note->bytes.len == REDO_HEAD;
}

static char *
put(char *at, const void *from, size_t n)
{
	memcpy(at, from, n);
	return at + n;
}

static void
name(struct note *note, struct noted *noted, const char *text)
{
	uint32_t n = (uint32_t)strlen(text);

	buf_addch(&note->bytes, 'T');
	buf_add(&note->bytes, &n, sizeof n);
	buf_add(&note->bytes, text, n);
	noted->note = note->number;
	noted->index = note->n_texts++;
}

void
note_run(struct note *note, struct noted *noted, const char *text, const struct redo_value *values, int n)
{
	size_t size = 4;
	char *at;
	int i;

	if (noted->note != note->number)
		name(note, noted, text);
	for (i = 0; i < n; i++)
		size += 9 + values[i].bytes.n;
	buf_reserve(&note->bytes, size);
	at = note->bytes.s + note->bytes.len;
	*at++ = 'R';
	at = put(at, &noted->index, sizeof noted->index);
	*at++ = (char)n;
	for (i = 0; i < n; i++) {
		uint32_t bytes = (uint32_t)values[i].bytes.n;

		*at++ = (char)values[i].kind;
		if (values[i].kind == REDO_INT)
			at = put(at, &values[i].number, sizeof values[i].number);
		else if (values[i].kind != REDO_NULL) {
			at = put(at, &bytes, sizeof bytes);
			if (bytes)
				at = put(at, values[i].bytes.s, bytes);
		}
	}
	note->bytes.len = (size_t)(at - note->bytes.s);
	*at = '\0';
}

void
note_move(struct note *note, struct buf *to)
{
	uint32_t head[2] = { MAGIC, (uint32_t)(note->bytes.len - REDO_HEAD) };
	struct buf empty;

	if (note_is_empty(note))
		return;
	memcpy(note->bytes.s, head, sizeof head);
	if (to->len)
		buf_add(to, note->bytes.s, note->bytes.len);
	else {
		empty = *to;
		*to = note->bytes;
		note->bytes = empty;
	}
	note_begin(note);
}

/* ---- running them again */

struct reader {
	const char *at, *end;
	bool damaged;
};

static const char *
take(struct reader *reader, size_t n)
{
	const char *at = reader->at;

	if ((size_t)(reader->end - at) < n) {
		reader->damaged = true;
		return NULL;
	}
	reader->at += n;
	return at;
}

static uint64_t
take_number(struct reader *reader, size_t n)
{
	const char *at = take(reader, n);
	uint64_t wide = 0;
	uint32_t word;
	uint16_t half;

	if (!at)
		return 0;
	if (n == sizeof wide)
		memcpy(&wide, at, n);
	else if (n == sizeof word) {
		memcpy(&word, at, n);
		wide = word;
	} else if (n == sizeof half) {
		memcpy(&half, at, n);
		wide = half;
	} else
		wide = (unsigned char)*at;
	return wide;
}

struct player {
	struct db *db;
	struct query **queries;
	size_t n;
};

static bool
play_text(struct player *player, struct reader *reader, struct err *err)
{
	size_t n = (size_t)take_number(reader, sizeof(uint32_t));
	const char *at = take(reader, n);
	struct buf text = BUF_INIT;
	bool ok;

	if (!at)
		return true;
	buf_add(&text, at, n);
	player->queries = xgrow(player->queries, player->n, sizeof(struct query *));
	player->queries[player->n] = NULL;
	ok = db_query(player->db, &player->queries[player->n++], text.s, err);
	buf_release(&text);
	return ok;
}

static bool
play_run(struct player *player, struct reader *reader, struct err *err)
{
	size_t index = (size_t)take_number(reader, sizeof(uint16_t));
	int n = (int)take_number(reader, 1), i;
	struct query *query;

	if (reader->damaged || index >= player->n || n > REDO_VALUES) {
		reader->damaged = true;
		return true;
	}
	query = player->queries[index];
	query_reset(query);
	for (i = 1; i <= n; i++) {
		enum redo_kind kind = (enum redo_kind)take_number(reader, 1);
		struct span bytes = SPAN_NONE;

		if (kind == REDO_INT) {
			query_int(query, i, (int64_t)take_number(reader, sizeof(int64_t)));
			continue;
		}
		if (kind != REDO_NULL) {
			bytes.n = (size_t)take_number(reader, sizeof(uint32_t));
			bytes.s = take(reader, bytes.n);
		}
		if (kind == REDO_BLOB)
			query_blob(query, i, bytes);
		else
			query_text(query, i, bytes);
	}
	return reader->damaged || query_run(query, err);
}

bool
note_play(struct db *db, struct span notes, struct err *err)
{
	struct player player = { .db = db };
	struct reader reader = { .at = notes.s, .end = notes.s + notes.n };
	bool ok = true;
	size_t i;

	while (ok && !reader.damaged && reader.at < reader.end) {
		char what = *reader.at++;

		if (what == 'T')
			ok = play_text(&player, &reader, err);
		else if (what == 'R')
			ok = play_run(&player, &reader, err);
		else
			reader.damaged = true;
	}
	for (i = 0; i < player.n; i++)
		query_drop(player.queries[i]);
	free(player.queries);
	/* its sum was right, so this is no torn write */
	return ok && (!reader.damaged || err_set(err, STATUS_RETRY, "unable to use the store: what is ahead of it is not understood"));
}

/* ---- the file */

struct redo {
	struct buf path;
	int fd;
	uint64_t salt, sum; /* sum: of the last segment, or the salt */
	size_t end, committed;
};

struct redo *
redo_new(const char *database)
{
	struct redo *redo = xcalloc(1, sizeof *redo);

	buf_init(&redo->path);
	buf_addf(&redo->path, "%s-redo", database);
	redo->fd = -1;
	return redo;
}

void
redo_free(struct redo *redo)
{
	if (!redo)
		return;
	if (redo->fd >= 0)
		close(redo->fd);
	buf_release(&redo->path);
	free(redo);
}

void
redo_start(struct redo *redo, uint64_t salt)
{
	redo->salt = redo->sum = salt;
	redo->end = redo->committed = 0;
}

void
redo_committed(struct redo *redo, size_t n)
{
	redo->committed = n;
}

size_t
redo_left(const struct redo *redo)
{
	return redo->end - redo->committed;
}

size_t
redo_size(const struct redo *redo)
{
	return redo->end;
}

/* Tells a segment from one that was written in part; eight bytes at a time, since all that is stored comes by here. */
static uint64_t
sum_of(uint64_t sum, const char *bytes, size_t n)
{
	const uint64_t factor = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t word;
	size_t i;

	for (i = 0; i + sizeof word <= n; i += sizeof word) {
		memcpy(&word, bytes + i, sizeof word);
		sum = (sum ^ word) * factor;
		sum ^= sum >> 29;
	}
	word = n;
	memcpy(&word, bytes + i, n - i);
	sum = (sum ^ word) * factor;
	sum = (sum ^ (sum >> 32) ^ n) * factor;
	return sum ^ sum >> 29;
}

/* A new name is on the disk when its directory is. */
static bool
sync_directory(const struct redo *redo)
{
	struct buf dir = BUF_INIT;
	const char *slash = strrchr(redo->path.s, '/');
	bool ok;
	int fd;

	if (slash)
		buf_add(&dir, redo->path.s, slash == redo->path.s ? 1 : (size_t)(slash - redo->path.s));
	else
		buf_addch(&dir, '.');
	fd = open(dir.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	buf_release(&dir);
	return ok;
}

/* *ret_there: there is a file; make: it is made when there is none. */
static bool
open_file(struct redo *redo, bool make, bool *ret_there, struct err *err)
{
	int flags = O_RDWR | O_CLOEXEC | (make ? O_CREAT : 0);

	if (redo->fd < 0) {
		redo->fd = open(redo->path.s, flags, 0600);
		if (redo->fd >= 0 && make && !sync_directory(redo)) {
			close(redo->fd);
			redo->fd = -1;
			return err_errno(err, STATUS_RETRY, "unable to store: '%s'", redo->path.s);
		}
	}
	*ret_there = redo->fd >= 0;
	return redo->fd >= 0 || (!make && errno == ENOENT) || err_errno(err, STATUS_RETRY, "unable to store: '%s'", redo->path.s);
}

void
redo_prepare(struct redo *redo)
{
	struct err err = ERR_INIT;
	bool there;

	(void)open_file(redo, true, &there, &err);
}

static bool
write_all(int fd, const char *bytes, size_t n, size_t at)
{
	while (n) {
		ssize_t done = pwrite(fd, bytes, n, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		bytes += done;
		at += (size_t)done;
		n -= (size_t)done;
	}
	return true;
}

bool
redo_write(struct redo *redo, struct buf *segments, struct err *err)
{
	uint64_t sum = redo->sum;
	uint32_t n;
	size_t at;
	bool there;

	for (at = 0; at < segments->len; at += REDO_HEAD + n) {
		memcpy(&n, segments->s + at + 4, sizeof n);
		sum = sum_of(sum, segments->s + at + REDO_HEAD, n);
		memcpy(segments->s + at + 8, &sum, sizeof sum);
	}
	if (!open_file(redo, true, &there, err))
		return false;
	if (!write_all(redo->fd, segments->s, segments->len, redo->end) || fdatasync(redo->fd) < 0) {
		err_errno(err, STATUS_RETRY, "unable to store");
		/* some of it may be whole, and nobody is going to be told that it is stored */
		(void)!ftruncate(redo->fd, (off_t)redo->end);
		return false;
	}
	redo->sum = sum;
	redo->end += segments->len;
	return true;
}

/* False: read() failed. *ret_n is less than n at the end of the file. */
static bool
read_all(int fd, char *to, size_t n, size_t at, size_t *ret_n)
{
	*ret_n = 0;
	while (*ret_n < n) {
		ssize_t got = pread(fd, to + *ret_n, n - *ret_n, (off_t)(at + *ret_n));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (!got)
			break;
		*ret_n += (size_t)got;
	}
	return true;
}

bool
redo_play(struct redo *redo, struct db *db, bool all, struct err *err)
{
	struct buf file = BUF_INIT;
	struct stat st;
	size_t end, at = 0;
	bool there, ok;

	if (!all && !redo->end)
		return true;
	if (!open_file(redo, false, &there, err) || !there)
		return there || err->status == STATUS_OK;
	if (fstat(redo->fd, &st) < 0)
		return err_errno(err, STATUS_RETRY, "unable to read '%s'", redo->path.s);
	end = all ? (size_t)st.st_size : redo->end;
	buf_reserve(&file, end);
	if (!read_all(redo->fd, file.s, end, 0, &end)) {
		buf_release(&file);
		return err_errno(err, STATUS_RETRY, "unable to read '%s'", redo->path.s);
	}
	redo->sum = redo->salt;
	for (ok = true; ok && end - at >= REDO_HEAD;) {
		uint32_t head[2];
		uint64_t sum, said;

		memcpy(head, file.s + at, sizeof head);
		memcpy(&said, file.s + at + 8, sizeof said);
		if (head[0] != MAGIC || head[1] > end - at - REDO_HEAD)
			break;
		sum = sum_of(redo->sum, file.s + at + REDO_HEAD, head[1]);
		if (sum != said)
			break;
		if (at >= redo->committed)
			ok = note_play(db, (struct span){ file.s + at + REDO_HEAD, head[1] }, err);
		redo->sum = sum;
		at += REDO_HEAD + head[1];
	}
	if (ok && !all && at != redo->end)
		ok = err_set(err, STATUS_RETRY, "unable to read '%s': it is not what was written", redo->path.s);
	else if (ok)
		redo->end = at;
	buf_release(&file);
	return ok;
}
