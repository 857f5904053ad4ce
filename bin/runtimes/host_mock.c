/* host_mock.c - the engine without a runtime (contract section 11.2): each turn is answered with its own text, after as long as it asks
 * for */
#include "compat.h"

#include <string.h>

#include <event2/event.h>

#include "host_internal.h"
#include "http/server.h"

#define ANSWER "Mock response: "

/* sleepMs of the body, a number or its text, as whole milliseconds within bounds. */
int64_t
mock_sleep(const struct host *host, struct span body)
{
	struct buf text = BUF_INIT;
	struct span value;
	int64_t ms = 0;
	size_t n;

	if (jtext_get(body, "sleepMs", &value)) {
		if (!jtext_get_string(body, "sleepMs", &text))
			buf_add(&text, value.s, value.n);
		for (n = 0; n < text.len && text.s[n] >= '0' && text.s[n] <= '9' && ms <= host->settings.mock_sleep_ms; n++)
			ms = ms * 10 + text.s[n] - '0';
	}
	buf_release(&text);
	return ms < host->settings.mock_sleep_ms ? ms : host->settings.mock_sleep_ms;
}

static void
on_time(evutil_socket_t fd, short what, void *payload)
{
	struct job *job = payload;
	struct buf text = BUF_INIT;

	(void)fd;
	(void)what;
	event_free(job->timer);
	job->timer = NULL;
	buf_addstr(&text, ANSWER);
	buf_add(&text, job->text.s, job->text.len);
	turn_done(job, span_of(&text));
	buf_release(&text);
}

void
mock_begin(struct job *job)
{
	struct timeval wait = { .tv_sec = job->sleep_ms / 1000, .tv_usec = job->sleep_ms % 1000 * 1000 };

	job->timer = event_new(job->host->settings.base, -1, 0, on_time, job);
	event_add(job->timer, &wait);
}

void
mock_interrupt(struct job *job)
{
	static const struct timeval now = { 0 };

	if (job->timer)
		event_add(job->timer, &now);
}

bool
mock_account(struct request *request, const char *what)
{
	static const struct {
		const char *what, *answer; /* NULL: there is none to give */
	} routes[] = {
		{ "read", "{\"authMode\":null,\"requiresOpenaiAuth\":false,\"account\":null}" },
		{ "login/start", NULL },
		{ "login/cancel", NULL },
		{ "logout", "{}" },
		{ "rate-limits/read", "{\"rateLimits\":null,\"rateLimitsByLimitId\":null}" },
	};
	struct buf body = BUF_INIT;
	struct span given;
	size_t i;

	for (i = 0; i < ARRAY_LEN(routes) && strcmp(routes[i].what, what) != 0;)
		i++;
	if (i == ARRAY_LEN(routes))
		return false;
	if (!routes[i].answer)
		host_refuse(request, 409, "RUNTIME_AUTH_UNSUPPORTED", "Runtime auth controls are only available in codex mode", NULL);
	else if (i > 0 || host_body(request, &given)) {
		buf_addstr(&body, routes[i].answer);
		host_reply(request, 200, &body);
	}
	buf_release(&body);
	return true;
}
