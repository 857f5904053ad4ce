/* child.c - a child that is a process on three pipes */
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

struct process {
	struct child child; /* the first member */
	struct kin kin;
	struct event_base *base;
	struct child_calls calls;
	void *payload;
	size_t line_max, unsent_max, unsent;
	struct out *first, **last;
	struct buf held;
	size_t scanned;
	int in_fd, out_fd, err_fd, pid_fd;
	struct event *in, *out, *errs, *end, *timer;
	int64_t term_at, kill_at, closed_at; /* monotonic; DEADLINE_NONE */
	bool hold, deaf;		     /* deaf: nothing more is read */
	bool dead, closed_in;		     /* closed_in: it is the input that it closed */
};

static void on_end(evutil_socket_t fd, short what, void *payload);
static void set_timer(struct process *process);

static struct process *
of(struct child *child)
{
	return (struct process *)child;
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
drop_first(struct process *process)
{
	struct out *out = process->first;

	process->unsent -= out->n - out->written;
	process->first = out->next;
	if (!process->first)
		process->last = &process->first;
	if (out->wipe)
		explicit_bzero(out->s, out->n);
	free(out->s);
	free(out);
}

static void
close_in(struct process *process)
{
	while (process->first)
		drop_first(process);
	close_fd(&process->in_fd, &process->in);
}

static void
on_in(evutil_socket_t fd, short what, void *payload)
{
	struct process *process = payload;
	ssize_t n;

	(void)what;
	while (process->first) {
		struct out *out = process->first;

		n = write((int)fd, out->s + out->written, out->n - out->written);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			event_add(process->in, NULL);
			return;
		}
		if (n < 0) {
			close_in(process);
			process->closed_in = true;
			process->closed_at = deadline_in(CLOSED_MS);
			set_timer(process);
			return;
		}
		out->written += (size_t)n;
		process->unsent -= (size_t)n;
		if (out->written == out->n)
			drop_first(process);
	}
}

static bool
process_write(struct child *child, const void *bytes, size_t n, bool wipe)
{
	struct process *process = of(child);
	struct out *out;

	if (n > process->unsent_max - process->unsent)
		return false;
	if (process->in_fd < 0)
		return true; /* it is gone, or going: nobody misses it */
	out = xcalloc(1, sizeof *out);
	out->s = xmalloc(n);
	memcpy(out->s, bytes, n);
	out->n = n;
	out->wipe = wipe;
	*process->last = out;
	process->last = &out->next;
	process->unsent += n;
	on_in(process->in_fd, EV_WRITE, process);
	return true;
}

/* ---- out of it */

/* Gives the whole lines that are held, until somebody holds us. */
static void
give_lines(struct process *process)
{
	size_t start = 0;
	char *stop;

	while (!process->deaf && !process->hold &&
	    (stop = memchr(process->held.s + process->scanned, '\n', process->held.len - process->scanned))) {
		char *s = process->held.s + start;
		size_t n = (size_t)(stop - s);

		start = process->scanned = (size_t)(stop + 1 - process->held.s);
		if (n && s[n - 1] == '\r')
			n--;
		s[n] = '\0';
		if (n > process->line_max) {
			process->deaf = true;
			process->calls.too_long(process->payload);
		} else if (n)
			process->calls.line(s, n, process->payload);
	}
	buf_consume(&process->held, start);
	process->scanned = process->hold ? 0 : process->held.len;
	if (!process->deaf && !process->hold && process->held.len > process->line_max) {
		process->deaf = true;
		process->calls.too_long(process->payload);
	}
	if (process->deaf)
		buf_release(&process->held);
}

/* Reads and gives once. 1: there may be more, 0: not now, -1: its output has ended. */
static int
read_some(struct process *process, size_t *taken)
{
	ssize_t n;

	buf_reserve(&process->held, READ_MAX);
	n = read(process->out_fd, process->held.s + process->held.len, READ_MAX);
	if (n < 0 && errno == EINTR)
		return 1;
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return -1;
	*taken += (size_t)n;
	process->held.len += (size_t)n;
	process->held.s[process->held.len] = '\0';
	if (process->deaf)
		buf_reset(&process->held);
	give_lines(process);
	return 1;
}

static void
on_out(evutil_socket_t fd, short what, void *payload)
{
	struct process *process = payload;
	size_t taken = 0;
	int more = 1;

	(void)fd;
	(void)what;
	give_lines(process); /* what was left when we were held */
	while (more > 0 && taken < BATCH_MAX && !process->hold)
		more = read_some(process, &taken);
	if (more < 0) {
		close_fd(&process->out_fd, &process->out);
		process->closed_at = deadline_in(CLOSED_MS);
		set_timer(process);
	}
	process->calls.turn(process->payload);
}

static void
on_errors(evutil_socket_t fd, short what, void *payload)
{
	struct process *process = payload;
	char bytes[4096];
	ssize_t n = read((int)fd, bytes, sizeof bytes);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		close_fd(&process->err_fd, &process->errs);
	else
		process->calls.errors(bytes, (size_t)n, process->payload);
}

static void
process_hold(struct child *child, bool held)
{
	struct process *process = of(child);

	if (process->hold == held)
		return;
	process->hold = held;
	if (process->out && held)
		event_del(process->out);
	else if (process->out)
		event_add(process->out, NULL);
	if (held)
		return;
	if (process->dead)
		event_active(process->end, EV_TIMEOUT, 1);
	else if (process->out)
		event_active(process->out, EV_TIMEOUT, 1);
}

/* ---- its end */

static void
set_timer(struct process *process)
{
	int64_t at = process->term_at < process->kill_at ? process->term_at : process->kill_at, left;
	struct timeval after;

	if (process->closed_at < at)
		at = process->closed_at;
	if (process->pid_fd < 0 && at > deadline_in(LOOK_MS))
		at = deadline_in(LOOK_MS);
	if (at == DEADLINE_NONE) {
		event_del(process->timer);
		return;
	}
	left = deadline_left(at);
	after = (struct timeval){ (time_t)(left / 1000), (suseconds_t)(left % 1000 * 1000) };
	event_add(process->timer, &after);
}

static void
on_timer(evutil_socket_t fd, short what, void *payload)
{
	struct process *process = payload;

	if (!deadline_left(process->term_at)) {
		process->term_at = DEADLINE_NONE;
		kin_signal(&process->kin, SIGTERM);
	}
	if (!deadline_left(process->kill_at)) {
		process->kill_at = DEADLINE_NONE;
		kin_signal_group(&process->kin, SIGKILL);
	}
	if (!deadline_left(process->closed_at)) {
		process->closed_at = DEADLINE_NONE;
		process->calls.closed(process->closed_in, process->payload);
	}
	set_timer(process);
	if (process->pid_fd < 0)
		on_end(fd, what, process);
}

/* Has it ended? Then the rest of what it said is taken, unless the reader is held: then that is waited for. */
static void
on_end(evutil_socket_t fd, short what, void *payload)
{
	struct process *process = payload;
	siginfo_t info = { 0 };
	size_t taken = 0;
	int status = 0, more = 1;

	(void)fd;
	(void)what;
	if (!process->dead) {
		if (waitid(P_PID, (id_t)process->child.pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != process->child.pid)
			return;
		process->dead = true;
		event_del(process->end);
		event_del(process->timer);
		kin_signal(&process->kin, SIGKILL); /* whoever it left behind; it is not reaped yet, so the number is still its own */
		close_in(process);
	}
	give_lines(process);
	while (process->out_fd >= 0 && !process->hold && more > 0 && taken < LAST_MAX)
		more = read_some(process, &taken);
	if (process->hold)
		return;
	while (process->err_fd >= 0 && taken++ < LAST_MAX) {
		char bytes[4096];
		ssize_t n = read(process->err_fd, bytes, sizeof bytes);

		if (n <= 0)
			break;
		process->calls.errors(bytes, (size_t)n, process->payload);
	}
	close_fd(&process->out_fd, &process->out);
	close_fd(&process->err_fd, &process->errs);
	while (waitpid(process->child.pid, &status, 0) < 0 && errno == EINTR)
		;
	guard_drop(process->child.pid);
	process->child.pid = 0;
	process->calls.ended(status, process->payload);
}

static void
process_end(struct child *child, bool gently, int64_t grace_ms)
{
	struct process *process = of(child);
	int64_t term_at = deadline_in(gently ? grace_ms / 2 : 0), kill_at = deadline_in(grace_ms);

	if (process->dead)
		return;
	close_in(process);
	/* only ever sooner than before; a SIGTERM that was sent is not sent again */
	if (process->kill_at == DEADLINE_NONE || term_at < process->term_at)
		process->term_at = term_at;
	if (kill_at < process->kill_at)
		process->kill_at = kill_at;
	set_timer(process);
}

static void
process_kill(struct child *child)
{
	struct process *process = of(child);

	if (!process->dead)
		kin_signal_group(&process->kin, SIGKILL); /* on_end() sees to the others */
}

/* ---- its beginning */

static struct event *
watch(struct process *process, int fd, short what, event_callback_fn cb)
{
	struct event *event = event_new(process->base, fd, what, cb, process);

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

static void
process_free(struct child *child)
{
	struct process *process = of(child);

	if (process->child.pid > 0) {
		kin_signal(&process->kin, SIGKILL);
		while (waitpid(process->child.pid, NULL, 0) < 0 && errno == EINTR)
			;
		guard_drop(process->child.pid);
	}
	close_in(process);
	close_fd(&process->out_fd, &process->out);
	close_fd(&process->err_fd, &process->errs);
	close_fd(&process->pid_fd, &process->end);
	if (process->timer)
		event_free(process->timer);
	buf_release(&process->held);
	free(process);
}

static const struct child_kind kind = { process_write, process_hold, process_end, process_kill, process_free };

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
	struct process *process;

	if (!spawn_start(&spawn, err))
		return NULL;
	process = xcalloc(1, sizeof *process);
	process->child.kind = &kind;
	process->base = base;
	process->calls = *calls;
	process->payload = payload;
	process->line_max = setup->line_max;
	process->unsent_max = setup->unsent_max;
	process->last = &process->first;
	buf_init(&process->held);
	process->in_fd = spawn.in_fd;
	process->out_fd = spawn.out_fd;
	process->err_fd = spawn.err_fd;
	process->child.pid = spawn.pid;
	process->kin = spawn.kin;
	guard_add(process->child.pid);
	process->term_at = process->kill_at = process->closed_at = DEADLINE_NONE;
	process->pid_fd = open_pid(process->child.pid);
	process->in = watch(process, process->in_fd, EV_WRITE, on_in);
	process->out = watch(process, process->out_fd, EV_READ | EV_PERSIST, on_out);
	process->errs = watch(process, process->err_fd, EV_READ | EV_PERSIST, on_errors);
	process->end = event_new(base, process->pid_fd, EV_READ | EV_PERSIST, on_end, process);
	process->timer = event_new(base, -1, 0, on_timer, process);
	event_add(process->out, NULL);
	event_add(process->errs, NULL);
	if (process->pid_fd >= 0)
		event_add(process->end, NULL);
	set_timer(process);
	return &process->child;
}
