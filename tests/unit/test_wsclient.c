/* test_wsclient.c - the WebSocket client: against the gateway's server, and against servers that do as they like */
#include "compat.h"

#include <netinet/in.h>
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
#include "status.h"
#include "tap.h"
#include "wsclient.h"
#include "wspeer.h"
#include "xalloc.h"

#define PATIENCE_MS 20000
#define FLOOD 5000

/* ---- the gateway's server */

struct session {
	struct ws *ws;
	unsigned next;
	bool flood;
};

static void
on_closed(int code, void *payload)
{
	(void)code;
	free(payload);
}

static void
flood(void *payload)
{
	struct session *session = payload;
	char text[32];
	int n;

	while (session->flood && session->next < FLOOD && !ws_full(session->ws)) {
		n = snprintf(text, sizeof text, "%u", session->next++);
		ws_send(session->ws, text, (size_t)n);
	}
}

static void
on_text(struct span message, void *payload)
{
	struct session *session = payload;
	struct ws *ws = session->ws;

	if (message.n == 4 && !memcmp(message.s, "quit", 4)) {
		free(session);
		ws_close(ws, WS_TRY_LATER, "later");
	} else
		ws_send(ws, message.s, message.n);
}

static void
on_request(struct request *request, void *payload)
{
	static const struct ws_events events = { .text = on_text, .drained = flood, .closed = on_closed };
	struct session *session;
	struct ws_settings settings;
	bool floods = !strcmp(request_path(request), "/flood");

	(void)payload;
	if (!strcmp(request_path(request), "/deny")) {
		ws_reject(request, 401, "Authentication required", NULL);
		return;
	}
	if (!strcmp(request_path(request), "/busy")) {
		request_reply(request, 429, "application/json; charset=utf-8", (const char *const[]){ "retry-after", "3", NULL },
		    "{\"code\":\"RATE_LIMITED\"}", 23);
		return;
	}
	if (!request_header(request, "x-test") || strcmp(request_header(request, "x-test"), "yes"))
		abort();
	ws_settings_init(&settings);
	session = xcalloc(1, sizeof *session);
	session->flood = floods;
	session->ws = ws_open(request, &settings, &events, session);
	if (!session->ws)
		free(session);
	else
		flood(session);
}

static void NORETURN
serve(const char *address, int report)
{
	struct event_base *base = event_base_new();
	struct server_settings settings;
	struct server *server;
	struct buf url = BUF_INIT;
	struct err err = ERR_INIT;

	server_settings_init(&settings);
	settings.output_max = 16384;
	server = server_new(base, &settings, on_request, NULL);
	if (!server_listen(server, "127.0.0.1:0", &url, &err) || !server_listen(server, address, &url, &err))
		abort();
	signal(SIGPIPE, SIG_IGN);
	if (write(report, url.s, strcspn(url.s, "u")) < 0)
		abort();
	close(report);
	event_base_dispatch(base);
	abort();
}

/* ---- the client */

struct heard {
	struct buf text; /* messages, each with a newline */
	unsigned n;
	unsigned stop_at; /* 0: never */
};

static bool
on_heard(struct span message, void *payload)
{
	struct heard *heard = payload;

	buf_add(&heard->text, message.s, message.n);
	buf_addch(&heard->text, '\n');
	return ++heard->n != heard->stop_at;
}

static struct wsclient *
open_client(const char *url, const char *unix_path, struct heard *heard, struct http_answer *answer, struct err *err)
{
	static const char *const headers[] = { "x-test: yes", NULL };
	struct http_settings http = { .unix_path = unix_path, .user_agent = "test" };
	struct wsclient_settings settings = {
		.http = &http, .url = url, .headers = headers, .deadline = deadline_in(PATIENCE_MS), .text = on_heard, .payload = heard
	};

	settings.message_max = 100000;
	settings.ping_ms = 200;
	settings.pong_ms = 200;
	*heard = (struct heard){ .text = BUF_INIT };
	*err = (struct err)ERR_INIT;
	return wsclient_open(&settings, answer, err);
}

/* Until so many messages were heard; false: it was over before. */
static bool
hear(struct wsclient *client, struct heard *heard, unsigned n, struct err *err)
{
	int64_t deadline = deadline_in(PATIENCE_MS);

	while (heard->n < n && deadline_left(deadline))
		if (!wsclient_wait(client, deadline, err))
			return false;
	return heard->n >= n;
}

static void
test_talk(const char *base, const char *unix_path)
{
	struct buf url = BUF_INIT, large = BUF_INIT;
	struct http_answer answer;
	struct wsclient *client;
	struct heard heard;
	struct err err;

	buf_addf(&url, "%s/echo?x=1", base);
	client = open_client(url.s, unix_path, &heard, &answer, &err);
	ok(client != NULL, "opens %s", err.text);
	while (large.len < 60000)
		buf_addch(&large, (char)('a' + large.len % 26));
	wsclient_send(client, "hi", 2);
	wsclient_send(client, large.s, large.len);
	wsclient_send(client, "", 0);
	ok(hear(client, &heard, 3, &err) && !strncmp(heard.text.s, "hi\n", 3) && heard.text.len == 60000 + 5 &&
		!memcmp(heard.text.s + 3, large.s, large.len),
	    "texts come back");
	buf_reset(&heard.text);
	wsclient_send(client, "quit", 4);
	ok(!hear(client, &heard, 10, &err) && err.status == STATUS_UNREACHABLE, "a goodbye ends it");
	is_str(err.text, "the server said goodbye: 1013 later", "and is told");
	ok(wsclient_code(client) == 1013 && !strcmp(wsclient_reason(client), "later"), "with code and reason");
	wsclient_free(client);
	http_answer_release(&answer);
	buf_release(&heard.text);
	client = open_client(url.s, unix_path, &heard, &answer, &err);
	wsclient_close(client, deadline_in(PATIENCE_MS));
	ok(wsclient_code(client) == 1000, "our own goodbye is answered");
	wsclient_free(client);
	http_answer_release(&answer);
	buf_release(&heard.text);
	buf_release(&url);
	buf_release(&large);
}

static void
test_refusals(const char *base)
{
	struct buf url = BUF_INIT;
	struct http_answer answer;
	struct heard heard;
	struct err err;

	buf_addf(&url, "%s/deny", base);
	ok(!open_client(url.s, NULL, &heard, &answer, &err) && answer.status == 401 && err.http == 401, "a refusal has its status");
	is_buf(&answer.body, "{\"code\":\"WS_UPGRADE_REJECTED\",\"message\":\"Authentication required\"}", "and its body");
	http_answer_release(&answer);
	buf_reset(&url);
	buf_addf(&url, "ws%s/busy", base + 4);
	ok(!open_client(url.s, NULL, &heard, &answer, &err) && answer.status == 429 && !strcmp(answer.retry_after.s, "3") &&
		!strcmp(answer.content_type.s, "application/json"),
	    "one with a length leaves nothing to wait for; ws: is http:");
	http_answer_release(&answer);
	ok(!open_client("http://127.0.0.1:1/", NULL, &heard, &answer, &err) && answer.status == 0 && err.status == STATUS_UNREACHABLE &&
		!strcmp(err.text, "connection refused"),
	    "nobody there");
	ok(!open_client("ftp://127.0.0.1:1/", NULL, &heard, &answer, &err) && answer.status == 0, "no address of ours");
	buf_release(&url);
}

static void
test_flood(const char *base)
{
	struct buf url = BUF_INIT;
	struct http_answer answer;
	struct wsclient *client;
	struct heard heard;
	struct err err;
	unsigned i, value;
	const char *at;
	bool in_order = true;

	buf_addf(&url, "%s/flood", base);
	client = open_client(url.s, NULL, &heard, &answer, &err);
	heard.stop_at = 1;
	ok(wsclient_wait(client, deadline_in(PATIENCE_MS), &err) && heard.n < FLOOD, "who wants no more gets what has been read");
	ok(hear(client, &heard, FLOOD, &err), "all of a flood");
	for (i = 0, at = heard.text.s; i < FLOOD && in_order; i++, at = strchr(at, '\n') + 1) {
		value = (unsigned)strtoul(at, NULL, 10);
		in_order = value == i;
	}
	ok(in_order, "in order");
	wsclient_free(client);
	http_answer_release(&answer);
	buf_release(&heard.text);
	buf_release(&url);
}

/* ---- servers that do as they like */

/* Takes one connection, reads the request, answers with head ("%" becomes the right accept) and body, and then closes, or waits to be
 * killed. */
static pid_t
script(const char *head, const void *body, size_t n, bool stay, struct buf *url)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client;
	struct buf request = BUF_INIT, answer = BUF_INIT;
	const char *key;
	char bytes[4096];
	ssize_t got;
	pid_t child;

	if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 1) < 0 || getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		abort();
	buf_reset(url);
	buf_addf(url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
	child = fork();
	if (child) {
		close(fd);
		return child;
	}
	client = accept(fd, NULL, NULL);
	while (!strstr(request.s, "\r\n\r\n") && (got = read(client, bytes, sizeof bytes)) > 0)
		buf_add(&request, bytes, (size_t)got);
	for (; *head; head++) {
		if (*head != '%') {
			buf_addch(&answer, *head);
			continue;
		}
		key = strstr(request.s, "Sec-WebSocket-Key: ") + 19;
		wspeer_add_accept(&answer, key, WSPEER_KEY_LEN);
	}
	buf_add(&answer, body, n);
	if (write(client, answer.s, answer.len) < 0)
		abort();
	while (stay && read(client, bytes, sizeof bytes) > 0)
		;
	_exit(0);
}

#define GOOD "HTTP/1.1 101 X\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: %\r\n\r\n"

static void
wrong_answer(const char *head, int status, const char *text)
{
	struct buf url = BUF_INIT;
	pid_t child = script(head, "", 0, false, &url);
	struct http_answer answer;
	struct heard heard;
	struct err err;

	ok(!open_client(url.s, NULL, &heard, &answer, &err) && err.status == status && answer.status == 0, "refused: %s", text);
	is_str(err.text, text, "why");
	waitpid(child, NULL, 0);
	http_answer_release(&answer);
	buf_release(&url);
}

static void
ends(const void *body, size_t n, bool stay, const char *messages, int status, const char *text)
{
	struct buf url = BUF_INIT;
	pid_t child = script(GOOD, body, n, stay, &url);
	struct http_answer answer;
	struct heard heard;
	struct err err;
	struct wsclient *client = open_client(url.s, NULL, &heard, &answer, &err);

	ok(client && !hear(client, &heard, 100, &err) && err.status == status, "over: %s", text);
	ok(!strncmp(err.text, text, strlen(text)), "why (%s)", err.text);
	is_buf(&heard.text, messages, "what came before is heard");
	wsclient_free(client);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	http_answer_release(&answer);
	buf_release(&heard.text);
	buf_release(&url);
}

static void
test_wrong(void)
{
	static const char wrong[] = "the answer to the WebSocket handshake is wrong";
	struct buf large = BUF_INIT;

	wrong_answer(
	    "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
	    STATUS_PROTOCOL, wrong);
	wrong_answer("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: %\r\n\r\n", STATUS_PROTOCOL, wrong);
	wrong_answer("HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %\r\n\r\n", STATUS_PROTOCOL, wrong);
	wrong_answer(
	    "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %\r\nSec-WebSocket-Extensions: x\r\n\r\n",
	    STATUS_PROTOCOL, wrong);
	wrong_answer("SSH-2.0-OpenSSH_9.2\r\n\r\n", STATUS_PROTOCOL, "this is no HTTP");
	wrong_answer("HTTP/1.1 101 X\r\nUpgrade", STATUS_PROTOCOL, "the connection ended before there was an answer");
	wrong_answer("", STATUS_UNREACHABLE, "the connection ended before there was an answer");
	while (large.len < WSCLIENT_HEAD_MAX + 10)
		buf_addstr(&large, "HTTP/1.1 ");
	wrong_answer(large.s, STATUS_PROTOCOL, "the head of the answer is longer than 65536 bytes");
	ends("\x81\x02hi", 4, false, "hi\n", STATUS_UNREACHABLE, "the connection was lost");
	ends("\x81\x02hi\x81\x82"
	     "abcd\x00\x00",
	    12, true, "hi\n", STATUS_PROTOCOL, "the server broke the WebSocket protocol (1002)");
	ends("\x81\x7f\x00\x00\x00\x00\x00\x01\x86\xa1x", 11, true, "", STATUS_PROTOCOL, "the server broke the WebSocket protocol (1009)");
	ends("\x88\x00", 2, true, "", STATUS_UNREACHABLE, "the server said goodbye: 1005");
	ends("\x81\x02hi", 4, true, "hi\n", STATUS_UNREACHABLE, "no sign of life for "); /* it never answers pings */
	buf_release(&large);
}

int
main(void)
{
	struct buf url = BUF_INIT, path = BUF_INIT, address = BUF_INIT;
	struct http_answer answer;
	struct heard heard;
	struct err err;
	int report[2];
	char bytes[256];
	ssize_t n;
	pid_t child;

	unsetenv("http_proxy");
	buf_addf(&path, "%s/test_wsclient.%ld", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", (long)getpid());
	buf_addf(&address, "unix:%s", path.s);
	if (pipe(report) < 0)
		abort();
	child = fork();
	if (child == 0)
		serve(address.s, report[1]);
	close(report[1]);
	while ((n = read(report[0], bytes, sizeof bytes)) > 0)
		buf_add(&url, bytes, (size_t)n);
	test_talk(url.s, NULL);
	test_talk("http://localhost", path.s);
	test_refusals(url.s);
	test_flood(url.s);
	test_wrong();
	kill(child, SIGSTOP);
	{
		struct http_settings http = { .connect_timeout_ms = 5000 };
		struct wsclient_settings settings = {
			.http = &http, .url = url.s, .deadline = deadline_in(200), .text = on_heard, .payload = &heard
		};

		ok(!wsclient_open(&settings, &answer, &err) && err.status == STATUS_TIMEOUT, "a server that sleeps: the deadline passes");
		http_answer_release(&answer);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	unlink(path.s);
	buf_release(&url);
	buf_release(&path);
	buf_release(&address);
	return done();
}
