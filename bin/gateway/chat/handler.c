/* handler.c - whoever answers a job */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "agents/agents.h"
#include "chat/command.h"
#include "chat/handler.h"
#include "chat/internal.h"
#include "chat/resident.h"
#include "services/services.h"
#include "xalloc.h"

struct handlers {
	const struct agents *agents;
	struct services *services;
	struct commands *commands;
	struct residents *residents;
	struct chat_turns turns; /* start NULL: nobody runs turns */
	char *url, *questions;
};

static void
after_command(bool ok, const struct buf *output, const char *why, void *payload)
{
	struct job *job = payload;

	job->call = NULL;
	job->resident = NULL;
	buf_reset(&job->reply);
	if (ok && job->firing) {
		firing_answer(job, output);
		job_end(job, job->failed);
	} else if (ok)
		job_end(job, !arguments_reply(job, output, &job->reply));
	else {
		buf_addstr(&job->reply, why);
		job_end(job, true);
	}
}

static char *
env_string(const char *name, const char *value)
{
	struct buf text = BUF_INIT;

	buf_addf(&text, "%s=%s", name, value);
	return buf_detach(&text, NULL);
}

static char *
env_text(const char *name, const struct buf *value)
{
	return env_string(name, value->s);
}

static void
run_command(struct handlers *handlers, struct job *job)
{
	const struct agent *agent = job->handler;
	struct buf input = BUF_INIT, url = BUF_INIT, questions = BUF_INIT;
	struct command_request request = { .argv = (const char *const *)(uintptr_t)agent->argv,
		.dir = agent->directory.len ? agent->directory.s : NULL,
		.timeout_ms = agent->timeout_ms };
	char *env[8];
	size_t n = 4, i;

	buf_addstr(&url, handlers->url);
	buf_addstr(&questions, handlers->questions);
	env[0] = env_text("AGENT_SERVICE_ID", &agent->service);
	env[1] = env_text("AGENT_ID", &agent->agent_id);
	env[2] = env_text("AGENT_RUNTIME_URL", &url);
	env[3] = env_text("CLARITY_HITL_DIR", &questions);
	/* one that stays sees many runs: each of its lines names its own */
	if (!agent->long_lived) {
		env[n++] = env_text("AGENT_RUN_ID", &job->run);
		if (job->trace.parent)
			env[n++] = env_string("TRACEPARENT", job->trace.parent);
		if (job->trace.state)
			env[n++] = env_string("TRACESTATE", job->trace.state);
	}
	env[n] = NULL;
	if (job->firing)
		firing_arguments(job, &input);
	else
		arguments_make(job, &input);
	request.env = (const char *const *)env;
	request.input = input.s;
	request.input_len = input.len;
	if (agent->long_lived)
		job->resident = resident_ask(handlers->residents, agent, request.env, &input, after_command, job);
	else
		job->call = command_start(handlers->commands, &request, after_command, job);
	for (i = 0; env[i]; i++)
		free(env[i]);
	buf_release(&input);
	buf_release(&url);
	buf_release(&questions);
}

static void
after_remote(bool ok, struct span result, const char *why, void *payload)
{
	struct job *job = payload;

	job->remote = NULL;
	job->tool_called = ok;
	buf_reset(&job->reply);
	if (ok && job->firing) {
		struct buf output = BUF_INIT;

		buf_add(&output, result.s, result.n);
		firing_answer(job, &output);
		buf_release(&output);
		job_end(job, job->failed);
	} else if (ok)
		job_end(job, !arguments_remote_reply(job, result, &job->reply));
	else {
		buf_addstr(&job->reply, why);
		job_end(job, true);
	}
}

static void
run_remote(struct handlers *handlers, struct job *job)
{
	const struct agent *agent = job->handler;
	const char *tool = job->firing ? firing_tool(job->firing) : agent->handler_tool.s;
	struct services_request request = { .service = { agent->service.s, agent->service.len },
		.tool = { tool, strlen(tool) },
		.session = job->session.s,
		.run = job->run.s,
		.timeout_ms = job->firing ? 0 : agent->timeout_ms,
		.trace = &job->trace };
	struct buf arguments = BUF_INIT;

	if (job->firing)
		firing_arguments(job, &arguments);
	else
		arguments_make(job, &arguments);
	request.arguments = (struct span){ arguments.s, arguments.len - 1 }; /* without its end of line */
	job->remote = services_call(handlers->services, &request, after_remote, job);
	buf_release(&arguments);
}

static void
on_turn_stored(struct change_context *context, bool ok, struct span text, struct span error, struct span usage, void *payload)
{
	struct job *job = payload;

	buf_reset(&job->reply);
	buf_add(&job->reply, text.s, text.n);
	buf_reset(&job->error);
	buf_add(&job->error, error.s, error.n);
	buf_reset(&job->usage);
	buf_add(&job->usage, usage.s, usage.n);
	/* a turn may have worked and said nothing */
	if (ok && !job->reply.len)
		buf_addstr(&job->reply, "(no text)");
	job->failed = !ok;
	job_store_end(context, job);
}

static void
after_turn(bool stored, struct span text, void *payload)
{
	struct job *job = payload;

	job->turn = NULL;
	if (stored) {
		job_finish(job);
		return;
	}
	buf_reset(&job->reply);
	buf_add(&job->reply, text.s, text.n);
	job_end(job, true);
}

static void
run_turn(struct handlers *handlers, struct job *job)
{
	struct chat_turn turn = { .run = { job->run.s, job->run.len },
		.options = { job->turn_options.s, job->turn_options.len },
		.agent = job->handler,
		.trace = &job->trace };

	if (job->firing && !job->text.len)
		firing_text(job, &job->text);
	turn.text = span_of(&job->text);
	job->stop_turn = handlers->turns.stop;
	job->turn = handlers->turns.start(&turn, on_turn_stored, after_turn, job, handlers->turns.payload);
}

/* Why nobody can be asked; false: somebody can. */
static bool
cannot_ask(const struct handlers *handlers, const struct job *job, const struct agent *now, struct buf *why)
{
	if (!job->service.len && !job->handler)
		buf_addstr(why, "runtime chat dispatch requires serviceId on run or request");
	else if (!now)
		buf_addf(why, "service not found: %s", job->service.s);
	else if (now->origin == ORIGIN_LOCAL_WASM)
		buf_addf(why, "local_wasm handlers are not run by this gateway (%s): use chat mode echo, or a command or remote_mcp origin",
		    job->service.s);
	else if (now->state.lifecycle != LIFE_RUNNING)
		buf_addf(why, "service is not running: %s", job->service.s);
	else if (now->origin == ORIGIN_RUNTIME && !handlers->turns.start)
		buf_addstr(why, "no runtimes here");
	return why->len;
}

void
handler_ask(struct handlers *handlers, struct job *job)
{
	const struct agent *now = job->handler ? agents_by_service(handlers->agents, span_of(&job->handler->service)) : NULL;

	/* what the service is now counts, not what it was when the message came */
	if (now && now != job->handler) {
		agent_unref(job->handler);
		job->handler = agent_ref(now);
	}
	if (cannot_ask(handlers, job, now, &job->reply))
		job_end(job, true);
	else if (now->origin == ORIGIN_COMMAND)
		run_command(handlers, job);
	else if (now->origin == ORIGIN_RUNTIME)
		run_turn(handlers, job);
	else
		run_remote(handlers, job);
}

void
handler_end(struct job *job, const char *why)
{
	if (job->call)
		command_end(job->call, why);
	else if (job->resident)
		resident_end(job->resident, why);
	else if (job->remote)
		service_call_end(job->remote, why);
	else if (job->turn)
		job->stop_turn(job->turn);
}

void
handlers_missed(struct handlers *handlers, const struct job *job)
{
	if (handlers->turns.start)
		handlers->turns.missed(
		    span_of(&job->turn_options), (struct span){ job->reply.s, job->failed ? job->reply.len : 0 }, handlers->turns.payload);
}

void
handlers_set_turns(struct handlers *handlers, const struct chat_turns *turns)
{
	handlers->turns = *turns;
}

const struct chat_turns *
handlers_turns(const struct handlers *handlers)
{
	return &handlers->turns;
}

void
handlers_stop(struct handlers *handlers)
{
	commands_stop(handlers->commands);
	residents_stop(handlers->residents);
	services_stop(handlers->services);
}

struct handlers *
handlers_new(struct event_base *base, const struct agents *agents, struct services *services, const char *url, const char *questions)
{
	struct handlers *handlers = xcalloc(1, sizeof *handlers);

	handlers->agents = agents;
	handlers->services = services;
	handlers->commands = commands_new(base, CHAT_REPLY_MAX);
	handlers->residents = residents_new(base, agents, CHAT_REPLY_MAX);
	handlers->url = xstrdup(url ? url : "");
	handlers->questions = xstrdup(questions ? questions : "");
	return handlers;
}

void
handlers_free(struct handlers *handlers)
{
	if (!handlers)
		return;
	commands_free(handlers->commands);
	residents_free(handlers->residents);
	free(handlers->url);
	free(handlers->questions);
	free(handlers);
}

size_t
handlers_count(const struct handlers *handlers)
{
	return commands_count(handlers->commands);
}
