/* resident.c - handlers that are programs and stay */
#include "compat.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "agents/agents.h"
#include "blank.h"
#include "chat/chat.h"
#include "chat/resident.h"
#include "clock.h"
#include "err.h"
#include "spawn.h"
#include "utf8.h"
#include "xalloc.h"

#define ERRORS_MAX 4096	   /* bytes kept of the end of standard error */
#define TERM_GRACE_MS 2000 /* between SIGTERM and SIGKILL */
#define EXIT_GRACE_MS 1000 /* at the end of the gateway, for all of them */
#define REAP_MS 5	   /* how often a program that is ending is asked for its status */

struct resident_call {
	struct pool *pool;
	struct program *program; /* NULL: it waits, or its end waits to be told */
	command_done_cb *done;
	void *payload;
	struct buf input, why;
	bool ended; /* while it waited: why is to be told */
	struct resident_call *next;
};

/* One process. */
struct program {
	struct pool *pool;
	struct resident_call *call; /* NULL: idle */
	pid_t pid;
	int in_fd, out_fd, err_fd;
	struct event *in, *out, *errs, *timer, *reap;
	size_t written;
	struct buf output, errors, why; /* why: we end it */
	bool killed;
	struct program *next;
};

/* The programs of one service, as one manifest has it. */
struct pool {
	struct residents *residents;
	const struct agent *agent;
	char **env;
	int64_t since_ms; /* of the service's start: another one means other programs */
	unsigned max, n;
	struct program *programs;
	struct resident_call *first, **last; /* that wait */
	bool over;			     /* the service has stopped, or has another manifest */
	struct pool *next;
};

struct residents {
	struct event_base *base;
	const struct agents *agents;
	size_t output_max;
	struct pool *pools;
	struct event *turn, *look;
	bool stopping;
};

static void
go_on(struct residents *residents)
{
	event_active(residents->turn, EV_TIMEOUT, 1);
}

/* ---- calls */

static void
tell(struct resident_call *call, bool ok, const struct buf *output, const char *why)
{
	call->done(ok, output, why, call->payload);
	buf_release(&call->input);
	buf_release(&call->why);
	free(call);
}

/* ---- one program */

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
program_free(struct program *program)
{
	struct program **at;

	for (at = &program->pool->programs; *at != program; at = &(*at)->next)
		;
	*at = program->next;
	program->pool->n--;
	close_fd(&program->in_fd, &program->in);
	close_fd(&program->out_fd, &program->out);
	close_fd(&program->err_fd, &program->errs);
	event_free(program->timer);
	event_free(program->reap);
	buf_release(&program->output);
	buf_release(&program->errors);
	buf_release(&program->why);
	free(program);
}

static void
set_timer(struct program *program, int64_t ms)
{
	struct timeval after = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	event_add(program->timer, &after);
}

static void
end_program(struct program *program, const char *why)
{
	if (!program->why.len)
		buf_addstr(&program->why, why);
	if (program->killed)
		return;
	program->killed = true;
	kill(-program->pid, SIGTERM);
	set_timer(program, TERM_GRACE_MS);
	event_active(program->reap, EV_TIMEOUT, 1);
}

/* The last line that it wrote to standard error, made safe. */
static void
add_last_error(const struct program *program, struct buf *why)
{
	size_t end = program->errors.len, start;

	while (end && (program->errors.s[end - 1] == '\n' || program->errors.s[end - 1] == '\r'))
		end--;
	for (start = end; start && program->errors.s[start - 1] != '\n'; start--)
		;
	if (start == end)
		return;
	buf_addstr(why, ": ");
	utf8_safe(why, program->errors.s + start, end - start, UTF8_SAFE_LINE);
}

/* It has ended: whoever it worked for hears why. */
static void
take_end(struct program *program, int status)
{
	struct residents *residents = program->pool->residents;
	struct resident_call *call = program->call;
	struct buf why = BUF_INIT;

	if (program->why.len)
		buf_add(&why, program->why.s, program->why.len);
	else {
		if (WIFSIGNALED(status))
			buf_addf(&why, "the command was ended by signal %d", WTERMSIG(status));
		else
			buf_addf(&why, "the command ended with status %d and no answer", WEXITSTATUS(status));
		add_last_error(program, &why);
	}
	/* whoever it left behind in its group goes too */
	kill(-program->pid, SIGKILL);
	program_free(program);
	if (call)
		tell(call, false, NULL, why.s);
	buf_release(&why);
	go_on(residents);
}

static void
on_reap(evutil_socket_t fd, short what, void *payload)
{
	struct program *program = payload;
	struct timeval again = { 0, REAP_MS * 1000 };
	int status = 0;
	pid_t got = waitpid(program->pid, &status, WNOHANG);

	(void)fd;
	(void)what;
	if (got == 0 || (got < 0 && errno == EINTR))
		event_add(program->reap, &again);
	else
		take_end(program, status);
}

static void
on_timer(evutil_socket_t fd, short what, void *payload)
{
	struct program *program = payload;
	struct buf why = BUF_INIT;

	(void)fd;
	(void)what;
	if (program->killed) {
		kill(-program->pid, SIGKILL);
		return;
	}
	if (!program->out)
		buf_addstr(&why, "the command closed its output");
	else
		buf_addf(&why, "the command gave no answer within %lld ms", (long long)program->pool->agent->timeout_ms);
	end_program(program, why.s);
	buf_release(&why);
}

static void
on_in(evutil_socket_t fd, short what, void *payload)
{
	struct program *program = payload;
	const struct buf *input = &program->call->input;
	ssize_t n = write(fd, input->s + program->written, input->len - program->written);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		program->written += (size_t)n;
	/* what it does not read it may answer all the same; that it is gone its output says */
	if (n < 0 || program->written == input->len)
		event_del(program->in);
}

/* Whole lines: the first one is the answer of whoever waits for one. */
static void
take_lines(struct program *program)
{
	const char *end;

	while ((end = memchr(program->output.s, '\n', program->output.len))) {
		size_t n = (size_t)(end - program->output.s);
		struct resident_call *call = program->call;
		struct buf line = BUF_INIT;

		if (blank_only(program->output.s, n, BLANK_JSON)) {
			buf_consume(&program->output, n + 1);
			continue;
		}
		if (!call) {
			end_program(program, "the command said what it was not asked for");
			return;
		}
		buf_add(&line, program->output.s, n);
		buf_consume(&program->output, n + 1);
		program->call = NULL;
		event_del(program->timer);
		event_del(program->in);
		tell(call, true, &line, "");
		buf_release(&line);
		go_on(program->pool->residents);
	}
}

static void
on_out(evutil_socket_t fd, short what, void *payload)
{
	struct program *program = payload;
	ssize_t n;

	(void)what;
	buf_reserve(&program->output, 65536);
	n = read(fd, program->output.s + program->output.len, 65536);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_fd(&program->out_fd, &program->out);
		/* one that only closed its output is of no more use */
		if (!program->killed)
			set_timer(program, TERM_GRACE_MS);
		event_active(program->reap, EV_TIMEOUT, 1);
		return;
	}
	program->output.len += (size_t)n;
	program->output.s[program->output.len] = '\0';
	if (program->killed)
		buf_reset(&program->output);
	else
		take_lines(program);
	if (program->output.len > program->pool->residents->output_max)
		end_program(program, "the command's answer is too long");
}

static void
on_errors(evutil_socket_t fd, short what, void *payload)
{
	struct program *program = payload;
	char bytes[4096];
	ssize_t n = read(fd, bytes, sizeof bytes);

	(void)what;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_fd(&program->err_fd, &program->errs);
		return;
	}
	buf_add(&program->errors, bytes, (size_t)n);
	if (program->errors.len > 2 * ERRORS_MAX)
		buf_consume(&program->errors, program->errors.len - ERRORS_MAX);
}

static struct event *
watch(struct program *program, int fd, short what, event_callback_fn cb)
{
	evutil_make_socket_nonblocking(fd);
	return event_new(program->pool->residents->base, fd, (short)(what | EV_PERSIST), cb, program);
}

static struct program *
program_start(struct pool *pool, struct err *err)
{
	const struct agent *agent = pool->agent;
	struct spawn spawn = { .argv = (const char *const *)(uintptr_t)agent->argv,
		.env = (const char *const *)(uintptr_t)pool->env,
		.dir = agent->directory.len ? agent->directory.s : NULL,
		.in = SPAWN_PIPE,
		.out = SPAWN_PIPE,
		.errs = SPAWN_PIPE,
		.own_group = true };
	struct event_base *base = pool->residents->base;
	struct program *program;

	if (!spawn_start(&spawn, err))
		return NULL;
	program = xcalloc(1, sizeof *program);
	program->pool = pool;
	program->pid = spawn.pid;
	program->in_fd = spawn.in_fd;
	program->out_fd = spawn.out_fd;
	program->err_fd = spawn.err_fd;
	buf_init(&program->output);
	buf_init(&program->errors);
	buf_init(&program->why);
	program->timer = event_new(base, -1, 0, on_timer, program);
	program->reap = event_new(base, -1, 0, on_reap, program);
	program->in = watch(program, program->in_fd, EV_WRITE, on_in);
	program->out = watch(program, program->out_fd, EV_READ, on_out);
	program->errs = watch(program, program->err_fd, EV_READ, on_errors);
	event_add(program->out, NULL);
	event_add(program->errs, NULL);
	program->next = pool->programs;
	pool->programs = program;
	pool->n++;
	return program;
}

/* ---- one service */

static struct resident_call *
take_waiting(struct pool *pool)
{
	struct resident_call *call = pool->first;

	pool->first = call->next;
	if (!pool->first)
		pool->last = &pool->first;
	return call;
}

static void
give(struct program *program, struct resident_call *call)
{
	program->call = call;
	program->written = 0;
	call->program = program;
	set_timer(program, program->pool->agent->timeout_ms);
	event_add(program->in, NULL);
}

static struct program *
find_idle(const struct pool *pool)
{
	struct program *program;

	for (program = pool->programs; program; program = program->next)
		if (!program->call && !program->killed && program->out)
			return program;
	return NULL;
}

static void
fail_waiting(struct pool *pool, const char *why)
{
	while (pool->first)
		tell(take_waiting(pool), false, NULL, why);
}

static void
tell_ended(struct pool *pool)
{
	struct resident_call **at = &pool->first;

	while (*at) {
		struct resident_call *call = *at;

		if (!call->ended) {
			at = &call->next;
			continue;
		}
		*at = call->next;
		if (!*at)
			pool->last = at;
		tell(call, false, NULL, call->why.s);
	}
}

static void
serve(struct pool *pool)
{
	struct program *program;
	struct err err = ERR_INIT;

	tell_ended(pool);
	while (pool->first) {
		if (pool->residents->stopping) {
			fail_waiting(pool, "the gateway is stopping");
			return;
		}
		program = find_idle(pool);
		if (!program && pool->n >= pool->max)
			return;
		if (!program && !(program = program_start(pool, &err))) {
			/* none of those that wait would fare better; done() may ask again, later */
			fail_waiting(pool, err.text);
			return;
		}
		give(program, take_waiting(pool));
	}
}

static void
pool_free(struct pool *pool)
{
	size_t i;

	for (i = 0; pool->env[i]; i++)
		free(pool->env[i]);
	free(pool->env);
	agent_unref(pool->agent);
	free(pool);
}

static void
on_turn(evutil_socket_t fd, short what, void *payload)
{
	struct residents *residents = payload;
	struct pool **at = &residents->pools;

	(void)fd;
	(void)what;
	while (*at) {
		struct pool *pool = *at;

		serve(pool);
		if (pool->over && !pool->programs && !pool->first) {
			*at = pool->next;
			pool_free(pool);
		} else
			at = &pool->next;
	}
}

/* The manifest and the start of the service that these programs are of are the present ones. */
static bool
is_current(const struct pool *pool)
{
	const struct agent *now = agents_by_service(
	    pool->residents->agents, (struct span){ pool->agent->service.s, pool->agent->service.len });

	return now == pool->agent && now->state.lifecycle == LIFE_RUNNING && now->state.since_ms == pool->since_ms;
}

static bool
service_runs(const struct pool *pool)
{
	const struct agent *now = agents_by_service(
	    pool->residents->agents, (struct span){ pool->agent->service.s, pool->agent->service.len });

	return now && now->state.lifecycle == LIFE_RUNNING;
}

static void
end_pool(struct pool *pool, const char *why)
{
	struct program *program;
	struct buf text = BUF_INIT;

	buf_addf(&text, "%s: %s", why, pool->agent->service.s);
	pool->over = true;
	for (program = pool->programs; program; program = program->next)
		end_program(program, text.s);
	fail_waiting(pool, text.s);
	buf_release(&text);
	go_on(pool->residents);
}

static void
on_look(evutil_socket_t fd, short what, void *payload)
{
	struct residents *residents = payload;
	struct timeval again = { 0, RESIDENT_LOOK_MS * 1000 };
	struct pool *pool;

	(void)fd;
	(void)what;
	for (pool = residents->pools; pool; pool = pool->next)
		if (!pool->over && !is_current(pool))
			end_pool(pool, service_runs(pool) ? "the service was changed" : "service is not running");
	if (residents->pools)
		event_add(residents->look, &again);
}

/* ---- the door */

static struct pool *
pool_of(struct residents *residents, const struct agent *agent, const char *const *env)
{
	struct timeval after = { 0, RESIDENT_LOOK_MS * 1000 };
	struct pool *pool;

	for (pool = residents->pools; pool; pool = pool->next)
		if (pool->agent == agent && !pool->over && is_current(pool))
			return pool;
	pool = xcalloc(1, sizeof *pool);
	pool->residents = residents;
	pool->agent = agent_ref(agent);
	pool->env = command_environment(env);
	pool->since_ms = agent->state.since_ms;
	pool->max = agent->concurrency > 0 ? (unsigned)agent->concurrency : 1;
	pool->last = &pool->first;
	pool->next = residents->pools;
	residents->pools = pool;
	event_add(residents->look, &after);
	return pool;
}

struct resident_call *
resident_ask(struct residents *residents, const struct agent *agent, const char *const *env, const struct buf *input, command_done_cb *done,
    void *payload)
{
	struct resident_call *call = xcalloc(1, sizeof *call);
	struct pool *pool = pool_of(residents, agent, env);

	call->pool = pool;
	call->done = done;
	call->payload = payload;
	buf_init(&call->input);
	buf_init(&call->why);
	buf_add(&call->input, input->s, input->len);
	*pool->last = call;
	pool->last = &call->next;
	go_on(residents);
	return call;
}

void
resident_end(struct resident_call *call, const char *why)
{
	if (call->program)
		end_program(call->program, why);
	else if (!call->ended) {
		call->ended = true;
		buf_addstr(&call->why, why);
		go_on(call->pool->residents);
	}
}

void
residents_stop(struct residents *residents)
{
	struct pool *pool;
	struct program *program;

	residents->stopping = true;
	for (pool = residents->pools; pool; pool = pool->next)
		for (program = pool->programs; program; program = program->next)
			end_program(program, "the gateway is stopping");
	go_on(residents);
}

struct residents *
residents_new(struct event_base *base, const struct agents *agents, size_t output_max)
{
	struct residents *residents = xcalloc(1, sizeof *residents);

	residents->base = base;
	residents->agents = agents;
	residents->output_max = output_max;
	residents->turn = event_new(base, -1, 0, on_turn, residents);
	residents->look = event_new(base, -1, 0, on_look, residents);
	return residents;
}

static void
call_drop(struct resident_call *call)
{
	if (!call)
		return;
	buf_release(&call->input);
	buf_release(&call->why);
	free(call);
}

/* They are asked to end, and made to when they do not. */
static void
end_all(struct residents *residents)
{
	int64_t deadline = deadline_in(EXIT_GRACE_MS);
	struct program *program;
	struct pool *pool;

	for (pool = residents->pools; pool; pool = pool->next)
		for (program = pool->programs; program; program = program->next) {
			close_fd(&program->in_fd, &program->in);
			kill(-program->pid, SIGTERM);
		}
	for (pool = residents->pools; pool; pool = pool->next)
		for (program = pool->programs; program; program = program->next) {
			pid_t got;

			while ((got = waitpid(program->pid, NULL, WNOHANG)) == 0 && deadline_left(deadline) > 0)
				(void)poll(NULL, 0, REAP_MS);
			kill(-program->pid, SIGKILL);
			while (got == 0 && waitpid(program->pid, NULL, 0) < 0 && errno == EINTR)
				;
		}
}

void
residents_free(struct residents *residents)
{
	struct pool *pool;

	if (!residents)
		return;
	end_all(residents);
	while ((pool = residents->pools)) {
		residents->pools = pool->next;
		while (pool->programs) {
			struct program *program = pool->programs;

			call_drop(program->call);
			program_free(program);
		}
		while (pool->first)
			call_drop(take_waiting(pool));
		pool_free(pool);
	}
	event_free(residents->turn);
	event_free(residents->look);
	free(residents);
}
