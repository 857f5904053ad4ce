/*
 * agent-hitl-serve - put the questions of a directory on the network
 *
 * reads   requests over HTTP, and the directory's files
 * writes  {"event":"listening","url":...,"dir":...,"auth":...} for each address once it is ready, then nothing
 *
 * The broker of agent-gateway (bin/gateway/hitl) without the rest of it.
 */
#include "compat.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <event2/event.h>

#include "auth/auth.h"
#include "buf.h"
#include "clock.h"
#include "die.h"
#include "err.h"
#include "hitl/hitl.h"
#include "http/server.h"
#include "jtext.h"
#include "notify.h"
#include "num.h"
#include "opt.h"
#include "out.h"

#define LISTEN_MAX 16
#define HOSTS_MAX 64
#define GRACE_MS 5000 /* for requests in progress when asked to stop */
#define DEFAULT_LISTEN "127.0.0.1:7842"
#define TOKEN_VARIABLE "CLARITY_HITL_BROKER_TOKEN"

enum { OPT_LISTEN = OPT_OWN, OPT_DIR, OPT_QUERY, OPT_ALLOW_HOST, OPT_READY_FD, OPT_PING };

static const struct opt opts[] = {
	{ OPT_DIR, "dir", "DIR", "the directory of the questions (default CLARITY_HITL_DIR, else .clarity-hitl)" },
	{ 'l', "listen", "ADDRESS",
	    "HOST:PORT, unix:/path or fd:N (default 127.0.0.1:7842; port 0 picks one); may be given several times" },
	{ OPT_KEY_TOKEN_FILE, "token-file", "FILE", "file with the token that callers must bring (default CLARITY_HITL_BROKER_TOKEN)" },
	{ OPT_QUERY, "allow-query-token", NULL, "take the token from ?token= too, which ends up in logs and histories" },
	{ OPT_ALLOW_HOST, "allow-host", "NAME", "a name that browsers may call this broker by; may be given several times" },
	{ OPT_READY_FD, "ready-fd", "N", "write a newline to descriptor N once ready" },
	{ OPT_PING, "ping", "DURATION", "time between two signs of life on a stream (default 15s)" },
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
	const char *listen[LISTEN_MAX], *hosts[HOSTS_MAX + 1];
	size_t n_listen, n_hosts;
	struct auth_settings auth_settings;
	struct broker_settings broker_settings;
	int ready_fd;
	/* in the order in which they start */
	struct auth *auth;
	struct event_base *base;
	struct event *signals[3];
	struct broker *broker;
	struct server *server;
	bool stopping, quiet;
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
on_quiet(void *payload)
{
	struct serve *serve = payload;

	serve->quiet = true;
	event_base_loopbreak(serve->base);
}

static void
on_signal(evutil_socket_t signo, short what, void *payload)
{
	struct serve *serve = payload;
	struct err err = ERR_INIT;

	(void)what;
	if (signo == SIGHUP) {
		if (!auth_reload(serve->auth, &err))
			warn("%s; the old token stays", err.text);
		return;
	}
	if (serve->stopping) {
		event_base_loopbreak(serve->base);
		return;
	}
	notify("STOPPING=1");
	serve->stopping = true;
	broker_stop(serve->broker);
	server_drain(serve->server, on_quiet, serve);
}

static void
run(struct serve *serve)
{
	int64_t deadline = DEADLINE_NONE;

	while (!event_base_got_break(serve->base) && deadline_left(deadline) > 0) {
		event_base_loop(serve->base, EVLOOP_ONCE);
		if (serve->stopping && deadline == DEADLINE_NONE)
			deadline = deadline_in(GRACE_MS);
	}
}

/* ---- the beginning */

static void
catch_signals(struct serve *serve)
{
	static const int caught[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct rlimit files;
	size_t i;

	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
	for (i = 0; i < ARRAY_LEN(caught); i++) {
		serve->signals[i] = evsignal_new(serve->base, caught[i], on_signal, serve);
		event_add(serve->signals[i], NULL);
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

static void
listen_on(struct serve *serve, const char *address)
{
	struct buf url = BUF_INIT, record = BUF_INIT;
	struct err err = ERR_INIT;
	const char *path = broker_path(serve->broker);

	if (!server_listen(serve->server, address, &url, &err))
		die_err(&err);
	buf_addstr(&record, "{\"event\":\"listening\"");
	jtext_add_string(&record, "url", url.s, url.len);
	jtext_add_string(&record, "dir", path, strlen(path));
	jtext_add_bool(&record, "auth", auth_has_token(serve->auth));
	buf_addch(&record, '}');
	out_line(record.s, record.len);
	buf_release(&url);
	buf_release(&record);
}

static void
start(struct serve *serve)
{
	struct server_settings settings;
	struct err err = ERR_INIT;
	int handed = notify_listen_fds(), i;
	char address[16];
	size_t k;

	serve->auth_settings.variable = TOKEN_VARIABLE;
	serve->auth_settings.allow_hosts = serve->hosts;
	serve->auth = auth_new(&serve->auth_settings, &err);
	if (!serve->auth)
		die_err(&err);
	serve->base = event_base_new();
	if (!serve->base)
		die(STATUS_BUG, "unable to start the event loop");
	catch_signals(serve);
	serve->broker_settings.base = serve->base;
	serve->broker_settings.auth = serve->auth;
	serve->broker_settings.compact = true;
	serve->broker = broker_new(&serve->broker_settings, &err);
	if (!serve->broker)
		die_err(&err);
	server_settings_init(&settings);
	settings.server_header = "x-agentutils: " PACKAGE_VERSION;
	serve->server = server_new(serve->base, &settings, on_request, serve);
	for (i = 0; i < handed; i++) {
		snprintf(address, sizeof address, "fd:%d", 3 + i);
		listen_on(serve, address);
	}
	if (!serve->n_listen && !handed)
		serve->listen[serve->n_listen++] = DEFAULT_LISTEN;
	for (k = 0; k < serve->n_listen; k++)
		listen_on(serve, serve->listen[k]);
	out_flush();
	if (!notify_ready_fd(serve->ready_fd, &err))
		die_err(&err);
	notify("READY=1");
}

static void
finish(struct serve *serve)
{
	size_t i;

	server_free(serve->server);
	broker_free(serve->broker);
	for (i = 0; i < ARRAY_LEN(serve->signals); i++)
		event_free(serve->signals[i]);
	event_base_free(serve->base);
	auth_free(serve->auth);
	libevent_global_shutdown();
}

static void
take_option(struct serve *serve, int key)
{
	struct err err = ERR_INIT;
	int64_t n;
	bool ok = true;

	switch (key) {
	case OPT_DIR:
		serve->broker_settings.dir = opt_arg;
		break;
	case 'l':
		if (serve->n_listen == LISTEN_MAX)
			die_usage("more than %d --listen options", LISTEN_MAX);
		serve->listen[serve->n_listen++] = opt_arg;
		break;
	case OPT_KEY_TOKEN_FILE:
		serve->auth_settings.token_file = opt_arg;
		break;
	case OPT_QUERY:
		serve->auth_settings.query_token = true;
		break;
	case OPT_ALLOW_HOST:
		if (serve->n_hosts == HOSTS_MAX)
			die_usage("more than %d --allow-host options", HOSTS_MAX);
		serve->hosts[serve->n_hosts++] = opt_arg;
		break;
	case OPT_READY_FD:
		ok = num_in_range(opt_arg, 0, 65535, "--ready-fd", &n, &err);
		serve->ready_fd = ok ? (int)n : -1;
		break;
	case OPT_PING:
		ok = num_duration(opt_arg, "--ping", &serve->broker_settings.ping_ms, &err);
		if (ok && serve->broker_settings.ping_ms < 500)
			ok = err_set(&err, STATUS_USAGE, "unable to use --ping '%s': expected 500ms or more", opt_arg);
		break;
	default:
		break;
	}
	if (!ok)
		die_usage("%s", err.text);
}

int
main(int argc, char *argv[])
{
	struct serve serve = { .ready_fd = -1, .broker_settings = { .ping_ms = 15000 } };
	int key;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		take_option(&serve, key);
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);
	start(&serve);
	run(&serve);
	finish(&serve);
	return out_close();
}
