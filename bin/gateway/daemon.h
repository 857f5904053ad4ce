/* daemon.h - what every daemon here has: one loop, its signals, its addresses, its end
 *
 * Part of the front: what cannot go on ends the program, with a message. In order: the options, daemon_begin(), the rooms, daemon_listen(),
 * daemon_ready(), daemon_run(), the rooms backwards, daemon_end(). A daemon with one room has daemon_open() and daemon_serve() for what stands
 * before and after the room's own beginning.
 *
 * SIGTERM and SIGINT call stop(); then the loop runs until quiet() says that nothing is in progress, or grace_ms are over, or one of them
 * comes again. SIGHUP calls reload(). SIGPIPE and SIGXFSZ are errors of the write, not the end. The supervisor is told what goes on
 * (notify.h), and that the loop is alive.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include "compat.h"
#include "http/server.h"

struct auth;
struct auth_settings;
struct buf;
struct event;
struct event_base;

#define DAEMON_LISTEN_MAX 16 /* --listen */
#define DAEMON_HOSTS_MAX 64  /* --allow-host */

struct daemon {
	/* of the program; the functions get its payload */
	int64_t grace_ms;
	void (*stop)(void *payload);
	bool (*quiet)(void *payload);  /* asked after each round of the loop; NULL: once daemon_drain() is done */
	void (*reload)(void *payload); /* NULL: the token of auth is read again */
	struct auth *auth;
	/* an address is ready: as it was asked for, and as clients write it */
	void (*listening)(const char *address, const struct buf *url, void *payload);
	void *payload;
	/* of the options; the texts are borrowed */
	const char *listen[DAEMON_LISTEN_MAX], *hosts[DAEMON_HOSTS_MAX + 1];
	size_t n_listen, n_hosts;
	int ready_fd;
	/* ours */
	struct event_base *base;
	struct event *signals[3], *watchdog;
	bool stopping, drained;
};

#define DAEMON_INIT                                                                                                                        \
	{                                                                                                                                  \
		.ready_fd = -1                                                                                                             \
	}

/* Options: each takes its argument, or ends the program as a usage error. */
void daemon_take_listen(struct daemon *daemon, const char *address);
void daemon_take_host(struct daemon *daemon, const char *name);
void daemon_take_ready_fd(struct daemon *daemon, const char *number);
int64_t daemon_ping_ms(const char *duration); /* of --ping */

/* Makes the loop and catches the signals; open files as many as the system lets us have. */
void daemon_begin(struct daemon *daemon);

/* Sockets that were handed over, then the addresses of --listen; the usual one without either. */
void daemon_listen(struct daemon *daemon, struct server *server, const char *usual);

void daemon_ready(const struct daemon *daemon);

void daemon_run(struct daemon *daemon);

/* Of stop(): what the server answers is answered, and it takes nothing new. */
void daemon_drain(struct daemon *daemon, struct server *server);

void daemon_end(struct daemon *daemon);

/* Reads the token's file again. False: warned, and the old token stays. */
bool daemon_reload_token(struct auth *auth);

/* ---- one room, behind one token */

/* Its auth, yours to free, and daemon_begin(): the token is in the settings' file, else in the environment under this name. */
struct auth *daemon_open(struct daemon *daemon, struct auth_settings *settings, const char *variable);

/* Its server, yours to free, and daemon_listen() and daemon_ready(). */
struct server *daemon_serve(
    struct daemon *daemon, struct server_settings *settings, server_request_cb *cb, void *payload, const char *usual);

#endif
