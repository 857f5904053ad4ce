/* command.c - a handler that is a program */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "chat/chat.h"
#include "chat/command.h"
#include "err.h"
#include "guard.h"
#include "spawn.h"
#include "utf8.h"
#include "xalloc.h"

#define ERRORS_MAX 4096	   /* bytes kept of the end of standard error */
#define TERM_GRACE_MS 2000 /* between SIGTERM and SIGKILL */
#define REAP_MS 5	   /* how often a program that closed its output is asked for its status */

struct command_call {
	struct commands *commands;
	struct command_call *next, **prev;
	command_done_cb *done;
	void *payload;
	const char *const *argv;
	char **env;
	char *dir;
	struct buf input, output, errors, why;
	size_t written;
	int64_t timeout_ms;
	int in_fd, out_fd, err_fd;
	pid_t pid; /* 0: waiting for its turn */
	struct event *in, *out, *errs, *timer, *reap;
	bool killed;
};

struct commands {
	struct event_base *base;
	size_t output_max;
	struct command_call *calls; /* newest first */
	size_t running, count;
	struct event *turn; /* starts those that wait */
	bool stopping;
};

static void start_waiting(evutil_socket_t fd, short what, void *payload);

struct commands *
commands_new(struct event_base *base, size_t output_max)
{
	struct commands *commands = xcalloc(1, sizeof *commands);

	commands->base = base;
	commands->output_max = output_max;
	commands->turn = event_new(base, -1, 0, start_waiting, commands);
	return commands;
}

size_t
commands_count(const struct commands *commands)
{
	return commands->count;
}

/* ---- environment: what programs need, and what they are told */

char **
command_environment(const char *const *extra)
{
	static const char *const kept[] = { "PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SHELL" };
	size_t n = 0, i;
	char **env;

	for (i = 0; extra[i]; i++)
		;
	env = xcalloc(ARRAY_LEN(kept) + i + 1, sizeof *env);
	for (i = 0; i < ARRAY_LEN(kept); i++) {
		const char *value = getenv(kept[i]);
		struct buf text = BUF_INIT;

		if (!value)
			continue;
		buf_addf(&text, "%s=%s", kept[i], value);
		env[n++] = buf_detach(&text, NULL);
	}
	for (i = 0; extra[i]; i++)
		env[n++] = xstrdup(extra[i]);
	return env;
}

/* ---- the end of a call */

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

static void
call_free(struct command_call *call)
{
	size_t i;

	*call->prev = call->next;
	if (call->next)
		call->next->prev = call->prev;
	call->commands->count--;
	close_fd(&call->in_fd, &call->in);
	close_fd(&call->out_fd, &call->out);
	close_fd(&call->err_fd, &call->errs);
	if (call->timer)
		event_free(call->timer);
	if (call->reap)
		event_free(call->reap);
	for (i = 0; call->env[i]; i++)
		free(call->env[i]);
	free(call->env);
	free(call->dir);
	buf_release(&call->input);
	buf_release(&call->output);
	buf_release(&call->errors);
	buf_release(&call->why);
	free(call);
}

static void
finish(struct command_call *call)
{
	struct commands *commands = call->commands;

	call->done(!call->why.len, &call->output, call->why.s, call->payload);
	if (call->pid)
		commands->running--;
	call_free(call);
	event_active(commands->turn, EV_TIMEOUT, 1);
}

/* The last line that it wrote to standard error, made safe. */
static void
add_last_error(struct command_call *call)
{
	size_t end = call->errors.len, start;

	while (end && (call->errors.s[end - 1] == '\n' || call->errors.s[end - 1] == '\r'))
		end--;
	for (start = end; start && call->errors.s[start - 1] != '\n'; start--)
		;
	if (start == end)
		return;
	buf_addstr(&call->why, ": ");
	utf8_safe(&call->why, call->errors.s + start, end - start, UTF8_SAFE_LINE);
}

static void
take_status(struct command_call *call, int status)
{
	if (call->why.len)
		return; /* it was ended for a reason of ours */
	if (WIFSIGNALED(status))
		buf_addf(&call->why, "the command was ended by signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		buf_addf(&call->why, "the command ended with status %d", WEXITSTATUS(status));
	if (call->why.len)
		add_last_error(call);
}

/* Has the program ended? Asked once its output is closed, and after a kill. */
static void
on_reap(evutil_socket_t fd, short what, void *payload)
{
	struct command_call *call = payload;
	struct timeval again = { 0, REAP_MS * 1000 };
	int status;
	pid_t got = waitpid(call->pid, &status, WNOHANG);

	(void)fd;
	(void)what;
	if (got == 0 || (got < 0 && errno == EINTR)) {
		event_add(call->reap, &again);
		return;
	}
	if (got == call->pid)
		take_status(call, status);
	/* whoever it left behind in its group goes too */
	kill(-call->pid, SIGKILL);
	guard_drop(call->pid);
	finish(call);
}

static void
set_timer(struct command_call *call, int64_t ms)
{
	struct timeval after = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	event_add(call->timer, &after);
}

static void
end_it(struct command_call *call, const char *why)
{
	if (!call->why.len)
		buf_addstr(&call->why, why);
	if (call->killed)
		return;
	call->killed = true;
	kill(-call->pid, SIGTERM);
	set_timer(call, TERM_GRACE_MS);
	event_active(call->reap, EV_TIMEOUT, 1);
}

static void
on_timer(evutil_socket_t fd, short what, void *payload)
{
	struct command_call *call = payload;
	struct buf why = BUF_INIT;

	(void)fd;
	(void)what;
	if (call->killed) {
		kill(-call->pid, SIGKILL);
		return;
	}
	buf_addf(&why, "the command gave no answer within %lld ms", (long long)call->timeout_ms);
	end_it(call, why.s);
	buf_release(&why);
}

/* ---- its three pipes */

static void
on_in(evutil_socket_t fd, short what, void *payload)
{
	struct command_call *call = payload;
	ssize_t n = write(fd, call->input.s + call->written, call->input.len - call->written);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		call->written += (size_t)n;
	/* a program that does not read its input may answer all the same */
	if (n < 0 || call->written == call->input.len)
		close_fd(&call->in_fd, &call->in);
}

static void
too_long(struct command_call *call)
{
	char why[80];

	snprintf(why, sizeof why, "the command's answer is longer than %zu bytes", call->commands->output_max);
	end_it(call, why);
}

static void
on_out(evutil_socket_t fd, short what, void *payload)
{
	struct command_call *call = payload;
	ssize_t n;

	(void)what;
	buf_reserve(&call->output, 65536);
	n = read(fd, call->output.s + call->output.len, 65536);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		call->output.len += (size_t)n;
		call->output.s[call->output.len] = '\0';
		if (call->output.len > call->commands->output_max)
			too_long(call);
		return;
	}
	close_fd(&call->out_fd, &call->out);
	event_active(call->reap, EV_TIMEOUT, 1);
}

static void
on_errors(evutil_socket_t fd, short what, void *payload)
{
	struct command_call *call = payload;
	char bytes[4096];
	ssize_t n = read(fd, bytes, sizeof bytes);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_fd(&call->err_fd, &call->errs);
		return;
	}
	buf_add(&call->errors, bytes, (size_t)n);
	if (call->errors.len > 2 * ERRORS_MAX)
		buf_consume(&call->errors, call->errors.len - ERRORS_MAX);
}

static struct event *
watch(struct command_call *call, int fd, short what, event_callback_fn cb)
{
	struct event *event;

	evutil_make_socket_nonblocking(fd);
	event = event_new(call->commands->base, fd, (short)(what | EV_PERSIST), cb, call);
	event_add(event, NULL);
	return event;
}

static void
start(struct command_call *call)
{
	struct spawn spawn = { .argv = call->argv,
		.env = (const char *const *)(uintptr_t)call->env,
		.dir = call->dir,
		.in = SPAWN_PIPE,
		.out = SPAWN_PIPE,
		.errs = SPAWN_PIPE,
		.own_group = true };
	struct err err = ERR_INIT;

	if (!spawn_start(&spawn, &err)) {
		buf_addstr(&call->why, err.text);
		finish(call);
		return;
	}
	call->commands->running++;
	call->pid = spawn.pid;
	guard_add(call->pid);
	call->in_fd = spawn.in_fd;
	call->out_fd = spawn.out_fd;
	call->err_fd = spawn.err_fd;
	call->timer = event_new(call->commands->base, -1, 0, on_timer, call);
	call->reap = event_new(call->commands->base, -1, 0, on_reap, call);
	call->in = watch(call, call->in_fd, EV_WRITE, on_in);
	call->out = watch(call, call->out_fd, EV_READ, on_out);
	call->errs = watch(call, call->err_fd, EV_READ, on_errors);
	set_timer(call, call->timeout_ms);
}

/* The oldest that waits: the list has the newest first. Of those that were ended before their turn, when `ended`. */
static struct command_call *
oldest_waiting(const struct commands *commands, bool ended)
{
	struct command_call *call, *found = NULL;

	for (call = commands->calls; call; call = call->next)
		if (!call->pid && (!ended || call->why.len))
			found = call;
	return found;
}

static void
start_waiting(evutil_socket_t fd, short what, void *payload)
{
	struct commands *commands = payload;
	struct command_call *call;

	(void)fd;
	(void)what;
	while ((call = oldest_waiting(commands, true)))
		finish(call);
	while ((call = oldest_waiting(commands, false)) && (commands->stopping || commands->running < CHAT_COMMANDS_MAX)) {
		if (commands->stopping) {
			buf_addstr(&call->why, "the gateway is stopping");
			finish(call);
		} else
			start(call);
	}
}

struct command_call *
command_start(struct commands *commands, const struct command_request *request, command_done_cb *done, void *payload)
{
	struct command_call *call = xcalloc(1, sizeof *call);

	call->commands = commands;
	call->done = done;
	call->payload = payload;
	call->argv = request->argv;
	call->env = command_environment(request->env);
	call->dir = request->dir ? xstrdup(request->dir) : NULL;
	call->timeout_ms = request->timeout_ms;
	call->in_fd = call->out_fd = call->err_fd = -1;
	buf_init(&call->input);
	buf_init(&call->output);
	buf_init(&call->errors);
	buf_init(&call->why);
	buf_add(&call->input, request->input, request->input_len);
	call->next = commands->calls;
	call->prev = &commands->calls;
	if (call->next)
		call->next->prev = &call->next;
	commands->calls = call;
	commands->count++;
	event_active(commands->turn, EV_TIMEOUT, 1);
	return call;
}

void
command_end(struct command_call *call, const char *why)
{
	if (call->pid)
		end_it(call, why);
	else if (!call->why.len) {
		buf_addstr(&call->why, why);
		event_active(call->commands->turn, EV_TIMEOUT, 1);
	}
}

void
commands_stop(struct commands *commands)
{
	struct command_call *call;

	commands->stopping = true;
	for (call = commands->calls; call; call = call->next)
		if (call->pid)
			end_it(call, "the gateway is stopping");
	event_active(commands->turn, EV_TIMEOUT, 1);
}

void
commands_free(struct commands *commands)
{
	if (!commands)
		return;
	while (commands->calls) {
		struct command_call *call = commands->calls;

		if (call->pid) {
			kill(-call->pid, SIGKILL);
			while (waitpid(call->pid, NULL, 0) < 0 && errno == EINTR)
				;
			guard_drop(call->pid);
		}
		call_free(call);
	}
	event_free(commands->turn);
	free(commands);
}
