/* test_runtimeio.c - a runtime as a program of one's own: its messages, its limits, its end */
#include "compat.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "runtimeio.h"
#include "status.h"
#include "tap.h"

#define WAIT_MS 30000

static bool
begin(struct runtimeio *io, const char *command)
{
	struct err err = ERR_INIT;

	return ok(runtimeio_start(io, command, NULL, &err), "it starts: %s", command);
}

/* The next result but NONE. */
static enum runtimeio_result
next(struct runtimeio *io, struct span *ret, struct err *err)
{
	int64_t deadline = deadline_in(WAIT_MS);
	enum runtimeio_result result;
	struct pollfd fds[2];

	while ((result = runtimeio_next(io, ret, err)) == RUNTIMEIO_NONE && deadline_left(deadline) > 0) {
		runtimeio_fds(io, fds);
		(void)poll(fds, 2, (int)deadline_left(deadline));
	}
	return result;
}

static void
expect(struct runtimeio *io, const char *message)
{
	struct err err = ERR_INIT;
	struct span got = SPAN_NONE;

	if (ok(next(io, &got, &err) == RUNTIMEIO_MESSAGE, "a message"))
		is_bytes(got.s, got.n, message, strlen(message), message);
}

static void
expect_bad(struct runtimeio *io, const char *why)
{
	struct err err = ERR_INIT;
	struct span got;

	ok(next(io, &got, &err) == RUNTIMEIO_BAD && err.status == STATUS_PROTOCOL && strstr(err.text, why), "refused: %s", err.text);
}

static void
expect_end(struct runtimeio *io, int want, const char *name)
{
	struct err err = ERR_INIT;
	struct span got;

	ok(next(io, &got, &err) == RUNTIMEIO_END, "%s: the end", name);
	is_int(runtimeio_end(io), want, name);
	is_int(runtimeio_end(io), 0, "a second end is none");
}

static void
test_messages(void)
{
	struct buf message = BUF_INIT;
	struct runtimeio io;

	if (!begin(&io,
		"printf '{\"a\":1}\\n\\n  {\"b\":[]} \\r\\n{\"t\":\"\\303'; printf '\\274\"}\\n'; echo 7; echo '{'; echo '{\"c\":2}'; printf '{\"last\":true}'; exit 3"))
		return;
	expect(&io, "{\"a\":1}");
	expect(&io, "{\"b\":[]}");
	expect(&io, "{\"t\":\"\xc3\xbc\"}");
	expect_bad(&io, "no JSON object");
	expect_bad(&io, "no JSON object");
	expect(&io, "{\"c\":2}");
	expect(&io, "{\"last\":true}");
	expect_end(&io, 3 << 8, "its status");

	if (!begin(&io, "exec cat"))
		return;
	buf_addstr(&message, "{\"echo\":true}");
	runtimeio_send(&io, &message);
	expect(&io, message.s);
	is_int(runtimeio_end(&io), 0, "at the end of its input it ends by itself");
	buf_release(&message);
}

static void
test_line_limit(void)
{
	struct buf command = BUF_INIT;
	struct err err = ERR_INIT;
	struct runtimeio io;
	struct span got;

	buf_addf(&command, "line() { printf '{\"x\":\"'; head -c $1 /dev/zero | tr '\\0' x; echo '\"}'; }; line %u; line %u; echo '{}'",
	    RUNTIMEIO_LINE_MAX - 8, RUNTIMEIO_LINE_MAX - 7);
	if (begin(&io, command.s)) {
		ok(next(&io, &got, &err) == RUNTIMEIO_MESSAGE && got.n == RUNTIMEIO_LINE_MAX, "a line of %u bytes", RUNTIMEIO_LINE_MAX);
		expect_bad(&io, "more than");
		expect(&io, "{}");
		expect_end(&io, 0, "after the longest lines");
	}
	buf_release(&command);
}

static void
test_unsent_limit(void)
{
	struct buf message = BUF_INIT;
	struct runtimeio io;
	struct pollfd fds[2];

	/* it reads nothing; what it may leave unread is held, more is its end */
	if (!begin(&io, "exec sleep 600"))
		return;
	buf_reserve(&message, RUNTIMEIO_UNSENT_MAX / 4);
	memset(message.s, ' ', RUNTIMEIO_UNSENT_MAX / 4);
	message.len = RUNTIMEIO_UNSENT_MAX / 4 - 1;
	message.s[message.len] = '\0';
	runtimeio_send(&io, &message);
	runtimeio_send(&io, &message);
	runtimeio_fds(&io, fds);
	ok(fds[1].fd >= 0 && fds[1].events == POLLOUT, "what it has not read is waited for");
	runtimeio_send(&io, &message);
	runtimeio_send(&io, &message);
	runtimeio_fds(&io, fds);
	ok(fds[1].fd >= 0, "as much as it may leave unread");
	runtimeio_send(&io, &message);
	runtimeio_fds(&io, fds);
	ok(fds[1].fd < 0, "more than that closes its input");
	runtimeio_send(&io, &message);
	ok(WTERMSIG(runtimeio_end(&io)) == SIGTERM, "it is ended");
	buf_release(&message);
}

static void
test_ends(void)
{
	struct runtimeio io;

	if (begin(&io, "kill -9 $$"))
		expect_end(&io, SIGKILL, "its signal");
	if (begin(&io, "trap '' TERM; while :; do sleep 600; done"))
		ok(WTERMSIG(runtimeio_end(&io)) == SIGKILL, "what takes no SIGTERM is killed");
}

int
main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	test_messages();
	test_line_limit();
	test_unsent_limit();
	test_ends();
	return done();
}
