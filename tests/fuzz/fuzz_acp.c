/* fuzz_acp.c - any lines of an agent of the Agent Client Protocol, and of the client, while turns are at work: whatever comes, the agent and
 * the client are told JSON, a line each, and every turn ends
 *
 * A line that begins with > is the client's, + says more to the turn, ! interrupts it; all others are the agent's. There is a turn before
 * each of them. No line of the client opens a directory or a sandbox: the agent could write there.
 */
#include "compat.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../bin/runtimes/acp.h"
#include "../../bin/runtimes/serve_internal.h"
#include "err.h"
#include "out.h"

#define BYTES_MAX 65536 /* of one input: what a pipe takes at once */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int client = -1; /* its end of our standard input */
static int own_out;	/* where ours goes between two inputs: the tests' lines */
static FILE *told;

static void
begin(void)
{
	int pipe_fds[2];

	told = tmpfile();
	own_out = dup(STDOUT_FILENO);
	if (!told || own_out < 0 || pipe(pipe_fds) < 0 || dup2(pipe_fds[0], STDIN_FILENO) < 0)
		abort();
	close(pipe_fds[0]);
	client = pipe_fds[1];
}

/* What is written from here on goes to a file, or to where it went before. */
static void
turn_out_to(int fd)
{
	out_flush();
	fflush(stdout);
	if (dup2(fd, STDOUT_FILENO) < 0)
		abort();
}

static void
each_is_json(const char *s, size_t n)
{
	const char *end = s + n, *stop;
	struct span value;

	for (; s < end; s = stop + 1) {
		stop = memchr(s, '\n', (size_t)(end - s));
		if (!stop || !jtext_check(s, (size_t)(stop - s), true, &value, NULL) || jtext_type(value) != JTEXT_OBJECT)
			abort();
	}
}

static void
ask(struct serve *serve, const char *s, size_t n)
{
	if (write(client, s, n) != (ssize_t)n || write(client, "\n", 1) != 1 || !serve_read(serve))
		abort();
}

/* METHOD of the first thread; more: the other params */
static void
ask_of_turn(struct serve *serve, const char *method, const char *more)
{
	const struct serve_thread *thread = serve->threads;
	struct buf line = BUF_INIT;

	while (thread->next)
		thread = thread->next;
	buf_addf(&line, "{\"id\":1,\"method\":\"%s\",\"params\":{\"threadId\":\"%s\",\"turnId\":\"%s\"%s}}", method, thread->id,
	    thread->turn ? thread->turn->id : "", more);
	ask(serve, line.s, line.len);
	buf_release(&line);
}

static bool
client_may(const char *s, size_t n)
{
	struct span value;

	return jtext_check(s, n, true, &value, NULL) && jtext_type(value) == JTEXT_OBJECT && !memmem(s, n, "cwd", 3) &&
	    !memmem(s, n, "andbox", 6) && !memmem(s, n, "\\u", 2);
}

static void
feed(struct acp *acp, const char *s, size_t n)
{
	static const char hello[] = ",\"input\":[{\"type\":\"text\",\"text\":\"hello\"}]";

	if (!acp->talks)
		ask_of_turn(acp->serve, "turn/start", hello);
	if (n && *s == '>') {
		if (client_may(s + 1, n - 1))
			ask(acp->serve, s + 1, n - 1);
	} else if (n && *s == '+')
		ask_of_turn(acp->serve, "turn/start", hello);
	else if (n && *s == '!')
		ask_of_turn(acp->serve, "turn/interrupt", "");
	else
		acp_take_line(acp, s, n);
}

static void
end(struct acp *acp)
{
	const struct serve_thread *thread;
	struct call *call;
	long n;
	char *text;

	while (acp->talks)
		talk_end(acp->talks, "it is over", INTERNAL, NULL);
	for (thread = acp->serve->threads; thread; thread = thread->next)
		if (thread->turn)
			abort();
	while ((call = acp->calls)) {
		acp->calls = call->next;
		free(call);
	}
	serve_free(acp->serve);
	each_is_json(acp->held.s, acp->held.len);
	buf_release(&acp->held);
	buf_release(&acp->dying);
	turn_out_to(own_out);
	n = lseek(fileno(told), 0, SEEK_CUR);
	text = malloc((size_t)n + 1);
	if (!text || pread(fileno(told), text, (size_t)n, 0) != n)
		abort();
	each_is_json(text, (size_t)n);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	/* a process that cannot be: nothing here ends it */
	struct acp acp = { .start_ms = 60000, .turn_ms = 60000, .held = BUF_INIT, .dying = BUF_INIT, .pid = INT_MAX, .agent = 1 };
	struct serve_engine engine = { .name = "acp",
		.model = "",
		.turn = acp_on_turn,
		.steer = acp_on_steer,
		.interrupt = acp_on_interrupt,
		.forget = acp_on_forget,
		.payload = &acp };
	static const char greeting[] = "{\"id\":0,\"method\":\"initialize\",\"params\":{}}",
			  opening[] = "{\"id\":0,\"method\":\"thread/start\",\"params\":{\"cwd\":\"/nonexistent\"}}";
	const char *s = (const char *)bytes, *stop_at = s + n, *stop;
	struct buf params = BUF_INIT;
	struct err err = ERR_INIT;

	if (n > BYTES_MAX)
		return 0;
	if (client < 0)
		begin();
	if (ftruncate(fileno(told), 0) < 0 || lseek(fileno(told), 0, SEEK_SET) < 0)
		abort();
	turn_out_to(fileno(told));
	acp.serve = serve_new(&engine, NULL, &err);
	if (!acp.serve)
		abort();
	ask(acp.serve, greeting, sizeof greeting - 1);
	ask(acp.serve, opening, sizeof opening - 1);
	buf_addstr(&params, "{}");
	acp_request(&acp, NULL, CALL_INITIALIZE, &params);
	buf_release(&params);
	for (; s < stop_at && !acp.dying.len; s = stop + 1) {
		stop = memchr(s, '\n', (size_t)(stop_at - s));
		if (!stop)
			stop = stop_at;
		feed(&acp, s, (size_t)(stop - s));
	}
	end(&acp);
	return 0;
}
