/* runtimeio.c - a runtime as a program of one's own */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "runtimeio.h"
#include "spawn.h"
#include "status.h"

#define LOOK_MS 5 /* between two looks whether it has ended */

bool
runtimeio_start(struct runtimeio *io, const char *command, const char *dir, struct err *err)
{
	const char *argv[] = { "/bin/sh", "-c", command, NULL };
	struct spawn spawn = { .argv = argv, .dir = dir, .in = SPAWN_PIPE, .out = SPAWN_PIPE, .errs = SPAWN_INHERIT, .own_group = true };

	io->pid = 0;
	if (!spawn_start(&spawn, err))
		return false;
	io->pid = spawn.pid;
	io->kin = spawn.kin;
	io->in_fd = spawn.in_fd;
	io->out_fd = spawn.out_fd;
	(void)fcntl(io->in_fd, F_SETFL, fcntl(io->in_fd, F_GETFL) | O_NONBLOCK);
	(void)fcntl(io->out_fd, F_SETFL, fcntl(io->out_fd, F_GETFL) | O_NONBLOCK);
	line_init(&io->in, io->out_fd, RUNTIMEIO_LINE_MAX);
	buf_init(&io->out);
	return true;
}

static void
close_input(struct runtimeio *io)
{
	if (io->in_fd >= 0)
		close(io->in_fd);
	io->in_fd = -1;
	buf_reset(&io->out);
}

static void
write_out(struct runtimeio *io)
{
	ssize_t n;

	while (io->in_fd >= 0 && io->out.len) {
		n = write(io->in_fd, io->out.s, io->out.len);
		if (n > 0)
			buf_consume(&io->out, (size_t)n);
		else if (n < 0 && errno == EINTR)
			continue;
		else {
			if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
				close_input(io);
			return;
		}
	}
}

void
runtimeio_send(struct runtimeio *io, const struct buf *message)
{
	if (io->in_fd < 0)
		return;
	if (io->out.len + message->len > RUNTIMEIO_UNSENT_MAX) {
		close_input(io); /* it does not listen: what comes is its end */
		return;
	}
	buf_add(&io->out, message->s, message->len);
	buf_addch(&io->out, '\n');
	write_out(io);
}

void
runtimeio_fds(const struct runtimeio *io, struct pollfd *fds)
{
	fds[0] = (struct pollfd){ .fd = io->pid ? io->out_fd : -1, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = io->pid && io->out.len ? io->in_fd : -1, .events = POLLOUT };
}

enum runtimeio_result
runtimeio_next(struct runtimeio *io, struct span *ret, struct err *err)
{
	char *s;
	size_t n;

	write_out(io);
	for (;;)
		switch (line_next(&io->in, &s, &n)) {
		case LINE_OK:
			if (!n)
				continue;
			if (jtext_check(s, n, false, ret, NULL) && jtext_type(*ret) == JTEXT_OBJECT)
				return RUNTIMEIO_MESSAGE;
			err_set(err, STATUS_PROTOCOL, "the runtime wrote a line that is no JSON object");
			return RUNTIMEIO_BAD;
		case LINE_LONG:
			err_set(err, STATUS_PROTOCOL, "the runtime wrote a line of %zu bytes, more than %u", n, RUNTIMEIO_LINE_MAX);
			return RUNTIMEIO_BAD;
		case LINE_AGAIN:
			return RUNTIMEIO_NONE;
		case LINE_ERROR:
		case LINE_EOF:
			return RUNTIMEIO_END;
		}
}

/* Has it ended by then? */
static bool
reap(struct runtimeio *io, int64_t deadline, int *ret_wait)
{
	for (;;) {
		pid_t pid = waitpid(io->pid, ret_wait, WNOHANG);

		if (pid == io->pid || (pid < 0 && errno != EINTR))
			return true;
		if (deadline_left(deadline) == 0)
			return false;
		(void)poll(NULL, 0, LOOK_MS);
	}
}

int
runtimeio_end(struct runtimeio *io)
{
	int ended = 0;

	if (!io->pid)
		return 0;
	close_input(io);
	if (!reap(io, deadline_in(RUNTIMEIO_GRACE_MS), &ended)) {
		kin_signal(&io->kin, SIGTERM);
		if (!reap(io, deadline_in(RUNTIMEIO_GRACE_MS), &ended)) {
			kin_signal_group(&io->kin, SIGKILL);
			(void)reap(io, DEADLINE_NONE, &ended);
		}
	}
	kin_signal(&io->kin, SIGKILL); /* what it left behind */
	close(io->out_fd);
	line_release(&io->in);
	buf_release(&io->out);
	io->pid = 0;
	return ended;
}
