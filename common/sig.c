/* sig.c - signals as something to wait for */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "clock.h"
#include "sig.h"

static const int caught[] = { SIGINT, SIGTERM, SIGHUP };
static int pipe_fds[2] = { -1, -1 };

static void
on_signal(int signo)
{
	int saved = errno;
	unsigned char byte = (unsigned char)signo;

	/* a full pipe holds signals enough */
	if (write(pipe_fds[1], &byte, 1) < 0)
		errno = saved;
	errno = saved;
}

static void
set_all(void (*handler)(int))
{
	struct sigaction act = { .sa_handler = handler, .sa_flags = SA_RESTART }, old;
	size_t i;

	for (i = 0; i < ARRAY_LEN(caught); i++) {
		/* what a parent ignores (nohup, a background job of a script) stays ignored */
		if (handler != SIG_DFL && sigaction(caught[i], NULL, &old) == 0 && old.sa_handler == SIG_IGN)
			continue;
		sigaction(caught[i], &act, NULL);
	}
}

int
sig_catch(void)
{
	int i;

	if (pipe_fds[0] >= 0)
		return pipe_fds[0];
	if (pipe(pipe_fds) < 0)
		return -1;
	for (i = 0; i < 2; i++) {
		fcntl(pipe_fds[i], F_SETFD, FD_CLOEXEC);
		fcntl(pipe_fds[i], F_SETFL, O_NONBLOCK);
	}
	set_all(on_signal);
	return pipe_fds[0];
}

void
sig_catch_also(int signo)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaction(signo, &act, NULL);
}

bool
sig_wait(int64_t deadline)
{
	struct pollfd fd = { .fd = pipe_fds[0], .events = POLLIN };

	return poll(&fd, 1, deadline_poll(deadline)) > 0;
}

int
sig_take(void)
{
	unsigned char byte;

	if (pipe_fds[0] < 0 || read(pipe_fds[0], &byte, 1) != 1)
		return 0;
	return byte;
}

void
sig_release(void)
{
	if (pipe_fds[0] < 0)
		return;
	set_all(SIG_DFL);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	pipe_fds[0] = pipe_fds[1] = -1;
}

void
sig_die(int signo)
{
	struct sigaction act = { .sa_handler = SIG_DFL };
	sigset_t set;

	sigaction(signo, &act, NULL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(signo);
	_exit(128 + signo);
}
