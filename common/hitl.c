/* hitl.c - a directory of questions: what is there, which one a key names, and its answer */
#include "compat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blank.h"
#include "clock.h"
#include "err.h"
#include "hitl_internal.h"
#include "jtext.h"
#include "status.h"
#include "utf8.h"
#include "xalloc.h"

#define ANSWER_MODE 0400 /* nobody writes there any more: it is whole */

/* ---- the directory */

static bool
make_dirs(const char *path, struct err *err)
{
	struct buf part = BUF_INIT;
	const char *at = path;
	bool ok = true;

	while (ok && *at) {
		at += strspn(at, "/");
		at += strcspn(at, "/");
		buf_reset(&part);
		buf_add(&part, path, (size_t)(at - path));
		if (mkdir(part.s, 0700) < 0 && errno != EEXIST && errno != EISDIR && !(errno == EROFS && access(part.s, F_OK) == 0))
			ok = err_errno(err, STATUS_CONFIG, "unable to make the directory '%s'", part.s);
	}
	buf_release(&part);
	return ok;
}

bool
hitl_open(struct hitl *hitl, const char *dir, bool make, struct err *err)
{
	char *full;
	const char *s = dir ? dir : getenv("CLARITY_HITL_DIR");
	size_t n = s ? strlen(s) : 0;

	hitl->fd = -1;
	hitl->make = make;
	buf_init(&hitl->path);
	if (n)
		blank_trim(&s, &n, BLANK_JS);
	if (dir && !n)
		return err_set(err, STATUS_USAGE, "unable to use the directory '': it has no name");
	if (n)
		buf_add(&hitl->path, s, n);
	else
		buf_addstr(&hitl->path, HITL_DIR);
	hitl->fd = open(hitl->path.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (hitl->fd < 0 && errno == ENOENT) {
		if (!make)
			return true;
		if (!make_dirs(hitl->path.s, err))
			return false;
		hitl->fd = open(hitl->path.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (hitl->fd < 0)
		return err_errno(err, STATUS_CONFIG, "unable to open the directory '%s'", hitl->path.s);
	full = realpath(hitl->path.s, NULL);
	if (full) {
		buf_reset(&hitl->path);
		buf_addstr(&hitl->path, full);
		free(full);
	}
	return true;
}

bool
hitl_is_missing(const struct hitl *hitl)
{
	return hitl->fd < 0;
}

bool
hitl_check(struct hitl *hitl, bool *ret_changed, struct err *err)
{
	struct stat ours, there;
	struct buf path = BUF_INIT;
	bool ok, was_missing = hitl_is_missing(hitl);

	*ret_changed = false;
	if (hitl->fd >= 0 && fstat(hitl->fd, &ours) == 0 && stat(hitl->path.s, &there) == 0 && ours.st_dev == there.st_dev &&
	    ours.st_ino == there.st_ino)
		return true;
	buf_add(&path, hitl->path.s, hitl->path.len);
	hitl_close(hitl);
	ok = hitl_open(hitl, path.s, hitl->make, err);
	*ret_changed = ok && !(was_missing && hitl_is_missing(hitl));
	buf_release(&path);
	return ok;
}

void
hitl_close(struct hitl *hitl)
{
	if (hitl->fd >= 0)
		close(hitl->fd);
	hitl->fd = -1;
	buf_release(&hitl->path);
}

/* Opens a regular file of bounded size; links are not followed, and a pipe does not block. -1: errno. */
static int
open_plain(const struct hitl *hitl, const char *name, struct stat *st)
{
	int fd = openat(hitl->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), why;

	if (fd < 0)
		return -1;
	if (fstat(fd, st) == 0) {
		if (S_ISREG(st->st_mode) && st->st_size <= (off_t)HITL_FILE_MAX)
			return fd;
		errno = S_ISREG(st->st_mode) ? EFBIG : EINVAL;
	}
	why = errno;
	close(fd);
	errno = why;
	return -1;
}

const char *
hitl_file_name(struct buf *to, const char *stem, const char *end)
{
	buf_reset(to);
	buf_addf(to, "%s%s", stem, end);
	return to->s;
}

static bool
exists(const struct hitl *hitl, const char *stem, const char *end)
{
	struct buf name = BUF_INIT;
	struct stat st;
	bool is = fstatat(hitl->fd, hitl_file_name(&name, stem, end), &st, AT_SYMLINK_NOFOLLOW) == 0;

	buf_release(&name);
	return is;
}

static int64_t
mtime_ns(const struct stat *st)
{
#ifdef __APPLE__
	return (int64_t)st->st_mtimespec.tv_sec * 1000000000 + st->st_mtimespec.tv_nsec;
#else
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
#endif
}

/* Reads <stem>.question. False: there is none that counts (errno). An empty file is one that is still to be written. A question that does
 * not say when it was asked was asked when it was written. */
bool
hitl_read_question(const struct hitl *hitl, const char *stem, struct hitl_question *question)
{
	struct buf name = BUF_INIT, body = BUF_INIT;
	struct stat st;
	int fd = open_plain(hitl, hitl_file_name(&name, stem, QUESTION_END), &st);
	bool ok = fd >= 0 && buf_read_fd(&body, fd, HITL_FILE_MAX, name.s, NULL) && body.len > 0;

	if (fd >= 0)
		close(fd);
	if (ok) {
		buf_reset(&question->stem);
		buf_addstr(&question->stem, stem);
		hitl_parse(body.s, body.len, stem, mtime_ns(&st) / 1000000, question);
		question->answered = exists(hitl, stem, ANSWER_END);
		question->mtime_ns = mtime_ns(&st);
		question->inode = (uint64_t)st.st_ino;
	}
	buf_release(&name);
	buf_release(&body);
	return ok;
}

static int
by_time(const void *a, const void *b)
{
	const struct hitl_question *x = a, *y = b;

	if (x->timestamp != y->timestamp)
		return x->timestamp < y->timestamp ? -1 : 1;
	return strcmp(x->stem.s, y->stem.s);
}

/* The name's stem in *to; false when it is no question's name. */
static bool
stem_of(const char *name, struct buf *to)
{
	size_t n = strlen(name), end = sizeof QUESTION_END - 1;

	buf_reset(to);
	if (n <= end || strcmp(name + n - end, QUESTION_END) || !utf8_valid(name, n))
		return false;
	buf_add(to, name, n - end);
	return true;
}

bool
hitl_list(const struct hitl *hitl, struct hitl_list *list, struct err *err)
{
	int fd = openat(hitl->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct buf stem = BUF_INIT;
	struct dirent *entry;

	*list = (struct hitl_list){ NULL, 0, false };
	if (hitl_is_missing(hitl))
		return true;
	if (!dir) {
		err_errno(err, STATUS_IO, "unable to read the directory '%s'", hitl->path.s);
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((entry = readdir(dir))) {
		if (!stem_of(entry->d_name, &stem))
			continue;
		if (list->n == HITL_QUESTIONS_MAX) {
			list->cut = true;
			break;
		}
		list->questions = xgrow(list->questions, list->n, sizeof *list->questions);
		hitl_question_init(&list->questions[list->n]);
		if (hitl_read_question(hitl, stem.s, &list->questions[list->n]))
			list->n++;
	}
	closedir(dir);
	buf_release(&stem);
	if (list->n)
		qsort(list->questions, list->n, sizeof *list->questions, by_time);
	return true;
}

void
hitl_list_release(struct hitl_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		hitl_question_release(&list->questions[i]);
	free(list->questions);
	*list = (struct hitl_list){ NULL, 0, false };
}

/* ---- which question a key names */

static bool
by_stem(const struct hitl_question *question, const char *key, size_t n)
{
	struct buf broker = BUF_INIT, asker = BUF_INIT;
	bool is = hitl_equal(&question->stem, key, n);

	if (!is && !question->named) {
		hitl_stem(&broker, key, n, HITL_BROKER);
		hitl_stem(&asker, key, n, HITL_ASKER);
		is = hitl_equal(&question->stem, broker.s, broker.len) || hitl_equal(&question->stem, asker.s, asker.len);
		buf_release(&broker);
		buf_release(&asker);
	}
	return is;
}

bool
hitl_find(const struct hitl *hitl, const char *key, size_t n, struct hitl_question *question, struct err *err)
{
	struct buf shown = BUF_INIT, names = BUF_INIT;
	struct hitl_list list;
	size_t i, found = 0, at = 0;
	int pass;

	blank_trim(&key, &n, BLANK_JS);
	if (!hitl_list(hitl, &list, err))
		return false;
	for (pass = 0; pass < 2 && !found; pass++)
		for (i = 0; i < list.n; i++) {
			const struct hitl_question *q = &list.questions[i];

			if (pass ? !by_stem(q, key, n) : !(q->named && hitl_equal(&q->key, key, n)))
				continue;
			if (found++ < 2)
				buf_addf(&names, "%s'%s.question'", names.len ? " and " : "", q->stem.s);
			at = i;
		}
	if (found == 1) {
		hitl_question_release(question);
		*question = list.questions[at];
		hitl_question_init(&list.questions[at]);
	} else {
		hitl_safe(&shown, key, n);
		if (found)
			err_set(err, STATUS_CONFLICT, "the key '%s' is that of %s%s", shown.s, names.s, found > 2 ? " and more" : "");
		else
			err_set(err, STATUS_NO, "question not found: %s", shown.s);
		if (hitl_is_missing(hitl))
			err_hint(err, "there is no directory '%s'", hitl->path.s);
	}
	hitl_list_release(&list);
	buf_release(&shown);
	buf_release(&names);
	return found == 1;
}

/* ---- answers */

/* Reads an answer; HITL_PENDING: there is none. */
static enum hitl_state
read_answer(const struct hitl *hitl, const char *stem, struct buf *to, struct err *err)
{
	struct buf name = BUF_INIT, body = BUF_INIT;
	enum hitl_state state = HITL_ANSWERED;
	struct stat st;
	int64_t age;
	int fd = open_plain(hitl, hitl_file_name(&name, stem, ANSWER_END), &st);

	if (fd < 0 && errno == ENOENT)
		state = HITL_PENDING;
	else if (fd < 0) {
		state = HITL_BAD;
		if (errno == ELOOP || errno == EINVAL || errno == EMLINK)
			err_set(err, STATUS_INPUT, "unable to use '%s/%s': not a regular file", hitl->path.s, name.s);
		else if (errno == EFBIG)
			err_set(err, STATUS_INPUT, "unable to use '%s/%s': it has more than %u bytes", hitl->path.s, name.s, HITL_FILE_MAX);
		else
			err_errno(err, STATUS_IO, "unable to read '%s/%s'", hitl->path.s, name.s);
	} else {
		age = clock_wall_ms() - mtime_ns(&st) / 1000000;
		if ((st.st_mode & 0222) && age >= 0 && age < HITL_SETTLE_MS)
			state = HITL_SETTLING;
		else if (!buf_read_fd(&body, fd, HITL_FILE_MAX, name.s, err))
			state = HITL_BAD;
		else {
			utf8_repair(to, body.s, body.len);
			blank_trim_buf(to, BLANK_JS);
		}
		close(fd);
	}
	buf_release(&name);
	buf_release(&body);
	return state;
}

enum hitl_state
hitl_look(const struct hitl *hitl, const struct hitl_question *question, struct buf *answer, struct err *err)
{
	struct buf name = BUF_INIT, text = BUF_INIT;
	struct stat st;
	enum hitl_state state = read_answer(hitl, question->stem.s, &text, err);

	if (state == HITL_PENDING &&
	    (fstatat(hitl->fd, hitl_file_name(&name, question->stem.s, QUESTION_END), &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		(uint64_t)st.st_ino != question->inode))
		state = HITL_CANCELLED;
	if (state == HITL_ANSWERED)
		buf_add(answer, text.s, text.len);
	buf_release(&name);
	buf_release(&text);
	return state;
}

void
hitl_done(const struct hitl *hitl, const struct hitl_question *question)
{
	struct buf name = BUF_INIT;
	struct stat st;

	/* the question first: while it is there, people may answer it */
	if (fstatat(hitl->fd, hitl_file_name(&name, question->stem.s, QUESTION_END), &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if ((uint64_t)st.st_ino != question->inode) {
			buf_release(&name);
			return; /* another asks it now: its answer is not ours */
		}
		unlinkat(hitl->fd, name.s, 0);
	}
	unlinkat(hitl->fd, hitl_file_name(&name, question->stem.s, ANSWER_END), 0);
	buf_release(&name);
}

bool
hitl_reply(const struct hitl *hitl, struct hitl_question *question, const char *answer, size_t answer_n, struct err *err)
{
	struct buf name = BUF_INIT, there = BUF_INIT, shown = BUF_INIT;
	enum put put = PUT_TAKEN;
	struct stat st;
	bool ok = true;
	int fd;

	if (answer_n > HITL_FILE_MAX)
		return err_set(err, STATUS_INPUT, "unable to answer: the answer has more than %u bytes", HITL_FILE_MAX);
	hitl_safe(&shown, question->key.s, question->key.len);
	if (fstatat(hitl->fd, hitl_file_name(&name, question->stem.s, QUESTION_END), &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (uint64_t)st.st_ino != question->inode)
		ok = err_set(err, STATUS_NO, "question not found: %s", shown.s);
	if (ok)
		put = hitl_put(hitl, hitl_file_name(&name, question->stem.s, ANSWER_END), answer, answer_n, ANSWER_MODE, false);
	if (ok && put == PUT_FAILED)
		ok = err_errno(err, STATUS_IO, "unable to write '%s/%s'", hitl->path.s, name.s);
	else if (ok && put == PUT_TAKEN) {
		fd = open_plain(hitl, name.s, &st);
		if (fd < 0 || !buf_read_fd(&there, fd, HITL_FILE_MAX, name.s, NULL) || !hitl_equal(&there, answer, answer_n))
			ok = err_set(err, STATUS_CONFLICT, "question is answered already: %s", shown.s);
		if (fd >= 0)
			close(fd);
	}
	question->answered = true;
	buf_release(&name);
	buf_release(&there);
	buf_release(&shown);
	return ok;
}

bool
hitl_answer(const struct hitl *hitl, const char *key, size_t n, const char *answer, size_t answer_n, struct hitl_question *question,
    struct err *err)
{
	return hitl_find(hitl, key, n, question, err) && hitl_reply(hitl, question, answer, answer_n, err);
}

bool
hitl_answer_ahead(const struct hitl *hitl, const char *key, size_t n, const char *answer, size_t answer_n, struct hitl_question *question,
    struct err *err)
{
	struct buf name = BUF_INIT;
	bool ok = true;

	if (hitl_find(hitl, key, n, question, err))
		return hitl_reply(hitl, question, answer, answer_n, err);
	if (err->status != STATUS_NO)
		return false;
	blank_trim(&key, &n, BLANK_JS);
	hitl_stem(&question->stem, key, n, HITL_BROKER);
	if (!n)
		ok = err_set(err, STATUS_INPUT, "unable to answer: the key is empty");
	else if (question->stem.len > HITL_STEM_MAX)
		ok = err_set(err, STATUS_INPUT, "unable to answer: the key has more than %d characters", HITL_STEM_MAX);
	else if (answer_n > HITL_FILE_MAX)
		ok = err_set(err, STATUS_INPUT, "unable to answer: the answer has more than %u bytes", HITL_FILE_MAX);
	else if (hitl_put(hitl, hitl_file_name(&name, question->stem.s, ANSWER_END), answer, answer_n, ANSWER_MODE, true) == PUT_FAILED)
		ok = err_errno(err, STATUS_IO, "unable to write '%s/%s'", hitl->path.s, name.s);
	buf_release(&name);
	return ok;
}

bool
hitl_cancel(const struct hitl *hitl, const char *key, size_t n, struct hitl_question *question, bool *ret_removed, struct err *err)
{
	struct buf name = BUF_INIT;
	bool ok = true;

	*ret_removed = false;
	if (!hitl_find(hitl, key, n, question, err))
		return err->status == STATUS_NO;
	if (unlinkat(hitl->fd, hitl_file_name(&name, question->stem.s, QUESTION_END), 0) == 0)
		*ret_removed = true;
	else if (errno != ENOENT)
		ok = err_errno(err, STATUS_IO, "unable to remove '%s/%s'", hitl->path.s, name.s);
	if (ok)
		unlinkat(hitl->fd, hitl_file_name(&name, question->stem.s, ANSWER_END), 0);
	buf_release(&name);
	return ok;
}
