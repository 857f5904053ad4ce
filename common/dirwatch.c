/* dirwatch.c - wait until something changes in a directory */
#include "compat.h"

#include <stdlib.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/inotify.h>
#endif

#include "clock.h"
#include "dirwatch.h"

#define OTHERS_MAX 4

void
dirwatch_open(struct dirwatch *watch, const char *path)
{
	watch->fd = -1;
	if (getenv("CLARITY_HITL_POLL"))
		return;
#ifdef __linux__
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->fd >= 0 &&
	    inotify_add_watch(
		watch->fd, path, IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF) < 0)
		dirwatch_close(watch);
#else
	(void)path;
#endif
}

void
dirwatch_close(struct dirwatch *watch)
{
	if (watch->fd >= 0)
		close(watch->fd);
	watch->fd = -1;
}

void
dirwatch_names(struct dirwatch *watch, void (*cb)(const char *name, void *payload), void *payload)
{
#ifdef __linux__
	union {
		struct inotify_event event; /* for its alignment */
		char bytes[4096];
	} events;
	const struct inotify_event *event;
	ssize_t n, at;

	while (watch->fd >= 0 && (n = read(watch->fd, events.bytes, sizeof events.bytes)) > 0)
		for (at = 0; cb && at < n; at += (ssize_t)(sizeof *event + event->len)) {
			event = (const struct inotify_event *)(const void *)(events.bytes + at);
			if (event->len && event->mask & (IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO))
				cb(event->name, payload);
		}
#else
	(void)watch;
	(void)cb;
	(void)payload;
#endif
}

static void
drain(struct dirwatch *watch)
{
	dirwatch_names(watch, NULL, NULL);
}

int64_t
dirwatch_interval(const struct dirwatch *watch)
{
	return watch->fd >= 0 ? DIRWATCH_CHECK_MS : DIRWATCH_POLL_MS;
}

void
dirwatch_wait(struct dirwatch *watch, struct pollfd *others, unsigned n, int64_t deadline)
{
	struct pollfd fds[OTHERS_MAX + 1];
	int64_t look = deadline_in(dirwatch_interval(watch));
	unsigned i;

	for (i = 0; i < n && i < OTHERS_MAX; i++)
		fds[i] = others[i];
	fds[n].fd = watch->fd; /* poll passes over -1 */
	fds[n].events = POLLIN;
	fds[n].revents = 0;
	if (poll(fds, n + 1, deadline_poll(look < deadline ? look : deadline)) <= 0)
		for (i = 0; i <= n; i++)
			fds[i].revents = 0;
	for (i = 0; i < n; i++)
		others[i].revents = fds[i].revents;
	drain(watch);
}
