/* test_ws.c - WebSocket sessions of http/: a server of our own in a child, and a client that speaks bytes */
#include "compat.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "http/server.h"
#include "http/ws.h"
#include "num.h"
#include "tap.h"
#include "xalloc.h"

#define PATIENCE_MS 20000
#define WRITE_MS 400
#define PING_MS 300
#define FLOOD_FRAMES 20000

/* ---- the server: what it does is told by the path */

struct session {
	struct ws *ws;
	unsigned next; /* flood */
	bool flood;
};

static int report_fd; /* how sessions ended, one line each */

static void
on_closed(int code, void *payload)
{
	char line[32];
	int n = snprintf(line, sizeof line, "closed %d\n", code);

	if (write(report_fd, line, (size_t)n) != n)
		abort();
	free(payload);
}

static void
flood(struct session *session)
{
	static char text[200];
	int n;

	while (session->next < FLOOD_FRAMES && !ws_full(session->ws)) {
		memset(text, '.', sizeof text);
		n = snprintf(text, sizeof text, "%u ", session->next++);
		text[n] = '.';
		ws_send(session->ws, text, sizeof text);
	}
}

static void
on_drained(void *payload)
{
	struct session *session = payload;

	if (session->flood)
		flood(session);
}

static void
on_text(struct span message, void *payload)
{
	struct session *session = payload;
	struct shared_frame *frame;
	struct ws *ws = session->ws;

	if (message.n == 4 && !memcmp(message.s, "quit", 4)) {
		free(session);
		ws_close(ws, WS_POLICY, "as you like");
		return;
	}
	if (message.n > 3000) {
		frame = shared_frame_new(message.s, message.n);
		ws_send_shared(ws, frame);
		shared_frame_unref(frame);
	} else
		ws_send(ws, message.s, message.n);
}

static void
on_request(struct request *request, void *payload)
{
	static const struct ws_events events = { .text = on_text, .drained = on_drained, .closed = on_closed };
	static const struct ws_events deaf = { .closed = on_closed };
	const char *path = request_path(request);
	struct ws_settings settings;
	struct session *session;

	(void)payload;
	if (!strcmp(path, "/plain")) {
		request_reply(request, 200, "text/plain", NULL, "plain", 5);
		return;
	}
	if (!ws_asked(request)) {
		ws_required(request, (const char *const[]){ "x-request-id", "r1", NULL });
		return;
	}
	if (!strcmp(path, "/deny")) {
		ws_reject(request, 401, "Authentication required", NULL);
		return;
	}
	ws_settings_init(&settings);
	settings.ping_ms = !strcmp(path, "/ping") ? PING_MS : 60000;
	settings.pong_ms = PING_MS;
	session = xcalloc(1, sizeof *session);
	session->flood = !strcmp(path, "/flood");
	session->ws = ws_open(request, &settings, !strcmp(path, "/deaf") ? &deaf : &events, session);
	if (!session->ws) {
		free(session);
		return;
	}
	if (session->flood)
		flood(session);
}

static void
on_quiet(void *payload)
{
	event_base_loopbreak(payload);
}

static struct event_base *base;
static struct server *server;

static void
stop(evutil_socket_t fd, short what, void *payload)
{
	(void)fd;
	(void)what;
	(void)payload;
	server_drain(server, on_quiet, base);
}

static void NORETURN
serve(int port_fd)
{
	struct server_settings settings;
	struct buf url = BUF_INIT;
	struct err err = ERR_INIT;
	struct event *term;

	base = event_base_new();
	server_settings_init(&settings);
	settings.write_ms = WRITE_MS;
	settings.output_max = 65536;
	settings.server_header = "x-test: 1";
	server = server_new(base, &settings, on_request, NULL);
	if (!server_listen(server, "127.0.0.1:0", &url, &err))
		abort();
	term = evsignal_new(base, SIGTERM, stop, NULL);
	event_add(term, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (write(port_fd, url.s, url.len) < 0)
		abort();
	close(port_fd);
	event_base_dispatch(base);
	server_free(server);
	event_free(term);
	event_base_free(base);
	buf_release(&url);
	exit(0);
}

/* ---- the client */

static uint64_t port;
static int reports;

static int
dial(int receive_buffer)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (receive_buffer)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		abort();
	return fd;
}

static void
put(int fd, const void *bytes, size_t n)
{
	if (send(fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		printf("# unable to send: %s\n", strerror(errno));
}

/* Reads until the end, or until n bytes are there; false when patience has run out. */
static bool
get(int fd, struct buf *to, size_t n)
{
	int64_t deadline = deadline_in(PATIENCE_MS);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char bytes[65536];
	ssize_t got;

	while (to->len < n) {
		if (poll(&p, 1, deadline_poll(deadline)) <= 0)
			return false;
		got = read(fd, bytes, n - to->len < sizeof bytes ? n - to->len : sizeof bytes);
		if (got <= 0)
			return true;
		buf_add(to, bytes, (size_t)got);
	}
	return true;
}

/* The head of an answer, with its empty line. */
static void
get_head(int fd, struct buf *to)
{
	buf_reset(to);
	while (!strstr(to->s, "\r\n\r\n"))
		if (!get(fd, to, to->len + 1) || !to->len)
			return;
}

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define GOOD "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n" KEY

static int
upgrade(const char *path, int receive_buffer)
{
	struct buf text = BUF_INIT;
	int fd = dial(receive_buffer);

	buf_addf(&text, "GET %s HTTP/1.1\r\nHost: h\r\n" GOOD "\r\n", path);
	put(fd, text.s, text.len);
	get_head(fd, &text);
	if (strncmp(text.s, "HTTP/1.1 101 ", 13))
		printf("# no upgrade: %s\n", text.s);
	buf_release(&text);
	return fd;
}

static void
put_frame(int fd, unsigned first, const void *bytes, size_t n)
{
	struct buf frame = BUF_INIT;
	size_t i;

	buf_addch(&frame, (char)first);
	buf_addch(&frame, (char)(0x80 | (n < 126 ? n : 126)));
	if (n >= 126) {
		buf_addch(&frame, (char)(n >> 8));
		buf_addch(&frame, (char)(n & 255));
	}
	buf_add(&frame, "mask", 4);
	for (i = 0; i < n; i++)
		buf_addch(&frame, (char)(((const char *)bytes)[i] ^ "mask"[i & 3]));
	put(fd, frame.s, frame.len);
	buf_release(&frame);
}

static void
expect(int fd, const void *want, size_t n, const char *name)
{
	struct buf got = BUF_INIT;

	ok(get(fd, &got, n), "%s: in time", name);
	is_bytes(got.s, got.len, want, n, name);
	buf_release(&got);
}

static void
expect_end(int fd, const void *want, size_t n, const char *name)
{
	struct buf got = BUF_INIT;

	ok(get(fd, &got, n + 1), "%s: in time", name);
	is_bytes(got.s, got.len, want, n, name);
	buf_release(&got);
	close(fd);
}

static void
expect_report(const char *want)
{
	struct buf line = BUF_INIT;

	while (!strchr(line.s, '\n') && get(reports, &line, line.len + 1) && line.len)
		;
	is_buf(&line, want, "the owner is told");
	buf_release(&line);
}

/* One request, the whole answer. */
static void
ask(const char *request, struct buf *answer)
{
	int fd = dial(0);

	buf_reset(answer);
	put(fd, request, strlen(request));
	get(fd, answer, SIZE_MAX);
	close(fd);
}

static void
rejected(const char *headers, const char *method, int status, const char *message)
{
	struct buf request = BUF_INIT, answer = BUF_INIT, want = BUF_INIT;

	buf_addf(&request, "%s /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", method, headers);
	ask(request.s, &answer);
	buf_addf(&want, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: %zu\r\n%s\r\n%s", status,
	    status == 405 ? "Method Not Allowed" : "Bad Request", strlen(message),
	    strstr(message, "Version") ? "Sec-WebSocket-Version: 13, 8\r\n" : "", message);
	is_buf(&answer, want.s, message);
	buf_release(&request);
	buf_release(&answer);
	buf_release(&want);
}

static void
test_handshake(void)
{
	struct buf answer = BUF_INIT;
	int fd = dial(0);

	put(fd, "GET /echo HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Protocol: a-b, c\r\n" GOOD "\r\n",
	    strlen("GET /echo HTTP/1.1\r\nHost: h\r\nSec-WebSocket-Protocol: a-b, c\r\n" GOOD "\r\n"));
	get_head(fd, &answer);
	is_buf(&answer,
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
	    "Sec-WebSocket-Protocol: a-b\r\nx-test: 1\r\n\r\n",
	    "an upgrade that is granted");
	put_frame(fd, 0x88, "\x03\xe8", 2);
	expect_end(fd, "\x88\x02\x03\xe8", 4, "a goodbye is answered, and the connection ends");
	expect_report("closed 1000\n");

	ask("GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", &answer);
	ok(!strncmp(answer.s, "HTTP/1.1 426 Upgrade Required\r\n", 31) && strstr(answer.s, "\r\nupgrade: websocket\r\n") &&
		strstr(answer.s, "\r\nx-request-id: r1\r\n") &&
		strstr(answer.s, "\r\n\r\n{\"code\":\"UPGRADE_REQUIRED\",\"message\":\"Use websocket upgrade for this endpoint\"}"),
	    "a plain GET: 426");
	ask("GET /deny HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\r\n", &answer);
	is_buf(&answer,
	    "HTTP/1.1 401 Authentication required\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"code\":\"WS_UPGRADE_REJECTED\",\"message\":\"Authentication required\"}",
	    "a rejection, byte for byte");
	ask("GET /plain HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: close, upgrade\r\n\r\n", &answer);
	ok(!strncmp(answer.s, "HTTP/1.1 200 OK\r\n", 17) && strstr(answer.s, "\r\n\r\nplain"),
	    "an Upgrade header elsewhere changes nothing");
	rejected(GOOD, "POST", 405, "Invalid HTTP method");
	rejected("Upgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" KEY, "GET", 400, "Invalid Upgrade header");
	rejected("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" KEY, "GET", 400, "Invalid Connection header");
	rejected("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n", "GET", 400,
	    "Missing or invalid Sec-WebSocket-Key header");
	rejected(GOOD KEY, "GET", 400, "Missing or invalid Sec-WebSocket-Key header");
	rejected("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n", "GET", 400,
	    "Missing or invalid Sec-WebSocket-Key header");
	rejected("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 12\r\n" KEY, "GET", 400,
	    "Missing or invalid Sec-WebSocket-Version header");
	fd = dial(0);
	put(fd, "GET /echo HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n" KEY "\r\n",
	    strlen(
		"GET /echo HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n" KEY "\r\n"));
	get_head(fd, &answer);
	ok(!strncmp(answer.s, "HTTP/1.1 101 ", 13), "version 8 has the same frames");
	put_frame(fd, 0x88, "\x03\xe8", 2);
	expect_end(fd, "\x88\x02\x03\xe8", 4, "its goodbye is answered too");
	expect_report("closed 1000\n");
	rejected(GOOD "Sec-WebSocket-Protocol: a b\r\n", "GET", 400, "Invalid Sec-WebSocket-Protocol header");
	buf_release(&answer);
}

static void
test_talk(void)
{
	char text[5000];
	int fd = upgrade("/echo", 0);

	put_frame(fd, 0x81, "hi", 2);
	expect(fd, "\x81\x02hi", 4, "an echo");
	put_frame(fd, 0x01, "he", 2);
	put_frame(fd, 0x89, "x", 1);
	expect(fd, "\x8a\x01x", 3, "a ping between fragments");
	put_frame(fd, 0x80, "y!", 2);
	expect(fd, "\x81\x04hey!", 6, "fragments");
	memset(text, 'z', sizeof text);
	put_frame(fd, 0x81, text + 4, sizeof text - 4);
	memcpy(text, "\x81\x7e\x13\x84", 4);
	expect(fd, text, sizeof text, "a shared frame");
	put_frame(fd, 0x81, "quit", 4);
	expect(fd,
	    "\x88\x0d\x03\xf0"
	    "as you like",
	    15, "the owner's goodbye");
	put_frame(fd, 0x88, "\x03\xf0", 2);
	expect_end(fd, "", 0, "both have said goodbye: the end");

	fd = upgrade("/echo", 0);
	put(fd, "\x81\x02hi", 4);
	expect_end(fd, "\x88\x02\x03\xea", 4, "no mask: the end");
	expect_report("closed 1002\n");

	fd = upgrade("/echo", 0);
	put_frame(fd, 0x82, "hi", 2);
	put_frame(fd, 0x88, "", 0);
	expect_end(fd, "\x88\x15\x03\xebtext is spoken here", 23, "a binary message");
	expect_report("closed 1003\n");

	fd = upgrade("/deaf", 0);
	put_frame(fd, 0x82, "hi", 2);
	put_frame(fd, 0x81, "hi", 2);
	put_frame(fd, 0x89, "", 0);
	expect(fd, "\x8a\x00", 2, "who listens to nothing takes everything");
	close(fd);
	expect_report("closed 1006\n");

	fd = dial(0);
	put(fd,
	    "GET /echo HTTP/1.1\r\n" GOOD "\r\n\x81\x80"
	    "mask\x88\x80"
	    "mask",
	    strlen("GET /echo HTTP/1.1\r\n" GOOD "\r\n") + 12);
	shutdown(fd, SHUT_WR);
	{
		struct buf answer = BUF_INIT;

		get_head(fd, &answer);
		buf_release(&answer);
	}
	expect_end(fd, "\x81\x00\x88\x00", 4, "frames that come with the request");
	expect_report("closed 1005\n");
}

static void
test_life(void)
{
	struct buf got = BUF_INIT;
	int fd = upgrade("/ping", 0);
	int64_t start = clock_monotonic_ms();

	expect(fd, "\x89\x00", 2, "a ping after silence");
	put_frame(fd, 0x8a, "", 0);
	expect(fd, "\x89\x00", 2, "and another one, as the first was answered");
	ok(clock_monotonic_ms() - start >= 2 * PING_MS - 50, "not before their time");
	expect(fd, "\x88\x11\x03\xf3no sign of life", 19, "no answer: a goodbye");
	expect_report("closed 1011\n");
	ok(get(fd, &got, 1) && !got.len, "and the end, for one who does not answer that either");
	close(fd);
	buf_release(&got);
}

/* Reads frames of the flood: how many came in order, and what ended it. */
static unsigned
read_flood(struct buf *got, int *ret_code)
{
	size_t at = 0, n, head;
	unsigned frames = 0;
	bool in_order = true;

	*ret_code = 0;
	while (at + 2 <= got->len) {
		head = (unsigned char)got->s[at + 1] == 126 ? 4 : 2;
		n = head == 4 ? (size_t)((unsigned char)got->s[at + 2] << 8 | (unsigned char)got->s[at + 3])
			      : (unsigned char)got->s[at + 1];
		if (at + head + n > got->len)
			break;
		if ((unsigned char)got->s[at] == 0x88) {
			*ret_code = (unsigned char)got->s[at + 2] << 8 | (unsigned char)got->s[at + 3];
			at += head + n;
			break;
		}
		in_order = in_order && strtoul(got->s + at + head, NULL, 10) == frames;
		frames++;
		at += head + n;
	}
	ok(in_order && at == got->len, "%u whole frames in order", frames);
	return frames;
}

static void
test_slow(void)
{
	struct buf got = BUF_INIT;
	size_t all = (size_t)FLOOD_FRAMES * 204;
	int fd = upgrade("/flood", 0), code;

	ok(get(fd, &got, all), "a reader that reads");
	ok(read_flood(&got, &code) == FLOOD_FRAMES && code == 0, "gets everything, however little waits at once");
	close(fd);
	expect_report("closed 1006\n");

	buf_reset(&got);
	fd = upgrade("/flood", 4096);
	expect_report("closed 1013\n"); /* the owner hears of it while the reader still sleeps */
	ok(get(fd, &got, SIZE_MAX), "a reader that wakes up too late");
	ok(read_flood(&got, &code) < FLOOD_FRAMES && code == 1013, "gets whole frames and is told why there are no more");
	close(fd);
	buf_release(&got);
}

int
main(void)
{
	struct buf url = BUF_INIT;
	int port_pipe[2], report_pipe[2], fd, status;
	pid_t child;

	if (pipe(port_pipe) < 0 || pipe(report_pipe) < 0)
		abort();
	child = fork();
	if (child == 0) {
		report_fd = report_pipe[1];
		close(report_pipe[0]);
		serve(port_pipe[1]);
	}
	close(port_pipe[1]);
	close(report_pipe[1]);
	reports = report_pipe[0];
	get(port_pipe[0], &url, SIZE_MAX);
	ok(num_u64(strrchr(url.s, ':') + 1, strlen(strrchr(url.s, ':') + 1), &port), "the server listens");
	test_handshake();
	test_talk();
	test_life();
	test_slow();
	fd = upgrade("/echo", 0);
	kill(child, SIGTERM);
	expect(fd, "\x88\x13\x03\xe9the gateway stops", 21, "a gateway that stops says so");
	put_frame(fd, 0x88, "\x03\xe9", 2);
	expect_end(fd, "", 0, "and ends");
	expect_report("closed 1001\n");
	ok(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0, "nothing is left");
	buf_release(&url);
	return done();
}
