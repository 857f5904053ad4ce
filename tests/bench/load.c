/* load.c - connections and answers for the programs that measure */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "buf.h"
#include "die.h"
#include "err.h"
#include "load.h"
#include "num.h"

int
load_connect(const char *url)
{
	static const char scheme[] = "http://127.0.0.1:";
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct linger reset = { .l_onoff = 1 };
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (strncmp(url, scheme, sizeof scheme - 1))
		die(STATUS_USAGE, "unable to connect to '%s': expected %sPORT", url, scheme);
	to.sin_port = htons((uint16_t)load_number(url + sizeof scheme - 1, "port"));
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to))
		die_errno(STATUS_UNREACHABLE, "unable to connect to '%s'", url);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		die_errno(STATUS_IO, "unable to set a socket up");
	return fd;
}

void
load_write(int fd, const char *bytes, size_t n)
{
	while (n) {
		ssize_t wrote = write(fd, bytes, n);
		struct pollfd wait = { .fd = fd, .events = POLLOUT };

		if (wrote < 0 && errno != EAGAIN && errno != EINTR)
			die_errno(STATUS_UNREACHABLE, "unable to send a request");
		if (wrote < 0) {
			if (!poll(&wait, 1, LOAD_WAIT_MS))
				die(STATUS_TIMEOUT, "unable to send a request: the server takes nothing");
			continue;
		}
		bytes += wrote;
		n -= (size_t)wrote;
	}
}

void
load_request(struct buf *to, const char *method, const char *path, const char *headers, const char *body, size_t body_n)
{
	buf_addstr(to, method);
	buf_addch(to, ' ');
	buf_addstr(to, path);
	buf_addstr(to, " HTTP/1.1\r\nHost: localhost\r\n");
	buf_addstr(to, headers);
	if (body) {
		buf_addstr(to, "Content-Type: application/json\r\nContent-Length: ");
		buf_addu64(to, body_n);
		buf_addstr(to, "\r\n");
	}
	buf_addstr(to, "\r\n");
	if (body)
		buf_add(to, body, body_n);
}

/* What the head says of the body's length; -1: nothing. */
static long
length_of(const char *head)
{
	static const char name[] = "\r\ncontent-length:";
	const char *at;

	for (at = head; (at = strstr(at, "\r\n")); at += 2)
		if (!strncasecmp(at, name, sizeof name - 1))
			return strtol(at + sizeof name - 1, NULL, 10);
	return -1;
}

size_t
load_head(struct load_answer *answer, const char *bytes, size_t n)
{
	size_t before = answer->n_head, from = before > 3 ? before - 3 : 0, room = LOAD_HEAD_MAX - 1 - before;
	const char *end;

	memcpy(answer->head + before, bytes, n < room ? n : room);
	answer->n_head += n < room ? n : room;
	end = memmem(answer->head + from, answer->n_head - from, "\r\n\r\n", 4);
	if (!end && n >= room)
		die(STATUS_PROTOCOL, "unable to read an answer: its head has more than %d bytes", LOAD_HEAD_MAX);
	if (!end)
		return 0;
	answer->n_head = (size_t)(end - answer->head) + 4;
	answer->head[answer->n_head] = '\0';
	answer->body = true;
	answer->status = answer->n_head > 12 ? (int)strtol(answer->head + 9, NULL, 10) : 0;
	return answer->n_head - before;
}

bool
load_feed(struct load_answer *answer, const char *bytes, size_t n)
{
	if (!answer->body) {
		size_t used = load_head(answer, bytes, n);
		long length;

		if (!answer->body)
			return false;
		length = length_of(answer->head);
		if (length < 0)
			die(STATUS_PROTOCOL, "unable to read an answer: it does not say how long it is: %s", answer->head);
		answer->left = (size_t)length;
		bytes += used;
		n -= used;
	}
	if (n > answer->left)
		die(STATUS_PROTOCOL, "unable to read an answer: more came than was asked for");
	answer->left -= n;
	if (answer->left)
		return false;
	answer->n_head = 0;
	answer->body = false;
	return true;
}

static int
by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

void
load_sort(int64_t *numbers, size_t n)
{
	qsort(numbers, n, sizeof *numbers, by_size);
}

double
load_percentile_ms(const int64_t *sorted_us, size_t n, double percent)
{
	size_t at = (size_t)((double)n * percent / 100);

	return n ? (double)sorted_us[at < n ? at : n - 1] / 1000 : 0;
}

long
load_number(const char *text, const char *what)
{
	struct err err = ERR_INIT;
	int64_t n = 0;

	if (!num_in_range(text, 0, 1000000000, what, &n, &err))
		die_err(&err);
	return (long)n;
}
