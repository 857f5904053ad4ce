/* daemon.c - what every daemon here has */
#include "compat.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include <event2/event.h>

#include "auth/auth.h"
#include "buf.h"
#include "core.h"
#include "daemon.h"
#include "die.h"
#include "err.h"
#include "http/server.h"
#include "notify.h"
#include "num.h"
#include "out.h"

#define FIRST_HANDED 3 /* descriptor of the first socket that is handed over */
#define PING_MIN_MS 500

/* ---- options */

void
daemon_take_listen(struct daemon *daemon, const char *address)
{
	if (daemon->n_listen == DAEMON_LISTEN_MAX)
		die_usage("more than %d --listen options", DAEMON_LISTEN_MAX);
	daemon->listen[daemon->n_listen++] = address;
}

void
daemon_take_host(struct daemon *daemon, const char *name)
{
	if (daemon->n_hosts == DAEMON_HOSTS_MAX)
		die_usage("more than %d --allow-host options", DAEMON_HOSTS_MAX);
	daemon->hosts[daemon->n_hosts++] = name;
}

void
daemon_take_ready_fd(struct daemon *daemon, const char *number)
{
	struct err err = ERR_INIT;
	int64_t n;

	if (!num_in_range(number, 0, 65535, "--ready-fd", &n, &err))
		die_usage("%s", err.text);
	daemon->ready_fd = (int)n;
}

int64_t
daemon_ping_ms(const char *duration)
{
	struct err err = ERR_INIT;
	int64_t ms;

	if (!num_duration(duration, "--ping", &ms, &err))
		die_usage("%s", err.text);
	if (ms < PING_MIN_MS)
		die_usage("unable to use --ping '%s': expected %dms or more", duration, PING_MIN_MS);
	return ms;
}

/* ---- signals */

static void
on_signal(evutil_socket_t signo, short what, void *payload)
{
	struct daemon *daemon = payload;
	struct timeval grace = { (time_t)(daemon->grace_ms / 1000), (suseconds_t)(daemon->grace_ms % 1000 * 1000) };

	(void)what;
	if (signo == SIGHUP && daemon->reload)
		daemon->reload(daemon->payload);
	else if (signo == SIGHUP)
		(void)daemon_reload_token(daemon->auth);
	else if (daemon->stopping)
		event_base_loopbreak(daemon->base); /* asked twice: at once */
	else {
		notify("STOPPING=1");
		daemon->stopping = true;
		event_base_loopexit(daemon->base, &grace);
		daemon->stop(daemon->payload);
	}
}

static void
on_watchdog(evutil_socket_t fd, short what, void *payload)
{
	(void)fd;
	(void)what;
	(void)payload;
	notify("WATCHDOG=1");
}

static void
catch_signals(struct daemon *daemon)
{
	static const int caught[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	int64_t watchdog = notify_watchdog_ms();
	struct timeval every = { (time_t)(watchdog / 1000), (suseconds_t)(watchdog % 1000 * 1000) };
	size_t i;

	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
	for (i = 0; i < ARRAY_LEN(caught); i++) {
		daemon->signals[i] = evsignal_new(daemon->base, caught[i], on_signal, daemon);
		event_add(daemon->signals[i], NULL);
	}
	if (watchdog) {
		daemon->watchdog = event_new(daemon->base, -1, EV_PERSIST, on_watchdog, NULL);
		event_add(daemon->watchdog, &every);
	}
}

bool
daemon_reload_token(struct auth *auth)
{
	struct err err = ERR_INIT;

	if (auth_reload(auth, &err))
		return true;
	warn("%s; the old token stays", err.text);
	return false;
}

/* ---- from the beginning to the end */

static void
raise_file_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

void
daemon_begin(struct daemon *daemon)
{
	core_none();
	raise_file_limit();
	server_heap();
	daemon->base = event_base_new();
	if (!daemon->base)
		die(STATUS_BUG, "unable to start the event loop");
	catch_signals(daemon);
}

static void
listen_on(struct daemon *daemon, struct server *server, const char *address)
{
	struct buf url = BUF_INIT;
	struct err err = ERR_INIT;

	if (!server_listen(server, address, &url, &err))
		die_err(&err);
	daemon->listening(address, &url, daemon->payload);
	buf_release(&url);
}

void
daemon_listen(struct daemon *daemon, struct server *server, const char *usual)
{
	int handed = notify_listen_fds(), i;
	char address[16];
	size_t k;

	for (i = 0; i < handed; i++) {
		snprintf(address, sizeof address, "fd:%d", FIRST_HANDED + i);
		listen_on(daemon, server, address);
	}
	if (!daemon->n_listen && !handed)
		daemon->listen[daemon->n_listen++] = usual;
	for (k = 0; k < daemon->n_listen; k++)
		listen_on(daemon, server, daemon->listen[k]);
}

void
daemon_ready(const struct daemon *daemon)
{
	struct err err = ERR_INIT;

	out_flush();
	if (!notify_ready_fd(daemon->ready_fd, &err))
		die_err(&err);
	notify("READY=1");
}

/* ---- one room, behind one token */

struct auth *
daemon_open(struct daemon *daemon, struct auth_settings *settings, const char *variable)
{
	struct err err = ERR_INIT;

	settings->variable = variable;
	settings->allow_hosts = daemon->hosts;
	daemon->auth = auth_new(settings, &err);
	if (!daemon->auth)
		die_err(&err);
	daemon_begin(daemon);
	return daemon->auth;
}

struct server *
daemon_serve(struct daemon *daemon, struct server_settings *settings, server_request_cb *cb, void *payload, const char *usual)
{
	struct server *server;

	settings->server_header = "x-agentutils: " PACKAGE_VERSION;
	server = server_new(daemon->base, settings, cb, payload);
	daemon_listen(daemon, server, usual);
	daemon_ready(daemon);
	return server;
}

/* ---- the end */

static void
on_drained(void *payload)
{
	struct daemon *daemon = payload;

	daemon->drained = true;
}

void
daemon_drain(struct daemon *daemon, struct server *server)
{
	server_drain(server, on_drained, daemon);
}

static bool
is_quiet(const struct daemon *daemon)
{
	return daemon->quiet ? daemon->quiet(daemon->payload) : daemon->drained;
}

void
daemon_run(struct daemon *daemon)
{
	do
		event_base_loop(daemon->base, EVLOOP_ONCE);
	while (!event_base_got_break(daemon->base) && !event_base_got_exit(daemon->base) && !(daemon->stopping && is_quiet(daemon)));
}

void
daemon_end(struct daemon *daemon)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(daemon->signals); i++)
		event_free(daemon->signals[i]);
	if (daemon->watchdog)
		event_free(daemon->watchdog);
	event_base_free(daemon->base);
	libevent_global_shutdown();
}
