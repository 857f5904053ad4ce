/* test_mcp.c - requests to a server that never answers, or is not there: turns, limits, deadlines, ends */
#include "compat.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "buf.h"
#include "fetch/fetch.h"
#include "mcp/mcp.h"
#include "tap.h"

#define WAIT_S 30 /* longest wait for one answer */

static struct event_base *base;
static struct fetcher *fetcher;
static int told, refused, outages;
static struct buf last = BUF_INIT;

static void
on_done(const struct mcp_answer *answer, void *payload)
{
	(void)payload;
	told++;
	refused += answer->outcome == MCP_REFUSED;
	outages += answer->outcome == MCP_OUTAGE;
	buf_reset(&last);
	buf_addstr(&last, answer->why ? answer->why : "");
}

static void
on_late(evutil_socket_t fd, short what, void *payload)
{
	(void)fd;
	(void)what;
	(void)payload;
	printf("Bail out! no answer after %d s\n", WAIT_S);
	exit(1);
}

/* Runs the loop until n answers have been told in all. */
static void
await(int n)
{
	struct event *late = event_new(base, -1, 0, on_late, NULL);
	struct timeval after = { WAIT_S, 0 };

	event_add(late, &after);
	while (told < n)
		event_base_loop(base, EVLOOP_ONCE);
	event_free(late);
}

/* A listening socket that nobody accepts from; its port. */
static int
deaf(int *ret_fd)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;

	*ret_fd = socket(AF_INET, SOCK_STREAM, 0);
	if (*ret_fd < 0 || bind(*ret_fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(*ret_fd, 16) < 0 ||
	    getsockname(*ret_fd, (struct sockaddr *)&at, &size) < 0)
		exit(1);
	return ntohs(at.sin_port);
}

static struct mcp *
server(int port, int64_t timeout_ms, int64_t wait_ms, unsigned retries)
{
	struct buf url = BUF_INIT;
	struct mcp_settings settings = { .name = "svc",
		.timeout_ms = timeout_ms,
		.wait_ms = wait_ms,
		.payload_max = 1000,
		.concurrency = 1,
		.retry_max = retries,
		.retry_backoff_ms = 1 };
	struct mcp *mcp;

	buf_addf(&url, "http://127.0.0.1:%d/mcp", port);
	settings.endpoint = url.s;
	mcp = mcp_new(base, fetcher, &settings);
	buf_release(&url);
	told = refused = outages = 0;
	return mcp;
}

static struct mcp_call *
ask(struct mcp *mcp)
{
	struct mcp_request request = { .method = "tools/list", .params = { "{}", 2 } };

	return mcp_call(mcp, &request, on_done, NULL);
}

int
main(void)
{
	struct mcp_call *first, *second;
	struct mcp *mcp;
	int fd, port = deaf(&fd), i;

	base = event_base_new();
	fetcher = fetcher_new(base, "test");

	mcp = server(port, 60000, 0, 0);
	for (i = 0; i < MCP_QUEUE_MAX; i++)
		ask(mcp);
	event_base_loop(base, EVLOOP_ONCE);
	is_int(told, 0, "a thousand may wait");
	ask(mcp);
	await(1);
	ok(refused == 1 && !strcmp(last.s, "remote concurrency limit reached: too many requests wait already"), "one more is refused");
	is_int(mcp_count(mcp), MCP_QUEUE_MAX + 1, "the others are still there, and the opening of the session");
	mcp_stop(mcp, "enough");
	await(MCP_QUEUE_MAX + 1);
	ok(refused == MCP_QUEUE_MAX + 1 && !strcmp(last.s, "enough"), "a stop tells each of them why");
	is_int(mcp_count(mcp), 0, "and nothing is left");
	mcp_free(mcp);

	mcp = server(port, 60000, 0, 0);
	first = ask(mcp);
	second = ask(mcp);
	mcp_end(second, "not this one");
	await(1);
	ok(refused == 1 && !strcmp(last.s, "not this one"), "one that waits can be ended");
	mcp_end(first, "nor this");
	mcp_end(first, "twice");
	await(2);
	ok(refused == 2 && !strcmp(last.s, "nor this"), "ending twice is ending once");
	ask(mcp);
	mcp_free(mcp);
	is_int(told, 2, "what is freed is not told");

	mcp = server(port, 60000, 30, 0);
	ask(mcp);
	await(1);
	ok(refused == 1 && !strcmp(last.s, "remote concurrency limit reached (1): no turn within 30 ms"), "a turn that does not come: %s",
	    last.s);
	mcp_free(mcp);

	mcp = server(port, 50, 0, 0);
	ask(mcp);
	ask(mcp);
	await(2);
	ok(outages == 2 && !strcmp(last.s, "This operation was aborted: no answer within 50 ms"),
	    "a session that is not opened in time is an outage for all who wait");
	mcp_free(mcp);

	close(fd);
	mcp = server(port, 5000, 0, 3);
	ask(mcp);
	await(1);
	ok(outages == 1 && !strcmp(last.s, "fetch failed: connection refused"), "nobody there: %s", last.s);
	mcp_free(mcp);

	fetcher_free(fetcher);
	event_base_free(base);
	buf_release(&last);
	return done();
}
