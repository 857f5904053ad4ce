/* resident.c - handlers that are programs and stay */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "agents/agents.h"
#include "blank.h"
#include "chat/chat.h"
#include "chat/process.h"
#include "chat/resident.h"
#include "clock.h"
#include "err.h"
#include "xalloc.h"

#define EXIT_GRACE_MS 1000 /* at the end of the gateway, for all of them */

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
	struct process process;
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
program_free(struct program *program)
{
	struct program **at;

	for (at = &program->pool->programs; *at != program; at = &(*at)->next)
		;
	*at = program->next;
	program->pool->n--;
	process_release(&program->process);
	free(program);
}

/* It has ended: whoever it worked for hears why. */
static void
on_ended(struct process *process, int status)
{
	struct program *program = process->payload;
	struct residents *residents = program->pool->residents;
	struct resident_call *call = program->call;
	struct buf why = BUF_INIT;

	process_add_end(process, status, " and no answer", &why);
	program_free(program);
	if (call)
		tell(call, false, NULL, why.s);
	buf_release(&why);
	go_on(residents);
}

static void
on_late(struct process *process)
{
	const struct program *program = process->payload;
	struct buf why = BUF_INIT;

	if (!process_talks(process))
		buf_addstr(&why, "the command closed its output");
	else
		buf_addf(&why, "the command gave no answer within %lld ms", (long long)program->pool->agent->timeout_ms);
	process_end(process, why.s);
	buf_release(&why);
}

/* One that only closed its output is of no more use. */
static void
on_closed(struct process *process)
{
	process_timer(process, PROCESS_TERM_MS);
}

/* Whole lines: the first one is the answer of whoever waits for one. */
static void
take_lines(struct program *program)
{
	struct buf *output = &program->process.output;
	const char *end;

	while ((end = memchr(output->s, '\n', output->len))) {
		size_t n = (size_t)(end - output->s);
		struct resident_call *call = program->call;
		struct buf line = BUF_INIT;

		if (blank_only(output->s, n, BLANK_JSON)) {
			buf_consume(output, n + 1);
			continue;
		}
		if (!call) {
			process_end(&program->process, "the command said what it was not asked for");
			return;
		}
		buf_add(&line, output->s, n);
		buf_consume(output, n + 1);
		program->call = NULL;
		process_timer_stop(&program->process);
		process_send_stop(&program->process);
		tell(call, true, &line, "");
		buf_release(&line);
		go_on(program->pool->residents);
	}
}

static void
on_output(struct process *process)
{
	struct program *program = process->payload;

	if (process->killed)
		buf_reset(&process->output);
	else
		take_lines(program);
	if (process->output.len > program->pool->residents->output_max)
		process_end(process, "the command's answer is too long");
}

static struct program *
program_start(struct pool *pool, struct err *err)
{
	static const struct process_calls calls = { .output = on_output, .closed = on_closed, .late = on_late, .ended = on_ended };
	const struct agent *agent = pool->agent;
	struct program *program = xcalloc(1, sizeof *program);

	process_init(&program->process, &calls, program);
	if (!process_start(&program->process, pool->residents->base, (const char *const *)(uintptr_t)agent->argv,
		(const char *const *)(uintptr_t)pool->env, agent->directory.len ? agent->directory.s : NULL, err)) {
		process_release(&program->process);
		free(program);
		return NULL;
	}
	program->pool = pool;
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
	call->program = program;
	process_timer(&program->process, program->pool->agent->timeout_ms);
	process_send(&program->process, &call->input, false);
}

static struct program *
find_idle(const struct pool *pool)
{
	struct program *program;

	for (program = pool->programs; program; program = program->next)
		if (!program->call && !program->process.killed && process_talks(&program->process))
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
	const struct agent *now = agents_by_service(pool->residents->agents, span_of(&pool->agent->service));

	return now == pool->agent && now->state.lifecycle == LIFE_RUNNING && now->state.since_ms == pool->since_ms;
}

static bool
service_runs(const struct pool *pool)
{
	const struct agent *now = agents_by_service(pool->residents->agents, span_of(&pool->agent->service));

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
		process_end(&program->process, text.s);
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
		process_end(&call->program->process, why);
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
			process_end(&program->process, "the gateway is stopping");
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
		for (program = pool->programs; program; program = program->next)
			process_ask_to_end(&program->process);
	for (pool = residents->pools; pool; pool = pool->next)
		for (program = pool->programs; program; program = program->next)
			process_wait(&program->process, deadline);
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
