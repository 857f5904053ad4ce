/* again.c - restartPolicy: a start that failed is tried again by itself */
#include "compat.h"

#include <event2/event.h>

#include "clock.h"
#include "services/internal.h"

/* A start that fails again counts for no quarantine: that is for those that somebody asked for. */
static void
on_time(int fd, short what, void *payload)
{
	struct service *service = payload;

	(void)fd;
	(void)what;
	acts_try_again(service);
}

static unsigned
tries_in_window(const struct service *service, int64_t window_ms)
{
	int64_t now = clock_monotonic_ms();
	unsigned n = 0;
	int i;

	for (i = 0; i < START_FAILURES; i++)
		n += service->tried_ms[i] && now - service->tried_ms[i] < window_ms;
	return n;
}

void
again_later(struct service *service, const struct agent *agent)
{
	int64_t ms = service->pause_ms ? 2 * service->pause_ms : AGAIN_FIRST_MS;
	struct timeval after;

	if (!agent->restarts || tries_in_window(service, agent->window_s * 1000) >= agent->max_restarts)
		return;
	if (ms > AGAIN_LONGEST_MS)
		ms = AGAIN_LONGEST_MS;
	service->pause_ms = ms;
	after = (struct timeval){ (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };
	if (!service->again)
		service->again = event_new(service->services->settings.base, -1, 0, on_time, service);
	event_add(service->again, &after);
}

void
again_note(struct service *service)
{
	service->tried_ms[service->next_tried] = clock_monotonic_ms();
	service->next_tried = (service->next_tried + 1) % START_FAILURES;
}

void
again_never(struct service *service)
{
	service->pause_ms = 0;
	if (service->again)
		event_free(service->again);
	service->again = NULL;
}
