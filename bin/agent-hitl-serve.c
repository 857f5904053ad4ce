/*
 * agent-hitl-serve - put the questions of a directory on the network
 *
 * reads   requests over HTTP, and the directory's files
 * writes  {"event":"listening","url":...,"dir":...,"auth":...} for each address once it is ready, then nothing
 *
 * The broker of agent-gateway (bin/gateway/hitl) without the rest of it.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "auth/auth.h"
#include "buf.h"
#include "daemon.h"
#include "die.h"
#include "err.h"
#include "hitl/hitl.h"
#include "http/server.h"
#include "jtext.h"
#include "opt.h"
#include "out.h"
#include "record.h"

#define GRACE_MS 5000 /* for requests in progress when asked to stop */
#define DEFAULT_LISTEN "127.0.0.1:7842"
#define TOKEN_VARIABLE "CLARITY_HITL_BROKER_TOKEN"

enum { OPT_LISTEN = OPT_OWN, OPT_DIR, OPT_QUERY, OPT_ALLOW_HOST, OPT_READY_FD, OPT_PING, OPT_RECORD };

static const struct opt opts[] = {
	{ OPT_DIR, "dir", "DIR", "the directory of the questions (default CLARITY_HITL_DIR, else .clarity-hitl)" },
	{ 'l', "listen", "ADDRESS",
	    "HOST:PORT, unix:/path or fd:N (default 127.0.0.1:7842; port 0 picks one); may be given several times" },
	{ OPT_KEY_TOKEN_FILE, "token-file", "FILE", "file with the token that callers must bring (default CLARITY_HITL_BROKER_TOKEN)" },
	{ OPT_QUERY, "allow-query-token", NULL, "take the token from ?token= too, which ends up in logs and histories" },
	{ OPT_ALLOW_HOST, "allow-host", "NAME", "a name that browsers may call this broker by; may be given several times" },
	{ OPT_READY_FD, "ready-fd", "N", "write a newline to descriptor N once ready" },
	{ OPT_PING, "ping", "DURATION", "time between two signs of life on a stream (default 15s)" },
	{ OPT_RECORD, "record", "FILE", "append every answer to FILE, a JSON line each, to find a fault" },
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-hitl-serve",
	.synopsis = "[options]",
	.about = "put the questions of a directory on the network",
	.example = "  agent-hitl-serve --dir ./questions --listen 127.0.0.1:7842",
	.opts = opts,
};

struct serve {
	struct daemon daemon;
	struct auth_settings auth_settings;
	struct broker_settings broker_settings;
	const char *record_file;
	/* in the order in which they start */
	struct auth *auth;
	struct broker *broker;
	struct server *server;
};

static void
on_request(struct request *request, void *payload)
{
	static const char name[] = "clarity-hitl-broker", healthy[] = "{\"ok\":true}\n", nothing[] = "{\"error\":\"not_found\"}";
	struct serve *serve = payload;
	const char *path = request_path(request), *method = request_method(request);
	bool reads = !strcmp(method, "GET") || !strcmp(method, "HEAD");

	if (!strcmp(path, "/health") && reads)
		request_reply(request, 200, "application/json; charset=utf-8", NULL, healthy, sizeof healthy - 1);
	else if (!auth_admit(serve->auth, request) || broker_handle(serve->broker, request))
		return;
	else if (!strcmp(path, "/") && reads)
		request_reply(request, 200, "text/plain; charset=utf-8", NULL, name, sizeof name - 1);
	else
		request_reply(request, 404, "application/json; charset=utf-8", NULL, nothing, sizeof nothing - 1);
}

/* ---- the end */

static void
stop(void *payload)
{
	struct serve *serve = payload;

	broker_stop(serve->broker);
	daemon_drain(&serve->daemon, serve->server);
}

/* ---- the beginning */

static void
listening(const char *address, const struct buf *url, void *payload)
{
	struct serve *serve = payload;
	const char *path = broker_path(serve->broker);
	struct buf record = BUF_INIT;

	(void)address;
	buf_addstr(&record, "{\"event\":\"listening\"");
	jtext_add_buf(&record, "url", url);
	jtext_add_text(&record, "dir", path);
	jtext_add_bool(&record, "auth", auth_has_token(serve->auth));
	buf_addch(&record, '}');
	out_line(record.s, record.len);
	buf_release(&record);
}

static void
start(struct serve *serve)
{
	struct server_settings settings;
	struct err err = ERR_INIT;

	serve->auth = daemon_open(&serve->daemon, &serve->auth_settings, TOKEN_VARIABLE);
	serve->broker_settings.base = serve->daemon.base;
	serve->broker_settings.auth = serve->auth;
	serve->broker_settings.compact = true;
	serve->broker = broker_new(&serve->broker_settings, &err);
	if (!serve->broker)
		die_err(&err);
	server_settings_init(&settings);
	if (serve->record_file && !record_open(serve->record_file, NULL, &err))
		die_err(&err);
	settings.said = serve->record_file ? record_said : NULL;
	serve->server = daemon_serve(&serve->daemon, &settings, on_request, serve, DEFAULT_LISTEN);
}

static void
finish(struct serve *serve)
{
	server_free(serve->server);
	broker_free(serve->broker);
	auth_free(serve->auth);
	record_close();
	daemon_end(&serve->daemon);
}

static void
take_option(struct serve *serve, int key)
{
	switch (key) {
	case OPT_DIR:
		serve->broker_settings.dir = opt_arg;
		break;
	case 'l':
		daemon_take_listen(&serve->daemon, opt_arg);
		break;
	case OPT_KEY_TOKEN_FILE:
		serve->auth_settings.token_file = opt_arg;
		break;
	case OPT_QUERY:
		serve->auth_settings.query_token = true;
		break;
	case OPT_ALLOW_HOST:
		daemon_take_host(&serve->daemon, opt_arg);
		break;
	case OPT_READY_FD:
		daemon_take_ready_fd(&serve->daemon, opt_arg);
		break;
	case OPT_RECORD:
		serve->record_file = opt_arg;
		break;
	case OPT_PING:
		serve->broker_settings.ping_ms = daemon_ping_ms(opt_arg);
		break;
	default:
		break;
	}
}

int
main(int argc, char *argv[])
{
	struct serve serve = { .daemon = DAEMON_INIT, .broker_settings = { .ping_ms = 15000 } };
	int key;

	serve.daemon.grace_ms = GRACE_MS;
	serve.daemon.stop = stop;
	serve.daemon.listening = listening;
	serve.daemon.payload = &serve;
	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		take_option(&serve, key);
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);
	start(&serve);
	daemon_run(&serve.daemon);
	finish(&serve);
	return out_close();
}
