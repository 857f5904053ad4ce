/* ws-echo - a WebSocket server for tests: says back what it hears; "bye" is answered with 1000, "boom" with 1011. Prints its address. */
#include "compat.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "buf.h"
#include "err.h"
#include "http/server.h"
#include "http/ws.h"
#include "xalloc.h"

struct session {
	struct ws *ws;
};

static void
on_text(struct span message, void *payload)
{
	struct session *session = payload;
	struct ws *ws = session->ws;
	bool bye = message.n == 3 && !memcmp(message.s, "bye", 3), boom = message.n == 4 && !memcmp(message.s, "boom", 4);

	if (!bye && !boom) {
		ws_send(ws, message.s, message.n);
		return;
	}
	free(session);
	ws_close(ws, bye ? WS_DONE : WS_TROUBLE, bye ? "" : "boom");
}

static void
on_closed(int code, void *payload)
{
	(void)code;
	free(payload);
}

static void
on_request(struct request *request, void *payload)
{
	static const struct ws_events events = { .text = on_text, .closed = on_closed };
	const char *token = request_header(request, "authorization");
	struct ws_settings settings;
	struct session *session;

	(void)payload;
	if (!ws_asked(request)) {
		ws_required(request, NULL);
		return;
	}
	if (token && strcmp(token, "Bearer right")) {
		ws_reject(request, 401, "Authentication required", NULL);
		return;
	}
	ws_settings_init(&settings);
	session = xcalloc(1, sizeof *session);
	session->ws = ws_open(request, &settings, &events, session);
	if (!session->ws)
		free(session);
}

int
main(void)
{
	struct event_base *base = event_base_new();
	struct server_settings settings;
	struct buf url = BUF_INIT;
	struct err err = ERR_INIT;
	struct server *server;

	signal(SIGPIPE, SIG_IGN);
	server_settings_init(&settings);
	server = server_new(base, &settings, on_request, NULL);
	if (!server_listen(server, "127.0.0.1:0", &url, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 9;
	}
	printf("%s\n", url.s);
	fflush(stdout);
	event_base_dispatch(base);
	return 0;
}
