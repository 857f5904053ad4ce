/* notify.c - tell whoever started us */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "err.h"
#include "notify.h"
#include "num.h"
#include "status.h"

void
notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (!n || n >= sizeof to.sun_path || (*path != '/' && *path != '@'))
		return;
	memcpy(to.sun_path, path, n);
	if (*path == '@')
		to.sun_path[0] = '\0'; /* the abstract namespace */
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)sendto(
	    fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	close(fd);
}

bool
notify_ready_fd(int fd, struct err *err)
{
	if (fd < 0)
		return true;
	if (write(fd, "\n", 1) != 1)
		return err_errno(err, STATUS_CONFIG, "unable to say on descriptor %d that the gateway is ready", fd);
	close(fd);
	return true;
}

static bool
is_for_us(const char *pid)
{
	uint64_t n;

	return pid && num_u64(pid, strlen(pid), &n) && n == (uint64_t)getpid();
}

int
notify_listen_fds(void)
{
	const char *count = getenv("LISTEN_FDS");
	uint64_t n;

	if (!is_for_us(getenv("LISTEN_PID")) || !count || !num_u64(count, strlen(count), &n) || n > 64)
		return 0;
	return (int)n;
}

int64_t
notify_watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	uint64_t n;

	if (!usec || (pid && !is_for_us(pid)) || !num_u64(usec, strlen(usec), &n) || n < 2000)
		return 0;
	return (int64_t)(n / 2000); /* twice as often as it must be */
}
