/* guard.c - nothing that was started outlives us */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "err.h"
#include "guard.h"
#include "kin.h"
#include "status.h"

static int told = -1; /* our end of the pipe */

static void
note(pid_t *groups, size_t *n, pid_t what)
{
	size_t i;

	if (what > 0) {
		if (*n < GUARD_GROUPS_MAX)
			groups[(*n)++] = what;
		return;
	}
	for (i = 0; i < *n && groups[i] != -what; i++)
		;
	if (i < *n)
		groups[i] = groups[--*n];
}

static NORETURN void
watch_over(int from)
{
	static pid_t groups[GUARD_GROUPS_MAX];
	int null = open("/dev/null", O_RDWR), i;
	size_t n = 0;
	ssize_t got;
	pid_t what;

	/* whoever reads what the daemon writes must see its end, and a Ctrl-C is not for us */
	for (i = 0; i < 3 && null >= 0; i++)
		dup2(null, i);
	for (i = 3; i < 64; i++)
		if (i != from)
			close(i);
	setsid();
	for (i = 1; i < NSIG; i++)
		signal(i, SIG_IGN);
	for (;;) {
		got = read(from, &what, sizeof what); /* one at a time is atomic on a pipe */
		if (got == (ssize_t)sizeof what)
			note(groups, &n, what);
		else if (got >= 0 || errno != EINTR)
			break;
	}
	while (n > 0)
		kill(-groups[--n], SIGKILL);
	kin_kill_all();
	_exit(0);
}

bool
guard_start(struct err *err)
{
	int fds[2];
	pid_t pid;

	if (pipe(fds) < 0)
		return err_errno(err, STATUS_IO, "unable to create a pipe");
	kin_begin();
	pid = fork();
	if (pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return err_errno(err, STATUS_IO, "unable to start the guard of child processes");
	}
	if (!pid) {
		close(fds[1]);
		watch_over(fds[0]);
	}
	close(fds[0]);
	fcntl(fds[1], F_SETFD, FD_CLOEXEC);
	told = fds[1];
	return true;
}

static void
tell(pid_t what)
{
	while (told >= 0 && write(told, &what, sizeof what) < 0 && errno == EINTR)
		;
}

void
guard_add(pid_t group)
{
	tell(group);
}

void
guard_drop(pid_t group)
{
	tell(-group);
}
