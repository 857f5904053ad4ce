/* access.c - the access log, and the thread that writes it */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "access.h"
#include "buf.h"
#include "clock.h"
#include "err.h"
#include "jtext.h"
#include "secrets.h"
#include "status.h"
#include "worker.h"
#include "xalloc.h"

struct access {
	char *file; /* NULL: standard output */
	const struct secrets *secrets;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t work, ended;
	struct buf waiting; /* whole lines */
	uint64_t skipped;   /* not yet said in a line */
	uint64_t all_skipped, written;
	struct err problem; /* status OK: none */
	bool told;	    /* the problem that goes on was handed out */
	bool reopen, quit, done;
	/* the thread's own */
	int fd;
	bool torn; /* the last line lacks its end */
};

static int
open_file(const char *file, struct err *err)
{
	/* not blocking: a pipe that nobody reads must not hold up the beginning */
	int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);

	if (fd < 0)
		err_errno(err, STATUS_CONFIG, "unable to open the access log '%s'", file);
	return fd;
}

/* ---- the thread */

static uint64_t
count_lines(const char *s, size_t n)
{
	uint64_t lines = 0;
	const char *end = s + n;

	for (; (s = memchr(s, '\n', (size_t)(end - s))); s++)
		lines++;
	return lines;
}

/* False with errno: what is left was not written; *ret_left says how much. */
static bool
write_all(struct access *access, const struct buf *lines, size_t *ret_left)
{
	struct pollfd wait = { .fd = access->fd, .events = POLLOUT };
	size_t at = 0;
	ssize_t n;

	*ret_left = lines->len;
	if (access->torn && (n = write(access->fd, "\n", 1)) == 1)
		access->torn = false;
	while (at < lines->len) {
		n = write(access->fd, lines->s + at, lines->len - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			(void)poll(&wait, 1, -1);
			continue;
		}
		if (n <= 0)
			return false;
		at += (size_t)n;
		*ret_left = lines->len - at;
		access->torn = lines->s[at - 1] != '\n';
	}
	return true;
}

static void
note_problem(struct access *access, const struct err *err)
{
	if (!access->told && !access->problem.status)
		access->problem = *err;
}

/* With the lock. */
static void
reopen(struct access *access)
{
	struct err err = ERR_INIT;
	int fd;

	access->reopen = false;
	if (!access->file)
		return;
	pthread_mutex_unlock(&access->lock);
	fd = open_file(access->file, &err);
	pthread_mutex_lock(&access->lock);
	if (fd < 0) {
		access->problem = err;
		return;
	}
	close(access->fd);
	access->fd = fd;
	access->torn = access->told = false;
}

static void *
work(void *payload)
{
	struct access *access = payload;
	struct buf lines = BUF_INIT, swap;
	struct err err = ERR_INIT;
	size_t left;
	bool good;

	pthread_mutex_lock(&access->lock);
	for (;;) {
		while (!access->waiting.len && !access->reopen && !access->quit)
			pthread_cond_wait(&access->work, &access->lock);
		swap = access->waiting;
		access->waiting = lines;
		lines = swap;
		if (lines.len) {
			pthread_mutex_unlock(&access->lock);
			good = write_all(access, &lines, &left);
			if (!good)
				err_errno(&err, STATUS_IO, "unable to write to the access log '%s'", access->file ? access->file : "-");
			pthread_mutex_lock(&access->lock);
			access->written += count_lines(lines.s, lines.len - left);
			if (!good) {
				uint64_t lost = count_lines(lines.s + lines.len - left, left);

				access->skipped += lost;
				access->all_skipped += lost;
				note_problem(access, &err);
			} else
				access->told = false;
			buf_reset(&lines);
		}
		if (access->reopen)
			reopen(access); /* what was said before is in the old one */
		else if (access->quit && !access->waiting.len)
			break;
	}
	access->done = true;
	pthread_cond_signal(&access->ended);
	pthread_mutex_unlock(&access->lock);
	buf_release(&lines);
	return NULL;
}

/* ---- the loop */

struct access *
access_open(const char *file, const struct secrets *secrets, struct err *err)
{
	struct access *access = xcalloc(1, sizeof *access);

	access->fd = STDOUT_FILENO;
	if (strcmp(file, "-") != 0) {
		access->file = xstrdup(file);
		access->fd = open_file(file, err);
	}
	if (access->fd < 0) {
		free(access->file);
		free(access);
		return NULL;
	}
	access->secrets = secrets;
	buf_init(&access->waiting);
	pthread_mutex_init(&access->lock, NULL);
	pthread_cond_init(&access->work, NULL);
	pthread_cond_init(&access->ended, NULL);
	if (worker_start(&access->thread, work, access) != 0)
		abort();
	return access;
}

static void
add_text(const struct access *access, struct buf *to, const char *key, const char *text)
{
	struct buf clean = BUF_INIT;
	size_t n = text ? strlen(text) : 0;

	if (!text) {
		jtext_add_null(to, key);
		return;
	}
	(void)secrets_text(access->secrets, text, n > ACCESS_TEXT_MAX ? ACCESS_TEXT_MAX : n, &clean);
	if (n > ACCESS_TEXT_MAX)
		buf_addstr(&clean, "...");
	jtext_add_buf(to, key, &clean);
	buf_release(&clean);
}

static void
add_plain(struct buf *to, const char *key, const char *text)
{
	if (text && *text)
		jtext_add_text(to, key, text);
	else
		jtext_add_null(to, key);
}

void
access_add(struct access *access, const struct access_entry *entry)
{
	struct buf line = BUF_INIT;
	char ms[32];
	bool fits;

	buf_addch(&line, '{');
	jtext_add_time(&line, "at", clock_wall_ms());
	add_plain(&line, "id", entry->id);
	add_plain(&line, "peer", entry->peer);
	add_plain(&line, "user", entry->user);
	add_plain(&line, "token", entry->token);
	add_text(access, &line, "method", entry->method);
	add_text(access, &line, "path", entry->path);
	add_plain(&line, "route", entry->route);
	jtext_add_i64(&line, "status", entry->status);
	jtext_add_i64(&line, "bytes", (int64_t)entry->bytes);
	snprintf(ms, sizeof ms, "%lld.%03lld", (long long)(entry->us / 1000), (long long)(entry->us % 1000));
	jtext_add_raw(&line, "ms", ms, strlen(ms));
	if (entry->stream)
		jtext_add_bool(&line, "stream", true);
	if (entry->agent)
		add_text(access, &line, "agent", entry->agent);
	jtext_add_given(&line, "traceparent", entry->traceparent);
	pthread_mutex_lock(&access->lock);
	fits = access->waiting.len + line.len + 64 <= ACCESS_WAITING_MAX && !access->quit;
	if (fits) {
		if (access->skipped)
			jtext_add_i64(&line, "skipped", (int64_t)access->skipped);
		access->skipped = 0;
		buf_addstr(&line, "}\n");
		buf_add(&access->waiting, line.s, line.len);
		pthread_cond_signal(&access->work);
	} else {
		access->skipped++;
		access->all_skipped++;
	}
	pthread_mutex_unlock(&access->lock);
	buf_release(&line);
}

void
access_reopen(struct access *access)
{
	pthread_mutex_lock(&access->lock);
	access->reopen = true;
	pthread_cond_signal(&access->work);
	pthread_mutex_unlock(&access->lock);
}

bool
access_problem(struct access *access, struct err *err)
{
	bool there;

	pthread_mutex_lock(&access->lock);
	there = access->problem.status != STATUS_OK;
	if (there) {
		*err = access->problem;
		access->problem = (struct err)ERR_INIT;
		access->told = true;
	}
	pthread_mutex_unlock(&access->lock);
	return there;
}

uint64_t
access_written(struct access *access)
{
	uint64_t n;

	pthread_mutex_lock(&access->lock);
	n = access->written;
	pthread_mutex_unlock(&access->lock);
	return n;
}

uint64_t
access_skipped(struct access *access)
{
	uint64_t n;

	pthread_mutex_lock(&access->lock);
	n = access->all_skipped;
	pthread_mutex_unlock(&access->lock);
	return n;
}

void
access_close(struct access *access)
{
	struct timespec until;
	bool done;

	if (!access)
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += ACCESS_LAST_MS / 1000;
	pthread_mutex_lock(&access->lock);
	access->quit = true;
	pthread_cond_signal(&access->work);
	while (!access->done && pthread_cond_timedwait(&access->ended, &access->lock, &until) != ETIMEDOUT)
		;
	done = access->done;
	pthread_mutex_unlock(&access->lock);
	if (!done) {
		pthread_detach(access->thread); /* stuck in a write: it goes with the process */
		return;
	}
	pthread_join(access->thread, NULL);
	pthread_mutex_destroy(&access->lock);
	pthread_cond_destroy(&access->work);
	pthread_cond_destroy(&access->ended);
	buf_release(&access->waiting);
	if (access->file)
		close(access->fd);
	free(access->file);
	free(access);
}
