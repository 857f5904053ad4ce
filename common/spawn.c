/* spawn.c - start a program with pipes */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "spawn.h"
#include "status.h"

#define KILL_GRACE_MS 2000 /* between SIGTERM and SIGKILL */

extern char **environ;

static bool
make_pipe(int fds[2])
{
	if (pipe(fds) < 0)
		return false;
	fcntl(fds[0], F_SETFD, FD_CLOEXEC);
	fcntl(fds[1], F_SETFD, FD_CLOEXEC);
	return true;
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* What the child does between fork and exec: only calls that are safe there. Reports errno on `report` and ends. */
static NORETURN void
become(const struct spawn *spawn, const char *const *env, const int ends[3], int report)
{
	struct sigaction act = { .sa_handler = SIG_DFL };
	const enum spawn_fd how[3] = { spawn->in, spawn->out, spawn->errs };
	int moved[3], i, null, error;
	sigset_t none;

	for (i = 1; i < NSIG; i++)
		sigaction(i, &act, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (spawn->own_group && setpgid(0, 0) < 0)
		goto fail;
	/* first out of the way of 0 to 2, then into place */
	for (i = 0; i < 3; i++) {
		moved[i] = -1;
		if (how[i] == SPAWN_PIPE && (moved[i] = fcntl(ends[i], F_DUPFD_CLOEXEC, 3)) < 0)
			goto fail;
	}
	for (i = 0; i < 3; i++) {
		if (how[i] == SPAWN_PIPE && dup2(moved[i], i) < 0)
			goto fail;
		if (how[i] != SPAWN_NULL)
			continue;
		null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null < 0 || dup2(null, i) < 0)
			goto fail;
		if (null == i)
			fcntl(i, F_SETFD, 0);
	}
	if (spawn->dir && chdir(spawn->dir) < 0)
		goto fail;
	if (env)
		environ = (char **)(uintptr_t)env;
	execvp(spawn->argv[0], (char *const *)(uintptr_t)spawn->argv);
fail:
	error = errno;
	if (write(report, &error, sizeof error) < 0)
		_exit(127);
	_exit(127);
}

bool
spawn_start(struct spawn *spawn, struct err *err)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, errs[2] = { -1, -1 }, report[2] = { -1, -1 }, error = 0;
	const int *ours[3] = { &in[1], &out[0], &errs[0] };
	const char **env = NULL;
	char *mark = NULL;
	ssize_t n;
	pid_t pid = -1;

	spawn->in_fd = spawn->out_fd = spawn->err_fd = -1;
	spawn->pid = -1;
	spawn->kin = (struct kin){ 0 };
	if (spawn->own_group)
		env = kin_environment(spawn->env, &spawn->kin, &mark);
	if ((spawn->in == SPAWN_PIPE && !make_pipe(in)) || (spawn->out == SPAWN_PIPE && !make_pipe(out)) ||
	    (spawn->errs == SPAWN_PIPE && !make_pipe(errs)) || !make_pipe(report) || (pid = fork()) < 0) {
		err_errno(err, STATUS_IO, "unable to start '%s'", spawn->argv[0]);
		goto fail;
	}
	if (!pid)
		become(spawn, env ? env : spawn->env, (const int[3]){ in[0], out[1], errs[1] }, report[1]);
	if (spawn->own_group)
		setpgid(pid, pid); /* both sides do it, so that neither has to wait for the other */
	close_fd(&in[0]);
	close_fd(&out[1]);
	close_fd(&errs[1]);
	close_fd(&report[1]);
	do
		n = read(report[0], &error, sizeof error);
	while (n < 0 && errno == EINTR);
	close_fd(&report[0]);
	if (n > 0) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		errno = error;
		err_errno(err, error == ENOENT || error == EACCES || error == ENOEXEC || error == ENOTDIR ? STATUS_CONFIG : STATUS_IO,
		    "unable to start '%s'", spawn->argv[0]);
		goto fail;
	}
	spawn->in_fd = *ours[0];
	spawn->out_fd = *ours[1];
	spawn->err_fd = *ours[2];
	spawn->pid = pid;
	if (spawn->own_group)
		spawn->kin.group = pid;
	free(env);
	free(mark);
	return true;
fail:
	free(env);
	free(mark);
	close_fd(&in[0]);
	close_fd(&in[1]);
	close_fd(&out[0]);
	close_fd(&out[1]);
	close_fd(&errs[0]);
	close_fd(&errs[1]);
	close_fd(&report[0]);
	close_fd(&report[1]);
	return false;
}

/* Has it ended within the deadline? There is no portable wait with a deadline: a closed pipe tells, then a short poll. */
static bool
wait_until(pid_t pid, int64_t deadline, int *ret_wait)
{
	int pause_ms = 1;

	for (;;) {
		pid_t got = waitpid(pid, ret_wait, deadline == DEADLINE_NONE ? 0 : WNOHANG);

		if (got == pid)
			return true;
		if (got < 0 && errno != EINTR)
			return false;
		if (deadline_left(deadline) == 0)
			return false;
		(void)poll(NULL, 0, pause_ms);
		if (pause_ms < 20)
			pause_ms *= 2;
	}
}

/* Writes everything, or as much as the program takes before it goes away or the deadline passes. */
static void
feed(int fd, const char *input, size_t n, int64_t deadline)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;

	sigaction(SIGPIPE, &ignore, &old);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (n) {
		struct pollfd p = { .fd = fd, .events = POLLOUT };
		ssize_t done;

		if (poll(&p, 1, deadline_poll(deadline)) == 0)
			break;
		done = write(fd, input, n);
		if (done < 0 && errno != EAGAIN && errno != EINTR)
			break;
		if (done > 0) {
			input += done;
			n -= (size_t)done;
		}
	}
	sigaction(SIGPIPE, &old, NULL);
}

bool
spawn_run(const char *const *argv, const char *const *env, const void *input, size_t n, int64_t deadline, int *ret_wait, struct err *err)
{
	struct spawn spawn = { .argv = argv, .env = env, .in = SPAWN_PIPE, .own_group = true };

	if (!spawn_start(&spawn, err))
		return false;
	feed(spawn.in_fd, input, n, deadline);
	close(spawn.in_fd);
	if (wait_until(spawn.pid, deadline, ret_wait))
		return true;
	kin_signal(&spawn.kin, SIGTERM);
	if (!wait_until(spawn.pid, deadline_in(KILL_GRACE_MS), ret_wait)) {
		kin_signal_group(&spawn.kin, SIGKILL);
		wait_until(spawn.pid, DEADLINE_NONE, ret_wait);
	}
	kin_signal(&spawn.kin, SIGKILL);
	return err_set(err, STATUS_TIMEOUT, "unable to wait for '%s': the deadline passed", argv[0]);
}
