/* process.c - a handler's program while it runs */
#include "compat.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "chat/process.h"
#include "clock.h"
#include "guard.h"
#include "spawn.h"
#include "utf8.h"

#define READ_MAX 65536 /* bytes in one read */
#define REAP_MS 5      /* how often a program that closed its output or is being ended is asked for its status */

void
process_init(struct process *process, const struct process_calls *calls, void *payload)
{
	memset(process, 0, sizeof *process);
	process->calls = calls;
	process->payload = payload;
	process->in_fd = process->out_fd = process->err_fd = -1;
	buf_init(&process->output);
	buf_init(&process->why);
	buf_init(&process->errors);
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

void
process_release(struct process *process)
{
	close_fd(&process->in_fd, &process->in);
	close_fd(&process->out_fd, &process->out);
	close_fd(&process->err_fd, &process->errs);
	if (process->timer)
		event_free(process->timer);
	if (process->reap)
		event_free(process->reap);
	buf_release(&process->output);
	buf_release(&process->why);
	buf_release(&process->errors);
}

/* ---- time and end */

void
process_timer(struct process *process, int64_t ms)
{
	struct timeval after = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	event_add(process->timer, &after);
}

void
process_timer_stop(struct process *process)
{
	event_del(process->timer);
}

void
process_end(struct process *process, const char *why)
{
	if (!process->why.len)
		buf_addstr(&process->why, why);
	if (process->killed)
		return;
	process->killed = true;
	kin_signal(&process->kin, SIGTERM);
	process_timer(process, PROCESS_TERM_MS);
	event_active(process->reap, EV_TIMEOUT, 1);
}

static void
on_timer(evutil_socket_t fd, short what, void *payload)
{
	struct process *process = payload;

	(void)fd;
	(void)what;
	if (process->killed)
		kin_signal_group(&process->kin, SIGKILL);
	else
		process->calls->late(process);
}

/* Whoever it left behind in its group goes too; when it was we who ended it, whoever left the group as well. */
static void
forget(struct process *process)
{
	(process->killed ? kin_signal : kin_signal_group)(&process->kin, SIGKILL);
	guard_drop(process->pid);
}

/* Has the program ended? Asked once its output is closed, and after a kill. */
static void
on_reap(evutil_socket_t fd, short what, void *payload)
{
	struct process *process = payload;
	struct timeval again = { 0, REAP_MS * 1000 };
	int status = 0;
	pid_t got = waitpid(process->pid, &status, WNOHANG);

	(void)fd;
	(void)what;
	if (got == 0 || (got < 0 && errno == EINTR)) {
		event_add(process->reap, &again);
		return;
	}
	forget(process);
	process->calls->ended(process, status);
}

/* The last line that it wrote to standard error, made safe. */
static void
add_last_error(const struct process *process, struct buf *to)
{
	size_t end = process->errors.len, start;

	while (end && (process->errors.s[end - 1] == '\n' || process->errors.s[end - 1] == '\r'))
		end--;
	for (start = end; start && process->errors.s[start - 1] != '\n'; start--)
		;
	if (start == end)
		return;
	buf_addstr(to, ": ");
	utf8_safe(to, process->errors.s + start, end - start, UTF8_SAFE_LINE);
}

void
process_add_end(const struct process *process, int status, const char *tail, struct buf *to)
{
	if (process->why.len) {
		buf_add(to, process->why.s, process->why.len);
		return;
	}
	if (WIFSIGNALED(status))
		buf_addf(to, "the command was ended by signal %d", WTERMSIG(status));
	else
		buf_addf(to, "the command ended with status %d%s", WEXITSTATUS(status), tail);
	add_last_error(process, to);
}

void
process_ask_to_end(struct process *process)
{
	close_fd(&process->in_fd, &process->in);
	process->killed = true;
	kin_signal(&process->kin, SIGTERM);
}

void
process_wait(struct process *process, int64_t deadline)
{
	pid_t got;

	while ((got = waitpid(process->pid, NULL, WNOHANG)) == 0 && deadline_left(deadline) > 0)
		(void)poll(NULL, 0, REAP_MS);
	process->killed = true;
	forget(process);
	while (got == 0 && waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* ---- its three pipes */

void
process_send(struct process *process, const struct buf *input, bool last)
{
	process->input = input;
	process->written = 0;
	process->last = last;
	event_add(process->in, NULL);
}

void
process_send_stop(struct process *process)
{
	event_del(process->in);
	process->input = NULL;
}

bool
process_talks(const struct process *process)
{
	return process->out != NULL;
}

static void
on_in(evutil_socket_t fd, short what, void *payload)
{
	struct process *process = payload;
	ssize_t n = write(fd, process->input->s + process->written, process->input->len - process->written);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		process->written += (size_t)n;
	/* that it is gone its output says */
	if (n >= 0 && process->written < process->input->len)
		return;
	process_send_stop(process);
	if (process->last)
		close_fd(&process->in_fd, &process->in);
}

static void
on_out(evutil_socket_t fd, short what, void *payload)
{
	struct process *process = payload;
	ssize_t n;

	(void)what;
	buf_reserve(&process->output, READ_MAX);
	n = read(fd, process->output.s + process->output.len, READ_MAX);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		process->output.len += (size_t)n;
		process->output.s[process->output.len] = '\0';
		process->calls->output(process);
		return;
	}
	close_fd(&process->out_fd, &process->out);
	if (!process->killed && process->calls->closed)
		process->calls->closed(process);
	event_active(process->reap, EV_TIMEOUT, 1);
}

static void
on_errors(evutil_socket_t fd, short what, void *payload)
{
	struct process *process = payload;
	char bytes[PROCESS_ERRORS_MAX];
	ssize_t n = read(fd, bytes, sizeof bytes);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_fd(&process->err_fd, &process->errs);
		return;
	}
	buf_add(&process->errors, bytes, (size_t)n);
	if (process->errors.len > 2 * PROCESS_ERRORS_MAX)
		buf_consume(&process->errors, process->errors.len - PROCESS_ERRORS_MAX);
}

static struct event *
watch(struct process *process, struct event_base *base, int fd, short what, event_callback_fn cb)
{
	evutil_make_socket_nonblocking(fd);
	return event_new(base, fd, (short)(what | EV_PERSIST), cb, process);
}

bool
process_start(
    struct process *process, struct event_base *base, const char *const *argv, const char *const *env, const char *dir, struct err *err)
{
	struct spawn spawn = {
		.argv = argv, .env = env, .dir = dir, .in = SPAWN_PIPE, .out = SPAWN_PIPE, .errs = SPAWN_PIPE, .own_group = true
	};

	if (!spawn_start(&spawn, err))
		return false;
	process->pid = spawn.pid;
	process->kin = spawn.kin;
	guard_add(process->pid);
	process->in_fd = spawn.in_fd;
	process->out_fd = spawn.out_fd;
	process->err_fd = spawn.err_fd;
	process->timer = event_new(base, -1, 0, on_timer, process);
	process->reap = event_new(base, -1, 0, on_reap, process);
	process->in = watch(process, base, process->in_fd, EV_WRITE, on_in);
	process->out = watch(process, base, process->out_fd, EV_READ, on_out);
	process->errs = watch(process, base, process->err_fd, EV_READ, on_errors);
	event_add(process->out, NULL);
	event_add(process->errs, NULL);
	return true;
}
