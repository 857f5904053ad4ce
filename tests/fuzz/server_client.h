/* server_client.h - the client of a server that is fuzzed: any bytes on a connection; what comes back is HTTP, JSON where it says so, and no
 * request is the server's own fault */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include "compat.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "buf.h"
#include "clock.h"
#include "http/conn.h"
#include "jtext.h"
#include "num.h"
#include "out.h"
#include "xalloc.h"

#define WAIT_MS 200	/* for an answer to the last request; a stream is given up then */
#define BYTES_MAX 65536 /* of one input: what a socket takes at once */

/* ---- a folder of its own, which goes at the end */

static char top[] = "/tmp/fuzz_server.XXXXXX";

static inline int
remove_one(const char *path, const struct stat *st, int what, struct FTW *ftw)
{
	(void)st;
	(void)what;
	(void)ftw;
	return remove(path);
}

static inline void
remove_top(void)
{
	(void)nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes it, and begins a server there, whose one record would stand among the tests' lines. */
static inline void
begin_server(void (*begin)(void))
{
	int out = dup(STDOUT_FILENO);

	if (!mkdtemp(top))
		abort();
	atexit(remove_top);
	if (out < 0 || !freopen("/dev/null", "w", stdout))
		abort();
	begin();
	(void)out_flush();
	fflush(stdout);
	if (dup2(out, STDOUT_FILENO) < 0)
		abort();
	close(out);
}

/* ---- one connection */

/* Reads what there is. False: the server has closed. */
static inline bool
take(int fd, struct buf *answer)
{
	char some[16384];
	ssize_t n;

	while ((n = recv(fd, some, sizeof some, MSG_DONTWAIT)) > 0)
		buf_add(answer, some, (size_t)n);
	return n < 0 && errno == EAGAIN;
}

/* The first answer: an HTTP head, not a 500; JSON where it says that it is and how long. */
static inline void
check(const struct buf *answer)
{
	const char *end, *length, *body;
	struct span json;
	uint64_t n;
	size_t digits;

	if (!answer->len)
		return;
	if (strncmp(answer->s, "HTTP/1.1 ", 9) != 0 || !strncmp(answer->s + 9, "500", 3))
		abort();
	end = strstr(answer->s, "\r\n\r\n");
	if (!end)
		abort();
	length = strstr(answer->s, "content-length: ");
	if (!length || length > end || !strncmp(answer->s + 9, "304", 3))
		return;
	length += strlen("content-length: ");
	digits = strspn(length, "0123456789");
	body = end + 4;
	if (!num_u64(length, digits, &n))
		abort();
	if (n && n <= answer->len - (size_t)(body - answer->s) && strstr(answer->s, "application/json") &&
	    strstr(answer->s, "application/json") < end && !jtext_check(body, n, true, &json, NULL))
		abort();
}

/* Everything is sent, and nothing more; what comes back is looked at. */
static inline void
server_takes(struct server *server, struct event_base *base, const uint8_t *bytes, size_t n)
{
	struct buf answer = BUF_INIT;
	bool head_asked;
	int64_t end;
	size_t first = 0;
	int pair[2];

	while (first < n && (bytes[first] == '\r' || bytes[first] == '\n'))
		first++; /* empty lines before a request are passed over */
	head_asked = n - first >= 4 && !memcmp(bytes + first, "HEAD", 4);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	evutil_make_socket_nonblocking(pair[0]);
	conn_open(server, pair[0], PEER_LOOPBACK, xstrdup("127.0.0.1:1"));
	if (send(pair[1], bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n)
		abort();
	shutdown(pair[1], SHUT_WR);
	for (end = deadline_in(WAIT_MS); take(pair[1], &answer) && deadline_left(end);)
		event_base_loop(base, EVLOOP_ONCE); /* its tick ends this in any case */
	close(pair[1]);
	while (server->n_conns)
		event_base_loop(base, EVLOOP_ONCE);
	if (!head_asked)
		check(&answer);
	if (answer.len && strstr(answer.s, "HTTP/1.1 500") && (!n || !memmem(bytes, n, "1.1 500", 7)))
		abort(); /* of a further request */
	buf_release(&answer);
}

#endif
