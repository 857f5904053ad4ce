/* child.c - a process on three pipes */
#include "compat.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "clock.h"
#include "err.h"
#include "guard.h"
#include "runtime/child.h"
#include "spawn.h"
#include "xalloc.h"

#define READ_MAX 65536		    /* bytes in one read */
#define BATCH_MAX 262144	    /* bytes before others on the loop get a turn */
#define LAST_MAX (4u * 1024 * 1024) /* bytes read after its end; more is what it left behind that writes */
#define CLOSED_MS 500		    /* between the end of one of its pipes and its own, when the one follows from the other */
#define LOOK_MS 100		    /* where the system cannot tell of its end: how often it is asked for */

/* What waits to be written. */
struct out {
	struct out *next;
	char *s;
	size_t n, written;
	bool wipe;
};

struct child {
	struct event_base *base;
	struct child_calls calls;
	void *payload;
	size_t line_max, unsent_max, unsent;
	struct out *first, **last;
	struct buf held;
	size_t scanned;
	int in_fd, out_fd, err_fd, pid_fd;
	pid_t pid;
	struct kin kin;
	struct event *in, *out, *errs, *end, *timer;
	int64_t term_at, kill_at, closed_at; /* monotonic; DEADLINE_NONE */
	bool hold, deaf;		     /* deaf: nothing more is read */
	bool dead, closed_in;		     /* closed_in: it is the input that it closed */
};

static void on_end(evutil_socket_t fd, short what, void *payload);
static void set_timer(struct child *child);

pid_t
child_pid(const struct child *child)
{
	return child->pid;
}

static void
close_fd(int *fd, struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- into it */

static void
drop_first(struct child *child)
{
	struct out *out = child->first;

	child->unsent -= out->n - out->written;
	child->first = out->next;
	if (!child->first)
		child->last = &child->first;
	if (out->wipe)
		explicit_bzero(out->s, out->n);
	free(out->s);
	free(out);
}

static void
close_in(struct child *child)
{
	while (child->first)
		drop_first(child);
	close_fd(&child->in_fd, &child->in);
}

static void
on_in(evutil_socket_t fd, short what, void *payload)
{
	struct child *child = payload;
	ssize_t n;

	(void)what;
	while (child->first) {
		struct out *out = child->first;

		n = write((int)fd, out->s + out->written, out->n - out->written);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			event_add(child->in, NULL);
			return;
		}
		if (n < 0) {
			close_in(child);
			child->closed_in = true;
			child->closed_at = deadline_in(CLOSED_MS);
			set_timer(child);
			return;
		}
		out->written += (size_t)n;
		child->unsent -= (size_t)n;
		if (out->written == out->n)
			drop_first(child);
	}
}

bool
child_write(struct child *child, const void *bytes, size_t n, bool wipe)
{
	struct out *out;

	if (n > child->unsent_max - child->unsent)
		return false;
	if (child->in_fd < 0)
		return true; /* it is gone, or going: nobody misses it */
	out = xcalloc(1, sizeof *out);
	out->s = xmalloc(n);
	memcpy(out->s, bytes, n);
	out->n = n;
	out->wipe = wipe;
	*child->last = out;
	child->last = &out->next;
	child->unsent += n;
	on_in(child->in_fd, EV_WRITE, child);
	return true;
}

/* ---- out of it */

/* Gives the whole lines that are held, until somebody holds us. */
static void
give_lines(struct child *child)
{
	size_t start = 0;
	char *stop;

	while (!child->deaf && !child->hold && (stop = memchr(child->held.s + child->scanned, '\n', child->held.len - child->scanned))) {
		char *s = child->held.s + start;
		size_t n = (size_t)(stop - s);

		start = child->scanned = (size_t)(stop + 1 - child->held.s);
		if (n && s[n - 1] == '\r')
			n--;
		s[n] = '\0';
		if (n > child->line_max) {
			child->deaf = true;
			child->calls.too_long(child->payload);
		} else if (n)
			child->calls.line(s, n, child->payload);
	}
	buf_consume(&child->held, start);
	child->scanned = child->hold ? 0 : child->held.len;
	if (!child->deaf && !child->hold && child->held.len > child->line_max) {
		child->deaf = true;
		child->calls.too_long(child->payload);
	}
	if (child->deaf)
		buf_release(&child->held);
}

/* Reads and gives once. 1: there may be more, 0: not now, -1: its output has ended. */
static int
read_some(struct child *child, size_t *taken)
{
	ssize_t n;

	buf_reserve(&child->held, READ_MAX);
	n = read(child->out_fd, child->held.s + child->held.len, READ_MAX);
	if (n < 0 && errno == EINTR)
		return 1;
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return -1;
	*taken += (size_t)n;
	child->held.len += (size_t)n;
	child->held.s[child->held.len] = '\0';
	if (child->deaf)
		buf_reset(&child->held);
	give_lines(child);
	return 1;
}

static void
on_out(evutil_socket_t fd, short what, void *payload)
{
	struct child *child = payload;
	size_t taken = 0;
	int more = 1;

	(void)fd;
	(void)what;
	give_lines(child); /* what was left when we were held */
	while (more > 0 && taken < BATCH_MAX && !child->hold)
		more = read_some(child, &taken);
	if (more < 0) {
		close_fd(&child->out_fd, &child->out);
		child->closed_at = deadline_in(CLOSED_MS);
		set_timer(child);
	}
	child->calls.turn(child->payload);
}

static void
on_errors(evutil_socket_t fd, short what, void *payload)
{
	struct child *child = payload;
	char bytes[4096];
	ssize_t n = read((int)fd, bytes, sizeof bytes);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		close_fd(&child->err_fd, &child->errs);
	else
		child->calls.errors(bytes, (size_t)n, child->payload);
}

void
child_hold(struct child *child, bool held)
{
	if (child->hold == held)
		return;
	child->hold = held;
	if (child->out && held)
		event_del(child->out);
	else if (child->out)
		event_add(child->out, NULL);
	if (held)
		return;
	if (child->dead)
		event_active(child->end, EV_TIMEOUT, 1);
	else if (child->out)
		event_active(child->out, EV_TIMEOUT, 1);
}

/* ---- its end */

static void
set_timer(struct child *child)
{
	int64_t at = child->term_at < child->kill_at ? child->term_at : child->kill_at, left;
	struct timeval after;

	if (child->closed_at < at)
		at = child->closed_at;
	if (child->pid_fd < 0 && at > deadline_in(LOOK_MS))
		at = deadline_in(LOOK_MS);
	if (at == DEADLINE_NONE) {
		event_del(child->timer);
		return;
	}
	left = deadline_left(at);
	after = (struct timeval){ (time_t)(left / 1000), (suseconds_t)(left % 1000 * 1000) };
	event_add(child->timer, &after);
}

static void
on_timer(evutil_socket_t fd, short what, void *payload)
{
	struct child *child = payload;

	if (!deadline_left(child->term_at)) {
		child->term_at = DEADLINE_NONE;
		kin_signal(&child->kin, SIGTERM);
	}
	if (!deadline_left(child->kill_at)) {
		child->kill_at = DEADLINE_NONE;
		kin_signal_group(&child->kin, SIGKILL);
	}
	if (!deadline_left(child->closed_at)) {
		child->closed_at = DEADLINE_NONE;
		child->calls.closed(child->closed_in, child->payload);
	}
	set_timer(child);
	if (child->pid_fd < 0)
		on_end(fd, what, child);
}

/* Has it ended? Then the rest of what it said is taken, unless the reader is held: then that is waited for. */
static void
on_end(evutil_socket_t fd, short what, void *payload)
{
	struct child *child = payload;
	siginfo_t info = { 0 };
	size_t taken = 0;
	int status = 0, more = 1;

	(void)fd;
	(void)what;
	if (!child->dead) {
		if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != child->pid)
			return;
		child->dead = true;
		event_del(child->end);
		event_del(child->timer);
		kin_signal(&child->kin, SIGKILL); /* whoever it left behind; it is not reaped yet, so the number is still its own */
		close_in(child);
	}
	give_lines(child);
	while (child->out_fd >= 0 && !child->hold && more > 0 && taken < LAST_MAX)
		more = read_some(child, &taken);
	if (child->hold)
		return;
	while (child->err_fd >= 0 && taken++ < LAST_MAX) {
		char bytes[4096];
		ssize_t n = read(child->err_fd, bytes, sizeof bytes);

		if (n <= 0)
			break;
		child->calls.errors(bytes, (size_t)n, child->payload);
	}
	close_fd(&child->out_fd, &child->out);
	close_fd(&child->err_fd, &child->errs);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	guard_drop(child->pid);
	child->pid = 0;
	child->calls.ended(status, child->payload);
}

void
child_end(struct child *child, bool gently, int64_t grace_ms)
{
	int64_t term_at = deadline_in(gently ? grace_ms / 2 : 0), kill_at = deadline_in(grace_ms);

	if (child->dead)
		return;
	close_in(child);
	/* only ever sooner than before; a SIGTERM that was sent is not sent again */
	if (child->kill_at == DEADLINE_NONE || term_at < child->term_at)
		child->term_at = term_at;
	if (kill_at < child->kill_at)
		child->kill_at = kill_at;
	set_timer(child);
}

void
child_kill(struct child *child)
{
	if (!child->dead)
		kin_signal_group(&child->kin, SIGKILL); /* on_end() sees to the others */
}

/* ---- its beginning */

static struct event *
watch(struct child *child, int fd, short what, event_callback_fn cb)
{
	struct event *event = event_new(child->base, fd, what, cb, child);

	if (fd >= 0)
		evutil_make_socket_nonblocking(fd);
	return event;
}

static int
open_pid(pid_t pid)
{
#ifdef SYS_pidfd_open
	return (int)syscall(SYS_pidfd_open, pid, 0);
#else
	(void)pid;
	return -1;
#endif
}

struct child *
child_start(struct event_base *base, const struct child_setup *setup, const struct child_calls *calls, void *payload, struct err *err)
{
	struct spawn spawn = { .argv = setup->argv,
		.env = setup->env,
		.dir = setup->dir,
		.in = SPAWN_PIPE,
		.out = SPAWN_PIPE,
		.errs = SPAWN_PIPE,
		.own_group = true };
	struct child *child;

	if (!spawn_start(&spawn, err))
		return NULL;
	child = xcalloc(1, sizeof *child);
	child->base = base;
	child->calls = *calls;
	child->payload = payload;
	child->line_max = setup->line_max;
	child->unsent_max = setup->unsent_max;
	child->last = &child->first;
	buf_init(&child->held);
	child->in_fd = spawn.in_fd;
	child->out_fd = spawn.out_fd;
	child->err_fd = spawn.err_fd;
	child->pid = spawn.pid;
	child->kin = spawn.kin;
	guard_add(child->pid);
	child->term_at = child->kill_at = child->closed_at = DEADLINE_NONE;
	child->pid_fd = open_pid(child->pid);
	child->in = watch(child, child->in_fd, EV_WRITE, on_in);
	child->out = watch(child, child->out_fd, EV_READ | EV_PERSIST, on_out);
	child->errs = watch(child, child->err_fd, EV_READ | EV_PERSIST, on_errors);
	child->end = event_new(base, child->pid_fd, EV_READ | EV_PERSIST, on_end, child);
	child->timer = event_new(base, -1, 0, on_timer, child);
	event_add(child->out, NULL);
	event_add(child->errs, NULL);
	if (child->pid_fd >= 0)
		event_add(child->end, NULL);
	set_timer(child);
	return child;
}

void
child_free(struct child *child)
{
	if (!child)
		return;
	if (child->pid > 0) {
		kin_signal(&child->kin, SIGKILL);
		while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
			;
		guard_drop(child->pid);
	}
	close_in(child);
	close_fd(&child->out_fd, &child->out);
	close_fd(&child->err_fd, &child->errs);
	close_fd(&child->pid_fd, &child->end);
	if (child->timer)
		event_free(child->timer);
	buf_release(&child->held);
	free(child);
}
