/* hitl_ask.c - a question is put into the directory, whole or not at all */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blank.h"
#include "clock.h"
#include "err.h"
#include "hitl_internal.h"
#include "jtext.h"
#include "status.h"

/* ---- files */

/* Writes a file of a name nobody looks at, to be linked or renamed. The name is appended to *temp. */
static bool
write_temp(const struct hitl *hitl, const char *bytes, size_t n, mode_t mode, struct buf *temp)
{
	static unsigned counter;
	int fd, why;
	bool ok;

	do {
		buf_reset(temp);
		buf_addf(temp, ".hitl-%ld-%u-%llx.tmp", (long)getpid(), counter++, (unsigned long long)clock_wall_ms());
		fd = openat(hitl->fd, temp->s, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	} while (fd < 0 && errno == EEXIST);
	if (fd < 0)
		return false;
	ok = bytes_write_fd(bytes, n, fd) == n && fchmod(fd, mode) == 0 && fsync(fd) == 0;
	why = errno;
	if (close(fd) < 0 && ok) {
		ok = false;
		why = errno;
	}
	if (!ok)
		unlinkat(hitl->fd, temp->s, 0);
	errno = why;
	return ok;
}

/* replace: takes the place of what is there; else PUT_TAKEN when something is. */
enum put
hitl_put(const struct hitl *hitl, const char *name, const char *bytes, size_t n, mode_t mode, bool replace)
{
	struct buf temp = BUF_INIT;
	enum put put = PUT_FAILED;
	int why;

	if (write_temp(hitl, bytes, n, mode, &temp)) {
		if (replace)
			put = renameat(hitl->fd, temp.s, hitl->fd, name) == 0 ? PUT_DONE : PUT_FAILED;
		else
			put = linkat(hitl->fd, temp.s, hitl->fd, name, 0) == 0 ? PUT_DONE : errno == EEXIST ? PUT_TAKEN : PUT_FAILED;
		why = errno;
		if (!replace || put == PUT_FAILED)
			unlinkat(hitl->fd, temp.s, 0);
		if (put == PUT_DONE)
			(void)fsync(hitl->fd); /* where directories can be synced */
		errno = why;
	}
	buf_release(&temp);
	return put;
}

/* ---- asking */

static bool
lives(int64_t pid)
{
	return pid > 0 && pid <= INT_MAX && pid != (int64_t)getpid() && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

/* May a question of this key take the place of the one that is there? */
static bool
may_replace(const struct hitl_asking *asking, const struct hitl_question *there, struct err *err)
{
	const char *key = asking->key;
	size_t n = asking->key_n;
	struct buf ours = BUF_INIT, theirs = BUF_INIT;
	bool same, ok = true;

	blank_trim(&key, &n, BLANK_JS);
	same = hitl_equal(&there->key, key, n);
	hitl_safe(&ours, key, n);
	hitl_safe(&theirs, there->key.s, there->key.len);
	if (!same)
		ok = err_set(err, STATUS_CONFLICT, "unable to ask '%s': '%s' is being asked, and both are '%s.question'", ours.s, theirs.s,
		    there->stem.s);
	else if (!asking->replace && !there->answered && lives(there->pid))
		ok = err_set(err, STATUS_CONFLICT, "unable to ask '%s': process %lld is asking it", ours.s, (long long)there->pid);
	buf_release(&ours);
	buf_release(&theirs);
	return ok;
}

static void
question_body(struct buf *to, const struct hitl_asking *asking)
{
	buf_addch(to, '{');
	jtext_add_string(to, "key", asking->key, asking->key_n);
	jtext_add_string(to, "question", asking->question, asking->question_n);
	jtext_add_i64(to, "timestamp", asking->timestamp);
	if (asking->pid >= 0)
		jtext_add_i64(to, "pid", asking->pid);
	jtext_add_given(to, "host", asking->host);
	buf_addch(to, '}');
}

/* Puts the question where nothing is, or in the place of one that may be replaced. */
static bool
place(const struct hitl *hitl, const struct hitl_asking *asking, const char *stem, const struct buf *body, struct err *err)
{
	struct buf name = BUF_INIT, answer = BUF_INIT;
	struct hitl_question there;
	enum put put = PUT_TAKEN;
	bool ok = true, replace = false;

	hitl_question_init(&there);
	hitl_file_name(&name, stem, QUESTION_END);
	hitl_file_name(&answer, stem, ANSWER_END);
	while (ok && put == PUT_TAKEN) {
		if (hitl_read_question(hitl, stem, &there)) {
			ok = may_replace(asking, &there, err);
			replace = true;
		} else
			replace = false;
		/* an answer of an earlier round answers nothing now */
		if (ok && unlinkat(hitl->fd, answer.s, 0) < 0 && errno != ENOENT)
			ok = err_errno(err, STATUS_IO, "unable to remove '%s/%s'", hitl->path.s, answer.s);
		if (!ok)
			break;
		put = hitl_put(hitl, name.s, body->s, body->len, 0600, replace);
		if (put == PUT_FAILED)
			ok = err_errno(err, STATUS_IO, "unable to write '%s/%s'", hitl->path.s, name.s);
		else if (put == PUT_TAKEN && !hitl_read_question(hitl, stem, &there)) {
			/* what is there is no question: empty, a link, a pipe, a directory */
			if (unlinkat(hitl->fd, name.s, 0) < 0 && errno != ENOENT)
				ok = err_errno(err, STATUS_IO, "unable to replace '%s/%s'", hitl->path.s, name.s);
		}
	}
	hitl_question_release(&there);
	buf_release(&name);
	buf_release(&answer);
	return ok;
}

/* The same key may be asked in a file that the other rule named: then nobody could say whose an answer is. */
static bool
no_twin(const struct hitl *hitl, const char *key, size_t n, const char *stem, struct err *err)
{
	struct hitl_list list;
	struct buf shown = BUF_INIT, name = BUF_INIT;
	size_t i;
	bool ok = true;

	if (!hitl_list(hitl, &list, err))
		return false;
	for (i = 0; ok && i < list.n; i++) {
		const struct hitl_question *there = &list.questions[i];

		if (!there->named || !hitl_equal(&there->key, key, n) || !strcmp(there->stem.s, stem))
			continue;
		if (there->gone) {
			unlinkat(hitl->fd, hitl_file_name(&name, there->stem.s, QUESTION_END), 0);
			unlinkat(hitl->fd, hitl_file_name(&name, there->stem.s, ANSWER_END), 0);
			continue;
		}
		hitl_safe(&shown, key, n);
		ok = err_set(err, STATUS_CONFLICT, "unable to ask '%s': it is being asked in '%s.question'", shown.s, there->stem.s);
	}
	hitl_list_release(&list);
	buf_release(&shown);
	buf_release(&name);
	return ok;
}

bool
hitl_ask(const struct hitl *hitl, const struct hitl_asking *asking, struct hitl_question *question, struct err *err)
{
	struct buf stem = BUF_INIT, body = BUF_INIT;
	const char *key = asking->key;
	size_t n = asking->key_n;
	bool ok = true;

	blank_trim(&key, &n, BLANK_JS);
	hitl_stem(&stem, key, n, HITL_BROKER);
	question_body(&body, asking);
	if (!n)
		ok = err_set(err, STATUS_INPUT, "unable to ask: the key is empty");
	else if (stem.len > HITL_STEM_MAX)
		ok = err_set(err, STATUS_INPUT, "unable to ask: the key has more than %d characters", HITL_STEM_MAX);
	else if (body.len > HITL_FILE_MAX)
		ok = err_set(err, STATUS_INPUT, "unable to ask: the question has more than %u bytes", HITL_FILE_MAX);
	ok = ok && no_twin(hitl, key, n, stem.s, err) && place(hitl, asking, stem.s, &body, err);
	if (ok && !hitl_read_question(hitl, stem.s, question))
		ok = err_errno(err, STATUS_IO, "unable to read '%s/%s.question'", hitl->path.s, stem.s);
	buf_release(&stem);
	buf_release(&body);
	return ok;
}
