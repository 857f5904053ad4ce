/*
 * agent-runtime-acp - a runtime that drives an agent of the Agent Client Protocol
 *
 * reads   requests of the runtime protocol, agent-runtime(7), one JSON object a line
 * writes  answers and notifications, one a line
 *
 * The agent is one process for all threads, started with the first turn; each thread is a session there. It asks before it does something, and
 * what it asks goes to the client as an approval. Its death fails the turns that are in it; the next turn starts another.
 */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "acp_files.h"
#include "clock.h"
#include "die.h"
#include "err.h"
#include "line.h"
#include "num.h"
#include "opt.h"
#include "out.h"
#include "serve.h"
#include "sig.h"
#include "spawn.h"
#include "status.h"
#include "xalloc.h"

#define START_MS 60000			   /* the agent's greeting, and a session */
#define TURN_MS 3600000			   /* a turn */
#define CANCEL_MS 5000			   /* an agent that was told to stop; then it is ended */
#define STOP_MS 1000			   /* between SIGTERM and SIGKILL */
#define AGENT_LINE_MAX (16u * 1024 * 1024) /* bytes in one line of the agent */
#define AGENT_HELD_MAX (64u * 1024 * 1024) /* bytes that it does not read */
#define TOOLS_MAX 1000			   /* tool calls of a turn; more are not shown */
#define TOOL_TEXT_MAX (1024u * 1024)	   /* bytes of what a tool call gave that are kept */
#define ASKS_MAX 64			   /* open questions of a turn; more are refused */
#define BEFORE_MAX 65536u		   /* bytes of what was said before, told to a session that does not know it */
#define WORDS_MAX 64			   /* words of --command */

enum { OPT_COMMAND = OPT_OWN, OPT_STATE, OPT_AUTH, OPT_KEY_ENV, OPT_START, OPT_TURN };

static const struct opt opts[] = {
	{ OPT_COMMAND, "command", "WORDS", "the agent's command, split at blanks; or give it after --" },
	{ OPT_STATE, "state", "DIR", "where threads are kept, so that they can be resumed (default: nowhere)" },
	{ OPT_AUTH, "auth", "METHOD", "log in to the agent by this one of its methods" },
	{ OPT_KEY_ENV, "key-env", "NAME", "the agent's variable for a key that a client logs in with" },
	{ OPT_START, "start-timeout", "DURATION", "longest time until the agent is ready (default 1m)" },
	{ OPT_TURN, "turn-timeout", "DURATION", "longest time of a turn (default 1h)" },
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-runtime-acp",
	.synopsis = "[options] -- COMMAND [ARGUMENT ...]",
	.about = "a runtime on any agent that speaks the Agent Client Protocol",
	.example = "  agent-gateway --runtime 'agent-runtime-acp -- gemini --experimental-acp'",
	.opts = opts,
	.words_are_text = true,
};

/* What a thread's session in the agent was opened with; the engine's own of a thread. */
struct session {
	unsigned agent; /* which process knows it */
	struct buf cwd;
};

struct tool {
	struct buf call; /* the agent's id */
	char item[SERVE_ID];
	struct buf title, output, changes;
	bool patch, done;
};

enum state { WAITS_AGENT, WAITS_SESSION, PROMPTED };

/* One turn. */
struct talk {
	struct acp *acp;
	struct serve_turn *turn;
	enum state state;
	bool fresh; /* the session knows nothing yet */
	int64_t deadline;
	struct buf steered; /* said while it worked; goes along when it is done */
	struct tool *tools;
	size_t n_tools;
	struct asked *asked;
	unsigned n_asked;
	struct talk *next, **prev;
};

/* A question of the agent that a person decides. */
struct asked {
	struct talk *talk;
	struct buf id;	       /* of the agent's request; "" when it is answered */
	struct buf options[4]; /* by kind */
	size_t tool;
	struct asked *next;
};

enum { ALLOW_ONCE, ALLOW_ALWAYS, REJECT_ONCE, REJECT_ALWAYS };
static const char *const kinds[4] = { "allow_once", "allow_always", "reject_once", "reject_always" };

enum call_kind { CALL_INITIALIZE, CALL_AUTHENTICATE, CALL_NEW, CALL_LOAD, CALL_PROMPT };

/* A request of ours. */
struct call {
	int64_t id;
	enum call_kind kind;
	struct talk *talk; /* NULL: of the agent as a whole, or of a turn that is over */
	struct call *next;
};

struct acp {
	struct serve *serve;
	const char *const *argv;
	const char *auth, *key_env;
	bool has_key, stale; /* stale: the key is another one, the agent has to be started anew */
	bool closing;
	int64_t start_ms, turn_ms;

	pid_t pid; /* 0: none runs */
	struct kin kin;
	unsigned agent;
	int in_fd, out_fd;
	struct line line;
	struct buf held; /* not written yet */
	bool ready, loads;
	struct buf dying; /* why it has to end, "" */
	int64_t next_id;
	struct call *calls;
	struct talk *talks;
};

#define INTERNAL "\"internalServerError\""

static void prompt(struct talk *talk);

/* ---- the wire */

static void
send_line(struct acp *acp, struct buf *line)
{
	buf_addch(line, '\n');
	if (acp->pid && acp->held.len + line->len > AGENT_HELD_MAX) {
		if (!acp->dying.len)
			buf_addf(&acp->dying, "the agent does not read: %u bytes are waiting for it", AGENT_HELD_MAX);
	} else if (acp->pid)
		buf_add(&acp->held, line->s, line->len);
	buf_release(line);
}

static void
begin_message(struct buf *line)
{
	buf_addch(line, '{');
	jtext_add_string(line, "jsonrpc", "2.0", 3);
}

/* params: JSON */
static void
request(struct acp *acp, struct talk *talk, enum call_kind kind, const struct buf *params)
{
	static const char *const methods[] = { "initialize", "authenticate", "session/new", "session/load", "session/prompt" };
	struct call *call = xcalloc(1, sizeof *call);
	struct buf line = BUF_INIT;

	call->id = acp->next_id++;
	call->kind = kind;
	call->talk = talk;
	call->next = acp->calls;
	acp->calls = call;
	begin_message(&line);
	jtext_add_i64(&line, "id", call->id);
	jtext_add_string(&line, "method", methods[kind], strlen(methods[kind]));
	jtext_add_raw(&line, "params", params->s, params->len);
	buf_addch(&line, '}');
	send_line(acp, &line);
}

static void
respond(struct acp *acp, const char *id, const char *result)
{
	struct buf line = BUF_INIT;

	begin_message(&line);
	jtext_add_raw(&line, "id", id, strlen(id));
	jtext_add_raw(&line, "result", result, strlen(result));
	buf_addch(&line, '}');
	send_line(acp, &line);
}

static void
respond_error(struct acp *acp, const char *id, int code, const char *message)
{
	struct buf line = BUF_INIT;

	begin_message(&line);
	jtext_add_raw(&line, "id", id, strlen(id));
	buf_addstr(&line, ",\"error\":{");
	jtext_add_i64(&line, "code", code);
	jtext_add_string(&line, "message", message, strlen(message));
	buf_addstr(&line, "}}");
	send_line(acp, &line);
}

/* ---- tool calls, as items */

static void
tool_item(struct talk *talk, const struct tool *tool, const char *status)
{
	const struct serve_thread *thread = talk->turn->thread;
	bool over = strcmp(status, "inProgress") != 0, ran = over && strcmp(status, "declined") != 0;
	struct buf item = BUF_INIT;

	buf_addch(&item, '{');
	jtext_add_string(&item, "type", tool->patch ? "fileChange" : "commandExecution", tool->patch ? 10 : 16);
	jtext_add_string(&item, "id", tool->item, strlen(tool->item));
	if (tool->patch)
		buf_addf(&item, ",\"changes\":[%s]", tool->changes.s);
	else {
		jtext_add_string(&item, "command", tool->title.s, tool->title.len);
		jtext_add_string(&item, "cwd", thread->cwd.s, thread->cwd.len);
		buf_addstr(&item, ",\"processId\":null,\"commandActions\":[],\"exitCode\":null,\"durationMs\":null");
		if (ran)
			jtext_add_string(&item, "aggregatedOutput", tool->output.s, tool->output.len);
		else
			jtext_add_raw(&item, "aggregatedOutput", "null", 4);
	}
	jtext_add_string(&item, "status", status, strlen(status));
	buf_addch(&item, '}');
	serve_item(talk->turn, over, &item);
	buf_release(&item);
}

static void
tool_end(struct talk *talk, struct tool *tool, const char *status)
{
	if (tool->done)
		return;
	tool->done = true;
	tool_item(talk, tool, status);
}

static void
add_change(struct tool *tool, struct span diff)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	struct span old;
	bool add = !jtext_get(diff, "oldText", &old) || jtext_type(old) == JTEXT_NULL;

	jtext_get_string(diff, "path", &path);
	jtext_get_string(diff, "newText", &text);
	if (tool->changes.len + text.len <= TOOL_TEXT_MAX) {
		if (tool->changes.len)
			buf_addch(&tool->changes, ',');
		buf_addch(&tool->changes, '{');
		jtext_add_string(&tool->changes, "path", path.s, path.len);
		buf_addf(&tool->changes, ",\"kind\":{\"type\":\"%s\"}", add ? "add" : "update");
		jtext_add_string(&tool->changes, "diff", text.s, text.len);
		buf_addch(&tool->changes, '}');
	}
	buf_release(&path);
	buf_release(&text);
}

/* content replaces what was there */
static void
tool_content(struct tool *tool, struct span contents)
{
	struct span key, entry, block, type;
	struct buf text = BUF_INIT;
	size_t pos = 0;

	buf_reset(&tool->output);
	buf_reset(&tool->changes);
	while (jtext_each(contents, &pos, &key, &entry)) {
		if (!jtext_get(entry, "type", &type))
			continue;
		if (jtext_is_string(type, "diff"))
			add_change(tool, entry);
		else if (jtext_get(entry, "content", &block) && jtext_get_string(block, "text", &text)) {
			if (tool->output.len + text.len <= TOOL_TEXT_MAX)
				buf_add(&tool->output, text.s, text.len);
			buf_reset(&text);
		}
	}
	buf_release(&text);
}

static bool
is_patch(struct span call)
{
	struct span kind, contents, key, entry, type;
	size_t pos = 0;

	if (jtext_get(call, "kind", &kind) &&
	    (jtext_is_string(kind, "edit") || jtext_is_string(kind, "delete") || jtext_is_string(kind, "move")))
		return true;
	if (jtext_get(call, "content", &contents) && jtext_type(contents) == JTEXT_ARRAY)
		while (jtext_each(contents, &pos, &key, &entry))
			if (jtext_get(entry, "type", &type) && jtext_is_string(type, "diff"))
				return true;
	return false;
}

static void
tool_title(struct tool *tool, struct span call)
{
	struct buf text = BUF_INIT;
	struct span input;

	if (!jtext_get(call, "rawInput", &input) || !jtext_get_string(input, "command", &text))
		jtext_get_string(call, "title", &text);
	if (text.len) {
		buf_reset(&tool->title);
		buf_add(&tool->title, text.s, text.len);
	}
	buf_release(&text);
}

/* The tool call that is meant, brought up to date; told when it is new or over. NULL: it has no id, or there are too many. */
static struct tool *
take_tool(struct talk *talk, struct span call)
{
	struct buf id = BUF_INIT;
	struct tool *tool = NULL;
	struct span value;
	size_t i;
	bool new = false;

	if (!jtext_get_string(call, "toolCallId", &id))
		return NULL;
	for (i = 0; i < talk->n_tools && !tool; i++)
		if (talk->tools[i].call.len == id.len && !memcmp(talk->tools[i].call.s, id.s, id.len))
			tool = &talk->tools[i];
	if (!tool && talk->n_tools < TOOLS_MAX) {
		talk->tools = xrealloc(talk->tools, (talk->n_tools + 1) * sizeof *talk->tools);
		tool = &talk->tools[talk->n_tools++];
		*tool = (struct tool){ .call = BUF_INIT, .title = BUF_INIT, .output = BUF_INIT, .changes = BUF_INIT };
		buf_add(&tool->call, id.s, id.len);
		key_uuid(tool->item);
		tool->patch = is_patch(call);
		new = true;
	}
	buf_release(&id);
	if (!tool || tool->done)
		return tool;
	tool_title(tool, call);
	if (jtext_get(call, "content", &value) && jtext_type(value) == JTEXT_ARRAY)
		tool_content(tool, value);
	if (new) {
		serve_message_end(talk->turn);
		tool_item(talk, tool, "inProgress");
	}
	if (jtext_get(call, "status", &value)) {
		if (jtext_is_string(value, "completed"))
			tool_end(talk, tool, "completed");
		else if (jtext_is_string(value, "failed"))
			tool_end(talk, tool, "failed");
	}
	return tool;
}

/* ---- the end of a turn */

static void
asked_outcome(struct asked *asked, const char *option)
{
	struct buf result = BUF_INIT;

	if (!asked->id.len)
		return;
	if (option) {
		buf_addstr(&result, "{\"outcome\":{\"outcome\":\"selected\"");
		jtext_add_string(&result, "optionId", option, strlen(option));
		buf_addstr(&result, "}}");
	} else
		buf_addstr(&result, "{\"outcome\":{\"outcome\":\"cancelled\"}}");
	respond(asked->talk->acp, asked->id.s, result.s);
	buf_reset(&asked->id);
	buf_release(&result);
}

static void
end(struct talk *talk, const char *message, const char *info, const char *details)
{
	struct call *call;
	size_t i;

	*talk->prev = talk->next;
	if (talk->next)
		talk->next->prev = talk->prev;
	for (call = talk->acp->calls; call; call = call->next)
		if (call->talk == talk)
			call->talk = NULL;
	for (i = 0; i < talk->n_tools; i++)
		tool_end(talk, &talk->tools[i], "failed");
	serve_end(talk->turn, message, info, details); /* frees what was asked, by on_answered() */
	for (i = 0; i < talk->n_tools; i++) {
		buf_release(&talk->tools[i].call);
		buf_release(&talk->tools[i].title);
		buf_release(&talk->tools[i].output);
		buf_release(&talk->tools[i].changes);
	}
	free(talk->tools);
	buf_release(&talk->steered);
	free(talk);
}

/* ---- the agent's process */

/* Has it ended by then? */
static bool
reaped(pid_t pid, int64_t deadline)
{
	for (;;) {
		pid_t got = waitpid(pid, NULL, WNOHANG);

		if (got == pid || (got < 0 && errno != EINTR))
			return true;
		if (!deadline_left(deadline))
			return false;
		(void)poll(NULL, 0, 5);
	}
}

/* Ends it and everything it has started in its group; why fails the turns in it. */
static void
agent_stop(struct acp *acp, const char *why)
{
	struct call *call;
	pid_t pid = acp->pid;

	if (!pid)
		return;
	acp->pid = 0;
	close(acp->in_fd);
	kin_signal(&acp->kin, SIGTERM);
	if (!reaped(pid, deadline_in(STOP_MS))) {
		kin_signal_group(&acp->kin, SIGKILL);
		(void)reaped(pid, DEADLINE_NONE);
	}
	kin_signal(&acp->kin, SIGKILL); /* whoever it left behind */
	close(acp->out_fd);
	line_release(&acp->line);
	buf_reset(&acp->held);
	buf_reset(&acp->dying);
	while ((call = acp->calls)) {
		acp->calls = call->next;
		free(call);
	}
	while (acp->talks)
		end(acp->talks, why, INTERNAL, NULL);
}

static bool
agent_start(struct acp *acp, struct err *err)
{
	struct spawn spawn = { .argv = acp->argv, .in = SPAWN_PIPE, .out = SPAWN_PIPE, .own_group = true };
	struct buf params = BUF_INIT;

	if (!spawn_start(&spawn, err))
		return false;
	acp->pid = spawn.pid;
	acp->kin = spawn.kin;
	acp->in_fd = spawn.in_fd;
	acp->out_fd = spawn.out_fd;
	acp->agent++;
	acp->ready = acp->loads = acp->stale = false;
	(void)fcntl(acp->in_fd, F_SETFL, O_NONBLOCK);
	(void)fcntl(acp->out_fd, F_SETFL, O_NONBLOCK);
	line_init(&acp->line, acp->out_fd, AGENT_LINE_MAX);
	buf_addstr(&params,
	    "{\"protocolVersion\":1,\"clientCapabilities\":{\"fs\":{\"readTextFile\":true,\"writeTextFile\":true},\"terminal\":false},"
	    "\"clientInfo\":{\"name\":\"agentutils\",\"version\":\"" PACKAGE_VERSION "\"}}");
	request(acp, NULL, CALL_INITIALIZE, &params);
	buf_release(&params);
	return true;
}

/* ---- sessions and prompts */

static void
open_session(struct talk *talk)
{
	struct acp *acp = talk->acp;
	struct serve_thread *thread = talk->turn->thread;
	struct session *session = thread->engine;
	struct buf params = BUF_INIT;
	bool load = thread->session.len && acp->loads;

	if (thread->session.len && session && session->agent == acp->agent && !strcmp(session->cwd.s, thread->cwd.s)) {
		prompt(talk);
		return;
	}
	if (!session) {
		session = thread->engine = xcalloc(1, sizeof *session);
		buf_init(&session->cwd);
	}
	session->agent = 0;
	buf_reset(&session->cwd);
	buf_add(&session->cwd, thread->cwd.s, thread->cwd.len);
	talk->state = WAITS_SESSION;
	buf_addch(&params, '{');
	jtext_add_string(&params, "cwd", thread->cwd.s, thread->cwd.len);
	jtext_add_raw(&params, "mcpServers", "[]", 2);
	if (load)
		jtext_add_string(&params, "sessionId", thread->session.s, thread->session.len);
	buf_addch(&params, '}');
	request(acp, talk, load ? CALL_LOAD : CALL_NEW, &params);
	buf_release(&params);
}

static void
add_block(struct buf *to, const char *s, size_t n)
{
	buf_addstr(to, to->s[to->len - 1] == '[' ? "{\"type\":\"text\"" : ",{\"type\":\"text\"");
	jtext_add_string(to, "text", s, n);
	buf_addch(to, '}');
}

/* What a session that is new has to know: instructions, and what was said before this turn. */
static void
add_before(struct buf *to, const struct serve_thread *thread)
{
	size_t last = thread->n_said ? thread->n_said - 1 : 0, i = last, left = BEFORE_MAX;
	struct buf text = BUF_INIT;

	if (thread->instructions.len)
		add_block(to, thread->instructions.s, thread->instructions.len);
	for (; i > 0 && thread->said[i - 1].text.len <= left; i--)
		left -= thread->said[i - 1].text.len;
	if (i < last) {
		buf_addstr(&text, "What was said before:\n");
		for (; i < last; i++)
			buf_addf(&text, "\n%s: %s\n", thread->said[i].role, thread->said[i].text.s);
		add_block(to, text.s, text.len);
	}
	buf_release(&text);
}

static void
prompt(struct talk *talk)
{
	const struct serve_thread *thread = talk->turn->thread;
	struct buf params = BUF_INIT;

	talk->state = PROMPTED;
	talk->deadline = deadline_in(talk->acp->turn_ms);
	buf_addch(&params, '{');
	jtext_add_string(&params, "sessionId", thread->session.s, thread->session.len);
	buf_addstr(&params, ",\"prompt\":[");
	if (talk->fresh)
		add_before(&params, thread);
	talk->fresh = false;
	add_block(&params, talk->turn->input.s, talk->turn->input.len);
	if (talk->steered.len)
		add_block(&params, talk->steered.s, talk->steered.len);
	buf_reset(&talk->steered);
	buf_addstr(&params, "]}");
	request(talk->acp, talk, CALL_PROMPT, &params);
	buf_release(&params);
}

/* What was said while it worked: the same turn goes on with it. */
static void
prompt_more(struct talk *talk)
{
	struct buf more = talk->steered;

	buf_init(&talk->steered);
	serve_message_end(talk->turn);
	buf_release(&talk->turn->input);
	talk->turn->input = more;
	prompt(talk);
}

static void
cancel(struct talk *talk)
{
	const struct buf *session = &talk->turn->thread->session;
	struct buf line = BUF_INIT;
	struct asked *asked;

	begin_message(&line);
	buf_addstr(&line, ",\"method\":\"session/cancel\",\"params\":{");
	jtext_add_string(&line, "sessionId", session->s, session->len);
	buf_addstr(&line, "}}");
	send_line(talk->acp, &line);
	for (asked = talk->asked; asked; asked = asked->next)
		asked_outcome(asked, NULL);
	talk->deadline = deadline_in(CANCEL_MS);
}

static void
on_interrupt(struct serve_turn *turn)
{
	struct talk *talk = turn->engine;

	if (talk->state == PROMPTED && !talk->acp->closing)
		cancel(talk);
	else
		end(talk, NULL, NULL, NULL);
}

static void
on_steer(struct serve_turn *turn, struct span text)
{
	struct talk *talk = turn->engine;

	if (talk->steered.len)
		buf_addstr(&talk->steered, "\n\n");
	buf_add(&talk->steered, text.s, text.n);
}

static void
on_turn(struct serve_turn *turn)
{
	struct acp *acp = serve_engine_payload(turn->serve);
	struct talk *talk = xcalloc(1, sizeof *talk);
	struct err err = ERR_INIT;

	if (acp->stale && !acp->talks)
		agent_stop(acp, "");
	talk->acp = acp;
	talk->turn = turn;
	turn->engine = talk;
	buf_init(&talk->steered);
	talk->deadline = deadline_in(acp->start_ms);
	talk->next = acp->talks;
	talk->prev = &acp->talks;
	if (talk->next)
		talk->next->prev = &talk->next;
	acp->talks = talk;
	if (*turn->thread->cwd.s != '/')
		end(talk, "unable to open a session: the thread's cwd is no absolute path", "\"badRequest\"", NULL);
	else if (!acp->pid && !agent_start(acp, &err))
		end(talk, err.text, INTERNAL, "is the agent installed, and on the PATH of this runtime?");
	else if (acp->ready)
		open_session(talk);
}

static void
on_forget(struct serve_thread *thread)
{
	struct session *session = thread->engine;

	if (session)
		buf_release(&session->cwd);
	free(session);
}

/* ---- what the agent answers */

static void
end_refused(struct talk *talk, const char *what, struct span error)
{
	struct buf message = BUF_INIT, said = BUF_INIT, details = BUF_INIT;
	struct span data;
	int64_t code = 0;

	(void)jtext_get_i64(error, "code", &code);
	jtext_get_string(error, "message", &said);
	if (jtext_get(error, "data", &data) && jtext_type(data) != JTEXT_NULL)
		jtext_compact(&details, data);
	buf_addf(&message, "the agent refused %s: %s", what, said.len ? said.s : "no reason given");
	if (code == -32000)
		buf_addstr(&message, "; log in with the agent's own command, or give --auth");
	end(talk, message.s,
	    code == -32000			   ? "\"unauthorized\""
		: code == -32602 || code == -32600 ? "\"badRequest\""
						   : INTERNAL,
	    details.len ? details.s : NULL);
	buf_release(&message);
	buf_release(&said);
	buf_release(&details);
}

static void
take_usage(struct serve_turn *turn, struct span usage)
{
	static const char *const names[4] = { "inputTokens", "cachedReadTokens", "outputTokens", "thoughtTokens" };
	int64_t n;
	size_t i;

	for (i = 0; i < 4; i++)
		if (jtext_get_i64(usage, names[i], &n) && n > 0 && n < INT64_MAX / 4 - turn->usage[i])
			turn->usage[i] += n;
}

static void
take_stop(struct talk *talk, struct span result)
{
	struct buf reason = BUF_INIT, message = BUF_INIT;
	struct span usage;

	if (jtext_get(result, "usage", &usage))
		take_usage(talk->turn, usage);
	jtext_get_string(result, "stopReason", &reason);
	if (!strcmp(reason.s, "cancelled"))
		talk->turn->interrupted = true;
	if (talk->turn->interrupted)
		end(talk, NULL, NULL, NULL);
	else if (strcmp(reason.s, "end_turn") != 0) {
		buf_addf(&message, "the agent stopped: %.100s", reason.len ? reason.s : "no reason given");
		end(talk, message.s, NULL, NULL);
	} else if (talk->steered.len)
		prompt_more(talk);
	else
		end(talk, NULL, NULL, NULL);
	buf_release(&reason);
	buf_release(&message);
}

static void
all_ready(struct acp *acp)
{
	struct talk *talk, *next;

	acp->ready = true;
	for (talk = acp->talks; talk; talk = next) {
		next = talk->next;
		if (talk->state == WAITS_AGENT)
			open_session(talk);
	}
}

static void
take_greeting(struct acp *acp, struct span result)
{
	struct buf params = BUF_INIT;
	struct span capabilities, value;
	int64_t version = 0;

	if (!jtext_get_i64(result, "protocolVersion", &version) || version != 1) {
		buf_addf(&acp->dying, "the agent speaks version %lld of the Agent Client Protocol, and this runtime version 1",
		    (long long)version);
		return;
	}
	acp->loads = jtext_get(result, "agentCapabilities", &capabilities) && jtext_get(capabilities, "loadSession", &value) &&
	    jtext_type(value) == JTEXT_TRUE;
	if (!acp->auth) {
		all_ready(acp);
		return;
	}
	buf_addch(&params, '{');
	jtext_add_string(&params, "methodId", acp->auth, strlen(acp->auth));
	buf_addch(&params, '}');
	request(acp, NULL, CALL_AUTHENTICATE, &params);
	buf_release(&params);
}

static void
take_session(struct talk *talk, struct span result, bool loaded)
{
	struct serve_thread *thread = talk->turn->thread;
	struct session *session = thread->engine;
	struct buf id = BUF_INIT;

	if (!loaded && (!jtext_get_string(result, "sessionId", &id) || !id.len)) {
		end(talk, "the agent opened a session without an id", INTERNAL, NULL);
		buf_release(&id);
		return;
	}
	session->agent = talk->acp->agent;
	if (!loaded) {
		talk->fresh = true;
		serve_session(thread, id.s, id.len);
	}
	buf_release(&id);
	prompt(talk);
}

static void
take_answer(struct acp *acp, struct span message, int64_t id)
{
	static const char *const whats[] = { "the greeting", "the login", "a session", "the session", "the prompt" };
	struct call **at = &acp->calls, *call;
	struct span result, error;
	struct talk *talk;
	enum call_kind kind;
	bool failed = jtext_get(message, "error", &error) && jtext_type(error) != JTEXT_NULL;

	while ((call = *at) && call->id != id)
		at = &call->next;
	if (!call)
		return;
	*at = call->next;
	kind = call->kind;
	talk = call->talk;
	free(call);
	if (!jtext_get(message, "result", &result))
		result = (struct span){ "{}", 2 };
	if (kind == CALL_INITIALIZE || kind == CALL_AUTHENTICATE) {
		if (failed) {
			while (acp->talks)
				end_refused(acp->talks, whats[kind], error);
			buf_addstr(&acp->dying, "the agent refused the greeting");
		} else if (kind == CALL_INITIALIZE)
			take_greeting(acp, result);
		else
			all_ready(acp);
	} else if (!talk)
		; /* its turn is over */
	else if (failed && kind == CALL_LOAD) {
		serve_session(talk->turn->thread, "", 0);
		open_session(talk); /* it does not know it any more: a new one */
	} else if (failed && talk->turn->interrupted)
		end(talk, NULL, NULL, NULL);
	else if (failed)
		end_refused(talk, whats[kind], error);
	else if (kind == CALL_PROMPT)
		take_stop(talk, result);
	else
		take_session(talk, result, kind == CALL_LOAD);
}

/* ---- what the agent tells */

static void
take_plan(struct talk *talk, struct span update)
{
	struct span entries, key, entry, status;
	struct buf text = BUF_INIT, params = BUF_INIT;
	char id[SERVE_ID];
	size_t pos = 0;

	if (!jtext_get(update, "entries", &entries) || jtext_type(entries) != JTEXT_ARRAY)
		return;
	while (jtext_each(entries, &pos, &key, &entry)) {
		bool done = jtext_get(entry, "status", &status) && jtext_is_string(status, "completed");

		buf_addstr(&text, done ? "[x] " : "[ ] ");
		jtext_get_string(entry, "content", &text);
		buf_addch(&text, '\n');
	}
	key_uuid(id);
	buf_addch(&params, '{');
	jtext_add_string(&params, "threadId", talk->turn->thread->id, strlen(talk->turn->thread->id));
	jtext_add_string(&params, "turnId", talk->turn->id, strlen(talk->turn->id));
	jtext_add_string(&params, "itemId", id, strlen(id));
	jtext_add_string(&params, "delta", text.s, text.len);
	buf_addch(&params, '}');
	serve_notify(talk->acp->serve, "item/plan/delta", &params);
	buf_release(&params);
	buf_release(&text);
}

static void
take_update(struct talk *talk, struct span update)
{
	struct buf text = BUF_INIT;
	struct span kind, content;

	if (!jtext_get(update, "sessionUpdate", &kind))
		return;
	if (jtext_is_string(kind, "agent_message_chunk") || jtext_is_string(kind, "agent_thought_chunk")) {
		if (jtext_get(update, "content", &content) && jtext_get_string(content, "text", &text))
			(jtext_is_string(kind, "agent_message_chunk") ? serve_delta : serve_reasoning)(talk->turn, text.s, text.len);
	} else if (jtext_is_string(kind, "tool_call") || jtext_is_string(kind, "tool_call_update"))
		(void)take_tool(talk, update);
	else if (jtext_is_string(kind, "plan"))
		take_plan(talk, update);
	buf_release(&text);
}

/* ---- what the agent asks */

static const char *
option_of(const struct asked *asked, int first, int second)
{
	return asked->options[first].len ? asked->options[first].s : asked->options[second].len ? asked->options[second].s : NULL;
}

static void
asked_free(struct asked *asked)
{
	struct asked **at = &asked->talk->asked;
	size_t i;

	while (*at && *at != asked)
		at = &(*at)->next;
	if (*at) {
		*at = asked->next;
		asked->talk->n_asked--;
	}
	for (i = 0; i < 4; i++)
		buf_release(&asked->options[i]);
	buf_release(&asked->id);
	free(asked);
}

static void
decline(struct asked *asked)
{
	tool_end(asked->talk, &asked->talk->tools[asked->tool], "declined");
	asked_outcome(asked, option_of(asked, REJECT_ONCE, REJECT_ALWAYS));
}

static void
on_answered(struct serve_turn *turn, struct span result, void *payload)
{
	struct asked *asked = payload;
	struct talk *talk = asked->talk;
	struct span decision;

	if (!asked->id.len)
		; /* it was told already: the turn was interrupted */
	else if (!result.n || !jtext_get(result, "decision", &decision))
		decline(asked);
	else if (jtext_is_string(decision, "accept"))
		asked_outcome(asked, option_of(asked, ALLOW_ONCE, ALLOW_ALWAYS));
	else if (jtext_is_string(decision, "acceptForSession"))
		asked_outcome(asked, option_of(asked, ALLOW_ALWAYS, ALLOW_ONCE));
	else if (jtext_is_string(decision, "cancel")) {
		tool_end(talk, &talk->tools[asked->tool], "declined");
		turn->interrupted = true;
		cancel(talk);
	} else
		decline(asked);
	asked_free(asked);
}

static void
take_options(struct asked *asked, struct span params)
{
	struct span options, key, option, kind;
	size_t pos = 0, i;

	if (!jtext_get(params, "options", &options) || jtext_type(options) != JTEXT_ARRAY)
		return;
	while (jtext_each(options, &pos, &key, &option))
		for (i = 0; i < 4; i++)
			if (!asked->options[i].len && jtext_get(option, "kind", &kind) && jtext_is_string(kind, kinds[i]))
				jtext_get_string(option, "optionId", &asked->options[i]);
}

static bool
may_do_all(const struct serve_thread *thread)
{
	struct span type, sandbox = { thread->sandbox.s, thread->sandbox.len };

	return jtext_get(sandbox, "type", &type) && jtext_is_string(type, "dangerFullAccess");
}

static bool
may_write(const struct serve_thread *thread)
{
	struct span type, sandbox = { thread->sandbox.s, thread->sandbox.len };

	return may_do_all(thread) || (jtext_get(sandbox, "type", &type) && jtext_is_string(type, "workspaceWrite"));
}

static void
take_permission(struct talk *talk, const char *id, struct span params)
{
	struct serve_turn *turn = talk->turn;
	const struct serve_thread *thread = turn->thread;
	struct tool *tool = NULL;
	struct asked *asked;
	struct buf ask = BUF_INIT, title = BUF_INIT;
	struct span call;
	size_t i;

	if (jtext_get(params, "toolCall", &call))
		tool = take_tool(talk, call);
	if (!tool || talk->n_asked >= ASKS_MAX) {
		respond_error(
		    talk->acp, id, tool ? -32603 : -32602, tool ? "too many questions are open" : "there is no tool call to decide about");
		return;
	}
	asked = xcalloc(1, sizeof *asked);
	asked->talk = talk;
	asked->tool = (size_t)(tool - talk->tools);
	buf_init(&asked->id);
	for (i = 0; i < 4; i++)
		buf_init(&asked->options[i]);
	buf_addstr(&asked->id, id);
	take_options(asked, params);
	asked->next = talk->asked;
	talk->asked = asked;
	talk->n_asked++;
	if (turn->interrupted || !strcmp(thread->approval.s, "never")) {
		/* nobody is to be asked; and nothing here could hold the agent back */
		if (turn->interrupted)
			asked_outcome(asked, NULL);
		else if (may_do_all(thread))
			asked_outcome(asked, option_of(asked, ALLOW_ONCE, ALLOW_ALWAYS));
		else
			decline(asked);
		asked_free(asked);
		return;
	}
	buf_addch(&ask, '{');
	jtext_add_string(&ask, "threadId", thread->id, strlen(thread->id));
	jtext_add_string(&ask, "turnId", turn->id, strlen(turn->id));
	jtext_add_string(&ask, "itemId", tool->item, strlen(tool->item));
	jtext_add_i64(&ask, "startedAtMs", clock_wall_ms());
	if (jtext_get_string(call, "title", &title))
		jtext_add_string(&ask, "reason", title.s, title.len);
	if (!tool->patch) {
		jtext_add_string(&ask, "command", tool->title.s, tool->title.len);
		jtext_add_string(&ask, "cwd", thread->cwd.s, thread->cwd.len);
	}
	buf_addch(&ask, '}');
	serve_ask(
	    turn, tool->patch ? "item/fileChange/requestApproval" : "item/commandExecution/requestApproval", &ask, on_answered, asked);
	buf_release(&ask);
	buf_release(&title);
}

static void
take_file(struct talk *talk, const char *id, struct span params, bool writes)
{
	const struct serve_thread *thread = talk->turn->thread;
	struct buf path = BUF_INIT, text = BUF_INIT, result = BUF_INIT;
	struct err err = ERR_INIT;
	int64_t line = 1, limit = 0;
	bool ok;

	if (!jtext_get_string(params, "path", &path) || strlen(path.s) != path.len ||
	    (writes && !jtext_get_string(params, "content", &text)))
		respond_error(talk->acp, id, -32602, "path and content must be texts");
	else if (writes && (!may_write(thread) || talk->turn->interrupted))
		respond_error(
		    talk->acp, id, -32603, talk->turn->interrupted ? "the turn is interrupted" : "the sandbox of this thread is read-only");
	else {
		(void)jtext_get_i64(params, "line", &line);
		(void)jtext_get_i64(params, "limit", &limit);
		ok = writes ? acp_file_write(thread->cwd.s, path.s, text.s, text.len, &err)
			    : acp_file_read(thread->cwd.s, path.s, line, limit, &text, &err);
		buf_addch(&result, '{');
		if (!writes)
			jtext_add_string(&result, "content", text.s, text.len);
		buf_addch(&result, '}');
		if (ok)
			respond(talk->acp, id, writes ? "null" : result.s);
		else
			respond_error(talk->acp, id, -32603, err.text);
	}
	buf_release(&path);
	buf_release(&text);
	buf_release(&result);
}

/* The turn at work in the session that the params name. */
static struct talk *
talk_of(const struct acp *acp, struct span params)
{
	struct talk *talk;
	struct span name;

	if (jtext_get(params, "sessionId", &name))
		for (talk = acp->talks; talk; talk = talk->next)
			if (talk->state == PROMPTED && jtext_is_string(name, talk->turn->thread->session.s))
				return talk;
	return NULL;
}

static void
take_request(struct acp *acp, const char *id, const char *method, struct span params)
{
	struct talk *talk = talk_of(acp, params);
	bool permission = !strcmp(method, "session/request_permission"), writes = !strcmp(method, "fs/write_text_file");

	if (!permission && !writes && strcmp(method, "fs/read_text_file") != 0)
		respond_error(acp, id, -32601, "Method not found");
	else if (!talk)
		respond_error(acp, id, -32602, "no turn is at work in that session");
	else if (permission)
		take_permission(talk, id, params);
	else
		take_file(talk, id, params, writes);
}

static void
take_line(struct acp *acp, const char *s, size_t n)
{
	struct span message, id = SPAN_NONE, params, update;
	struct buf method = BUF_INIT, text = BUF_INIT;
	struct err err = ERR_INIT;
	struct talk *talk;
	int64_t number;

	if (!jtext_check(s, n, false, &message, &err) || jtext_type(message) != JTEXT_OBJECT) {
		debug("the agent wrote a line that is no message");
		return;
	}
	(void)jtext_get(message, "id", &id);
	if (!jtext_get(message, "params", &params))
		params = (struct span){ "{}", 2 };
	if (jtext_get_string(message, "method", &method)) {
		if (id.n) {
			buf_add(&text, id.s, id.n);
			take_request(acp, text.s, method.s, params);
		} else if (!strcmp(method.s, "session/update") && (talk = talk_of(acp, params)) && jtext_get(params, "update", &update))
			take_update(talk, update);
	} else if (id.n && jtext_i64(id, &number))
		take_answer(acp, message, number);
	buf_release(&method);
	buf_release(&text);
}

/* ---- the loop */

static void
agent_read(struct acp *acp)
{
	char *line;
	size_t n;

	do {
		switch (line_next(&acp->line, &line, &n)) {
		case LINE_OK:
			take_line(acp, line, n);
			break;
		case LINE_AGAIN:
			return;
		case LINE_LONG:
			buf_addf(&acp->dying, "the agent wrote a line of more than %u bytes", AGENT_LINE_MAX);
			return;
		case LINE_EOF:
		case LINE_ERROR:
			buf_addstr(
			    &acp->dying, "the agent ended in the middle of its work; its own messages are in the log of this runtime");
			return;
		}
	} while (!acp->dying.len && line_ready(&acp->line));
}

static void
agent_write(struct acp *acp)
{
	ssize_t n = write(acp->in_fd, acp->held.s, acp->held.len);

	if (n > 0)
		buf_consume(&acp->held, (size_t)n);
	else if (n < 0 && errno == EPIPE)
		buf_reset(&acp->held); /* its end comes by the other pipe */
}

static void
look_at_clock(struct acp *acp)
{
	struct talk *talk, *next;

	for (talk = acp->talks; talk && !acp->dying.len; talk = next) {
		next = talk->next;
		if (deadline_left(talk->deadline))
			continue;
		if (talk->turn->interrupted)
			buf_addstr(&acp->dying, "the agent did not stop when it was told to, and was ended");
		else if (talk->state == WAITS_AGENT)
			buf_addstr(&acp->dying, "the agent was not ready in time; see --start-timeout");
		else if (talk->state == WAITS_SESSION)
			end(talk, "the agent opened no session in time; see --start-timeout", INTERNAL, NULL);
		else
			buf_addstr(&acp->dying, "the turn took too long, and its agent was ended; see --turn-timeout");
	}
}

static int64_t
next_deadline(const struct acp *acp)
{
	int64_t deadline = DEADLINE_NONE;
	const struct talk *talk;

	for (talk = acp->talks; talk; talk = talk->next)
		if (talk->deadline < deadline)
			deadline = talk->deadline;
	return deadline;
}

/* Returns the signal that ends it, 0 at the end of its input. */
static int
run(struct acp *acp, int signals)
{
	struct pollfd fds[4];
	struct buf why = BUF_INIT;

	for (;;) {
		if (acp->dying.len) {
			buf_reset(&why);
			buf_addstr(&why, acp->dying.s);
			agent_stop(acp, why.s);
		}
		out_flush();
		fds[0] = (struct pollfd){ .fd = serve_fd(), .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = signals, .events = POLLIN };
		fds[2] = (struct pollfd){ .fd = acp->pid ? acp->out_fd : -1, .events = POLLIN };
		fds[3] = (struct pollfd){ .fd = acp->pid && acp->held.len ? acp->in_fd : -1, .events = POLLOUT };
		if (poll(fds, 4, deadline_poll(next_deadline(acp))) < 0 && errno != EINTR)
			die_errno(STATUS_IO, "unable to wait");
		if (fds[1].revents) {
			int signo = sig_take();

			buf_release(&why);
			return signo ? signo : SIGTERM;
		}
		if (fds[3].revents)
			agent_write(acp);
		if (fds[2].revents)
			agent_read(acp);
		look_at_clock(acp);
		if (!acp->dying.len && fds[0].revents && !serve_read(acp->serve))
			break;
	}
	buf_release(&why);
	return 0;
}

/* ---- the key */

static void
on_key(struct serve *serve, const char *key)
{
	struct acp *acp = serve_engine_payload(serve);

	if (*key ? setenv(acp->key_env, key, 1) < 0 : unsetenv(acp->key_env) < 0)
		warn("unable to set '%s' for the agent", acp->key_env);
	acp->has_key = *key != '\0';
	acp->stale = true;
}

static bool
has_key(const struct serve *serve)
{
	return ((const struct acp *)serve_engine_payload(serve))->has_key;
}

/* ---- options */

/* Splits the command at blanks, in place. */
static const char *const *
split(char *text, const char *words[WORDS_MAX + 1])
{
	size_t n = 0;

	for (;;) {
		text += strspn(text, " \t\n");
		if (!*text)
			break;
		if (n == WORDS_MAX)
			die_usage("--command has more than %d words", WORDS_MAX);
		words[n++] = text;
		text += strcspn(text, " \t\n");
		if (*text)
			*text++ = '\0';
	}
	words[n] = NULL;
	return words;
}

int
main(int argc, char *argv[])
{
	struct acp acp = { .start_ms = START_MS, .turn_ms = TURN_MS, .held = BUF_INIT, .dying = BUF_INIT };
	struct serve_engine engine = { .name = "acp",
		.model = "",
		.turn = on_turn,
		.steer = on_steer,
		.interrupt = on_interrupt,
		.forget = on_forget,
		.payload = &acp };
	const char *words[WORDS_MAX + 1], *state = NULL;
	char *command = NULL;
	struct err err = ERR_INIT;
	int key, signals;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1) {
		bool good = true;

		switch (key) {
		case OPT_COMMAND:
			free(command);
			command = xstrdup(opt_arg);
			break;
		case OPT_STATE:
			state = opt_arg;
			break;
		case OPT_AUTH:
			acp.auth = opt_arg;
			break;
		case OPT_KEY_ENV:
			acp.key_env = opt_arg;
			if (!*opt_arg || strchr(opt_arg, '='))
				die_usage("unable to use --key-env '%s': it is no name of a variable", opt_arg);
			break;
		case OPT_START:
			good = num_duration(opt_arg, "--start-timeout", &acp.start_ms, &err);
			break;
		case OPT_TURN:
			good = num_duration(opt_arg, "--turn-timeout", &acp.turn_ms, &err);
			break;
		}
		if (!good)
			die_err(&err);
	}
	/* the real ones are called so: a command line can be the same for all */
	if (command && argc == 1 && !strcmp(*argv, "app-server"))
		argc--;
	if (command && argc)
		die_usage("the agent's command is given twice: by --command, and as '%s'", *argv);
	acp.argv = command ? split(command, words) : (const char *const *)argv;
	if (!acp.argv[0])
		die_usage("no agent's command is given");
	if (acp.key_env) {
		engine.key = on_key;
		engine.has_key = has_key;
		acp.has_key = getenv(acp.key_env) && *getenv(acp.key_env);
	}
	signals = sig_catch();
	if (signals < 0)
		die_errno(STATUS_IO, "unable to catch signals");
	signal(SIGPIPE, SIG_IGN);
	acp.serve = serve_new(&engine, state, &err);
	if (!acp.serve)
		die_err(&err);
	key = run(&acp, signals);
	acp.closing = true;
	agent_stop(&acp, "the runtime was ended");
	serve_free(acp.serve);
	buf_release(&acp.held);
	buf_release(&acp.dying);
	free(command);
	if (key) {
		out_flush_quietly();
		sig_die(key);
	}
	return out_close();
}
