/* test_server.c - http/server.h: what a request may take of time, however little of it comes and how often */
#include "compat.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "http/server.h"
#include "num.h"
#include "tap.h"

#define PATIENCE_MS 20000
#define LIMIT_MS 400
#define STEP_MS 20 /* between two bytes */

static struct event_base *base;
static uint64_t port;

static void
on_request(struct request *request, void *payload)
{
	(void)payload;
	request_reply(request, 200, "text/plain", NULL, request_body(request).s, request_body(request).n);
}

static int
dial(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		abort();
	return fd;
}

/* Sends begin at once and then a byte of more now and then, as long as the server takes it, round and round when that is asked for; what
 * came back is in answer. The time until the end, or until the answer is there; -1: neither came. */
static int64_t
trickle(const char *begin, const char *more, bool for_ever, struct buf *answer)
{
	int64_t start = clock_monotonic_ms(), next = start;
	int fd = dial();
	size_t at = 0, n = strlen(more);
	char some[4096];
	ssize_t got;

	buf_reset(answer);
	if (send(fd, begin, strlen(begin), MSG_NOSIGNAL) != (ssize_t)strlen(begin))
		abort();
	while (clock_monotonic_ms() - start < PATIENCE_MS) {
		struct pollfd in = { .fd = fd, .events = POLLIN };

		event_base_loop(base, EVLOOP_NONBLOCK);
		if (clock_monotonic_ms() >= next && (for_ever || at < n)) {
			(void)!send(fd, more + at++ % n, 1, MSG_NOSIGNAL);
			next += STEP_MS;
		}
		if (poll(&in, 1, 5) != 1)
			continue;
		got = recv(fd, some, sizeof some, 0);
		if (got > 0)
			buf_add(answer, some, (size_t)got);
		if (got <= 0 || (!for_ever && strstr(answer->s, "\r\n\r\n"))) {
			close(fd);
			return clock_monotonic_ms() - start;
		}
	}
	close(fd);
	return -1;
}

static bool
in_time(int64_t ms)
{
	printf("# %lld ms\n", (long long)ms);
	return ms >= LIMIT_MS - 50 && ms < LIMIT_MS + 5000;
}

int
main(void)
{
	struct server_settings settings;
	struct buf url = BUF_INIT, answer = BUF_INIT;
	struct err err = ERR_INIT;
	struct server *server;
	const char *colon;

	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	server_settings_init(&settings);
	settings.head_ms = settings.body_ms = settings.idle_ms = LIMIT_MS;
	server = server_new(base, &settings, on_request, NULL);
	if (!server_listen(server, "127.0.0.1:0", &url, &err))
		abort();
	colon = strrchr(url.s, ':') + 1;
	ok(num_u64(colon, strlen(colon), &port), "the server listens");

	ok(trickle("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", "abc", false, &answer) >= 0 && strstr(answer.s, " 200 "),
	    "a body that comes in pieces is one");
	ok(in_time(trickle("GET / HTTP/1.1\r\nHost: a\r\nX: ", "a", true, &answer)), "a byte now and then gains a head no time");
	ok(strstr(answer.s, " 408 "), "and is told so");
	ok(in_time(trickle("GET / HTTP/1.1\r\n", "a: b\r\n", true, &answer)), "nor do lines");
	ok(in_time(trickle("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n", "a", true, &answer)),
	    "nor does a body gain any");
	ok(strstr(answer.s, " 408 "), "and is told so");
	ok(in_time(trickle("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", true, &answer)), "nor chunks");
	ok(strstr(answer.s, " 408 "), "and are told so");
	ok(in_time(trickle("", "\r\n", true, &answer)), "nor blank lines before a head");

	server_free(server);
	event_base_free(base);
	buf_release(&url);
	buf_release(&answer);
	return done();
}
