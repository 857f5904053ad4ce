/* out.c - standard output: records, checked writes */
#include "compat.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "buf.h"
#include "die.h"
#include "out.h"
#include "utf8.h"

static struct buf held = BUF_INIT;

static NORETURN void
die_of_sigpipe(void)
{
	struct sigaction act = { .sa_handler = SIG_DFL };
	sigset_t set;

	sigaction(SIGPIPE, &act, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(SIGPIPE);
	_exit(128 + SIGPIPE);
}

/* 0, or an errno */
static int
write_all(const char *bytes, size_t n)
{
	while (n) {
		ssize_t done = write(STDOUT_FILENO, bytes, n);

		if (done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			struct pollfd fd = { .fd = STDOUT_FILENO, .events = POLLOUT };

			/* Somebody else made this descriptor non-blocking; the reader sets the pace. */
			(void)poll(&fd, 1, -1);
			continue;
		}
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return errno;
		bytes += done;
		n -= (size_t)done;
	}
	return 0;
}

static NORETURN void
die_of_output(int error)
{
	if (error == EPIPE)
		die_of_sigpipe();
	buf_release(&held);
	errno = error;
	die_errno(STATUS_IO, "unable to write to standard output");
}

void
out_flush(void)
{
	int error;

	if (!held.len)
		return;
	error = write_all(held.s, held.len);
	if (error)
		die_of_output(error);
	buf_reset(&held);
}

void
out_flush_quietly(void)
{
	if (held.len && write_all(held.s, held.len) == EPIPE)
		buf_reset(&held); /* the bad news that follows is worth more than this signal */
	buf_reset(&held);
}

void
out_write(const void *bytes, size_t n)
{
	buf_add(&held, bytes, n);
	if (held.len >= OUT_HELD_MAX)
		out_flush();
}

/* Is somebody looking? Asked once. */
static bool
is_terminal(void)
{
	static int terminal = -1;

	if (terminal < 0)
		terminal = isatty(STDOUT_FILENO);
	return terminal;
}

void
out_line(const char *bytes, size_t n)
{
	if (is_terminal())
		utf8_safe(&held, bytes, n, UTF8_SAFE_JSON);
	else
		buf_add(&held, bytes, n);
	out_write("\n", 1);
}

void
out_printf(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	buf_vaddf(&held, fmt, args);
	va_end(args);
	if (held.len >= OUT_HELD_MAX)
		out_flush();
}

int
out_close(void)
{
	out_flush();
	buf_release(&held);
	/* Some file systems report a full disk only here. */
	if (close(STDOUT_FILENO) < 0 && errno != EBADF && errno != EINTR)
		die_errno(STATUS_IO, "unable to write to standard output");
	return STATUS_OK;
}
