/* acp_agent.c - the agent's process, and the lines to and from it */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "acp.h"
#include "clock.h"
#include "spawn.h"
#include "xalloc.h"

#define STOP_MS 1000			   /* between SIGTERM and SIGKILL */
#define AGENT_LINE_MAX (16u * 1024 * 1024) /* bytes in one line of the agent */
#define AGENT_HELD_MAX (64u * 1024 * 1024) /* bytes that it does not read */

/* ---- lines to it */

void
acp_send(struct acp *acp, struct buf *line)
{
	buf_addch(line, '\n');
	if (acp->pid && acp->held.len + line->len > AGENT_HELD_MAX) {
		if (!acp->dying.len)
			buf_addf(&acp->dying, "the agent does not read: %u bytes are waiting for it", AGENT_HELD_MAX);
	} else if (acp->pid)
		buf_add(&acp->held, line->s, line->len);
	buf_release(line);
}

void
acp_begin(struct buf *line)
{
	buf_addch(line, '{');
	jtext_add_text(line, "jsonrpc", "2.0");
}

/* params: JSON */
void
acp_request(struct acp *acp, struct talk *talk, enum call_kind kind, const struct buf *params)
{
	static const char *const methods[] = { "initialize", "authenticate", "session/new", "session/load", "session/prompt" };
	struct call *call = xcalloc(1, sizeof *call);
	struct buf line = BUF_INIT;

	call->id = acp->next_id++;
	call->kind = kind;
	call->talk = talk;
	call->next = acp->calls;
	acp->calls = call;
	acp_begin(&line);
	jtext_add_i64(&line, "id", call->id);
	jtext_add_text(&line, "method", methods[kind]);
	jtext_add_raw(&line, "params", params->s, params->len);
	buf_addch(&line, '}');
	acp_send(acp, &line);
}

void
acp_respond(struct acp *acp, const char *id, const char *result)
{
	struct buf line = BUF_INIT;

	acp_begin(&line);
	jtext_add_raw(&line, "id", id, strlen(id));
	jtext_add_raw(&line, "result", result, strlen(result));
	buf_addch(&line, '}');
	acp_send(acp, &line);
}

void
acp_respond_error(struct acp *acp, const char *id, int code, const char *message)
{
	struct buf line = BUF_INIT;

	acp_begin(&line);
	jtext_add_raw(&line, "id", id, strlen(id));
	buf_addstr(&line, ",\"error\":{");
	jtext_add_i64(&line, "code", code);
	jtext_add_text(&line, "message", message);
	buf_addstr(&line, "}}");
	acp_send(acp, &line);
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
void
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
		talk_end(acp->talks, why, INTERNAL, NULL);
}

bool
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
	acp_request(acp, NULL, CALL_INITIALIZE, &params);
	buf_release(&params);
	return true;
}

/* ---- its pipes */

void
agent_read(struct acp *acp)
{
	char *line;
	size_t n;

	do {
		switch (line_next(&acp->line, &line, &n)) {
		case LINE_OK:
			acp_take_line(acp, line, n);
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

void
agent_write(struct acp *acp)
{
	ssize_t n = write(acp->in_fd, acp->held.s, acp->held.len);

	if (n > 0)
		buf_consume(&acp->held, (size_t)n);
	else if (n < 0 && errno == EPIPE)
		buf_reset(&acp->held); /* its end comes by the other pipe */
}
