/* command.c - a handler that is a program */
#include "compat.h"

#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>

#include "chat/chat.h"
#include "chat/command.h"
#include "chat/process.h"
#include "clock.h"
#include "err.h"
#include "xalloc.h"

struct command_call {
	struct commands *commands;
	struct command_call *next, **prev;
	command_done_cb *done;
	void *payload;
	const char *const *argv;
	char **env;
	char *dir;
	struct buf input, why;
	int64_t timeout_ms;
	struct process process; /* not started while the call waits for its turn */
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
call_free(struct command_call *call)
{
	size_t i;

	*call->prev = call->next;
	if (call->next)
		call->next->prev = call->prev;
	call->commands->count--;
	process_release(&call->process);
	for (i = 0; call->env[i]; i++)
		free(call->env[i]);
	free(call->env);
	free(call->dir);
	buf_release(&call->input);
	buf_release(&call->why);
	free(call);
}

static void
finish(struct command_call *call)
{
	struct commands *commands = call->commands;

	call->done(!call->why.len, &call->process.output, call->why.s, call->payload);
	if (call->process.pid)
		commands->running--;
	call_free(call);
	event_active(commands->turn, EV_TIMEOUT, 1);
}

static void
on_ended(struct process *process, int status)
{
	struct command_call *call = process->payload;

	if (process->why.len || status)
		process_add_end(process, status, "", &call->why);
	finish(call);
}

static void
on_late(struct process *process)
{
	const struct command_call *call = process->payload;
	char why[80];

	snprintf(why, sizeof why, "the command gave no answer within %lld ms", (long long)call->timeout_ms);
	process_end(process, why);
}

static void
on_output(struct process *process)
{
	const struct command_call *call = process->payload;
	char why[80];

	if (process->output.len <= call->commands->output_max)
		return;
	snprintf(why, sizeof why, "the command's answer is longer than %zu bytes", call->commands->output_max);
	process_end(process, why);
}

static void
start(struct command_call *call)
{
	struct err err = ERR_INIT;

	if (!process_start(&call->process, call->commands->base, call->argv, (const char *const *)(uintptr_t)call->env, call->dir, &err)) {
		buf_addstr(&call->why, err.text);
		finish(call);
		return;
	}
	call->commands->running++;
	process_timer(&call->process, call->timeout_ms);
	process_send(&call->process, &call->input, true);
}

/* The oldest that waits: the list has the newest first. Of those that were ended before their turn, when `ended`. */
static struct command_call *
oldest_waiting(const struct commands *commands, bool ended)
{
	struct command_call *call, *found = NULL;

	for (call = commands->calls; call; call = call->next)
		if (!call->process.pid && (!ended || call->why.len))
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
	static const struct process_calls calls = { .output = on_output, .late = on_late, .ended = on_ended };
	struct command_call *call = xcalloc(1, sizeof *call);

	process_init(&call->process, &calls, call);
	call->commands = commands;
	call->done = done;
	call->payload = payload;
	call->argv = request->argv;
	call->env = command_environment(request->env);
	call->dir = request->dir ? xstrdup(request->dir) : NULL;
	call->timeout_ms = request->timeout_ms;
	buf_init(&call->input);
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
	if (call->process.pid)
		process_end(&call->process, why);
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
		if (call->process.pid)
			process_end(&call->process, "the gateway is stopping");
	event_active(commands->turn, EV_TIMEOUT, 1);
}

void
commands_free(struct commands *commands)
{
	if (!commands)
		return;
	while (commands->calls) {
		struct command_call *call = commands->calls;

		if (call->process.pid)
			process_wait(&call->process, deadline_in(0));
		call_free(call);
	}
	event_free(commands->turn);
	free(commands);
}
