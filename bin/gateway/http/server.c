/* server.c - listen, accept, watch the clock */
#include "compat.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>

#include "clock.h"
#include "err.h"
#include "http/conn.h"
#include "http/ws.h"
#include "num.h"
#include "status.h"
#include "xalloc.h"

#define TICK_MS 250
#define SPARE_FILES 64 /* descriptors kept for the store, handlers and the like */
#define BACKLOG 1024
#define PEER_MORE_MS 5000 /* that a client may be silent below us for longer than above */

void
server_settings_init(struct server_settings *settings)
{
	*settings = (struct server_settings){
		.head_max = 32768,
		.headers_max = 100,
		.body_max = 1048576,
		.head_ms = 10000,
		.body_ms = 60000,
		.idle_ms = 5000,
		.write_ms = 30000,
		.output_max = 1048576,
		.connections_max = 10000,
	};
}

static void
set_accepting(struct server *server, bool on)
{
	struct listener *l;

	for (l = server->listeners; l; l = l->next)
		if (on)
			evconnlistener_enable(l->ev);
		else
			evconnlistener_disable(l->ev);
	server->paused = !on;
}

static void
check_drained(struct server *server)
{
	if (server->draining && !server->n_conns && server->drained) {
		void (*cb)(void *) = server->drained;

		server->drained = NULL;
		cb(server->drained_payload);
	}
}

static void
on_tick(evutil_socket_t fd, short what, void *payload)
{
	struct server *server = payload;
	struct conn *conn, *next;
	int64_t now = clock_monotonic_ms();

	(void)fd;
	(void)what;
	if (server->paused && !server->draining)
		set_accepting(server, true);
	heap_watch(&server->heap, server->n_conns);
	for (conn = server->conns; conn; conn = next) {
		next = conn->next;
		conn_tick(conn, now);
	}
	check_drained(server);
}

static void
on_flush(evutil_socket_t fd, short what, void *payload)
{
	(void)fd;
	(void)what;
	conns_flush(payload);
}

struct server *
server_new(struct event_base *base, const struct server_settings *settings, server_request_cb *cb, void *payload)
{
	struct server *server = xcalloc(1, sizeof *server);
	struct timeval tick = { 0, TICK_MS * 1000 };
	struct rlimit files;

	server->base = base;
	server->settings = *settings;
	server->cb = cb;
	server->payload = payload;
	server->names = xcalloc(settings->headers_max, sizeof *server->names);
	server->values = xcalloc(settings->headers_max, sizeof *server->values);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY &&
	    files.rlim_cur < settings->connections_max + SPARE_FILES)
		server->settings.connections_max = files.rlim_cur > 2 * SPARE_FILES ? (unsigned)files.rlim_cur - SPARE_FILES : SPARE_FILES;
	server->tick = event_new(base, -1, EV_PERSIST, on_tick, server);
	event_add(server->tick, &tick);
	server->flush = evtimer_new(base, on_flush, server);
	return server;
}

/* ---- accepting */

static bool
is_loopback(const struct sockaddr *address)
{
	static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

	if (address->sa_family == AF_INET)
		return (ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24) == 127;
	if (address->sa_family == AF_INET6) {
		const unsigned char *ip = ((const struct sockaddr_in6 *)(const void *)address)->sin6_addr.s6_addr;

		if (!memcmp(ip, mapped, sizeof mapped))
			return ip[12] == 127;
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
	}
	return false;
}

static char *
address_text(const struct sockaddr *address, socklen_t len)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];
	struct buf text = BUF_INIT;

	if (getnameinfo(address, len, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return xstrdup("?");
	buf_addf(&text, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
	return buf_detach(&text, NULL);
}

static void
refuse(int fd)
{
	static const char
	    answer[] = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json; charset=utf-8\r\nretry-after: 1\r\n"
		       "connection: close\r\ncontent-length: 38\r\n\r\n{\n  \"error\": \"too many connections\"\n}\n";

	(void)send(fd, answer, sizeof answer - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void
on_accept(struct evconnlistener *ev, evutil_socket_t fd, struct sockaddr *address, int len, void *payload)
{
	struct listener *listener = payload;
	struct server *server = listener->server;
	enum request_peer peer = PEER_UNIX;
	char *text = NULL;
	int on = 1;

	(void)ev;
	if (server->n_conns >= server->settings.connections_max) {
		server->stats.refused++;
		request_refused(server, "?", 503);
		refuse(fd);
		return;
	}
	if (!listener->is_unix) {
		peer = is_loopback(address) ? PEER_LOOPBACK : PEER_REMOTE;
		text = address_text(address, (socklen_t)len);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	}
	conn_open(server, fd, peer, text);
}

/* Out of descriptors: what is open goes on, and accepting is tried again with the next tick. */
static void
on_accept_error(struct evconnlistener *ev, void *payload)
{
	struct listener *listener = payload;

	(void)ev;
	set_accepting(listener->server, false);
}

/* A client that is gone without a word answers nothing: the system finds that out, from what it does not acknowledge, or by asking where
 * nothing is written. Later than write_ms, which is for clients that are there. What is accepted has it from the socket that listens. It
 * asks at half of the time: an answer that comes while the kernel still counts the question (on loopback) leaves one open, and at the whole
 * time that were the end. */
static void
watch_peer(const struct server *server, int fd)
{
	int on = 1, ms = (int)server->settings.write_ms + PEER_MORE_MS, seconds = ms / 2000;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
#if defined(TCP_KEEPIDLE) && defined(TCP_KEEPINTVL) && defined(TCP_USER_TIMEOUT)
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
	seconds = PEER_MORE_MS / 1000;
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
#else
	(void)seconds;
#endif
}

static bool
add_listener(struct server *server, int fd, bool is_unix, const char *unix_path, struct err *err)
{
	struct listener *listener = xcalloc(1, sizeof *listener);

	evutil_make_socket_nonblocking(fd);
	evutil_make_socket_closeonexec(fd);
	if (!is_unix)
		watch_peer(server, fd);
	listener->server = server;
	listener->is_unix = is_unix;
	listener->ev = evconnlistener_new(server->base, on_accept, listener, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
	if (!listener->ev) {
		free(listener);
		return err_errno(err, STATUS_CONFIG, "unable to listen");
	}
	listener->unix_path = unix_path ? xstrdup(unix_path) : NULL;
	evconnlistener_set_error_cb(listener->ev, on_accept_error);
	listener->next = server->listeners;
	server->listeners = listener;
	return true;
}

/* A socket file that nobody listens on is a leftover and goes; one that answers belongs to somebody. */
static bool
clear_stale(const struct sockaddr_un *address, struct err *err)
{
	struct stat st;
	int fd, error;

	if (lstat(address->sun_path, &st) < 0)
		return true;
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, STATUS_CONFIG, "unable to listen on 'unix:%s': the file is there and is no socket", address->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	error = fd >= 0 && connect(fd, (const struct sockaddr *)(const void *)address, sizeof *address) < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	if (error != ECONNREFUSED)
		return err_set(err, STATUS_CONFIG, "unable to listen on 'unix:%s': another process listens there", address->sun_path);
	unlink(address->sun_path);
	return true;
}

static bool
listen_unix(struct server *server, const char *path, struct buf *ret_url, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t old;
	int fd, failed;

	if (strlen(path) >= sizeof address.sun_path)
		return err_set(err, STATUS_CONFIG, "unable to listen on 'unix:%s': a socket's path has at most %zu bytes", path,
		    sizeof address.sun_path - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (!clear_stale(&address, err))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_errno(err, STATUS_CONFIG, "unable to listen on 'unix:%s'", path);
	old = umask(0177);
	failed = bind(fd, (struct sockaddr *)&address, sizeof address);
	umask(old);
	if (failed < 0 || listen(fd, BACKLOG) < 0) {
		err_errno(err, STATUS_CONFIG, "unable to listen on 'unix:%s'", path);
		close(fd);
		return false;
	}
	buf_addf(ret_url, "unix:%s", path);
	return add_listener(server, fd, true, path, err);
}

static bool
describe(int fd, struct buf *ret_url, bool *ret_unix, struct err *err)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof address;
	char *text;

	memset(&address, 0, sizeof address);
	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		return err_errno(err, STATUS_CONFIG, "unable to use descriptor %d as a listening socket", fd);
	*ret_unix = address.ss_family == AF_UNIX;
	if (*ret_unix) {
		buf_addf(ret_url, "unix:%s", ((struct sockaddr_un *)&address)->sun_path);
		return true;
	}
	text = address_text((struct sockaddr *)&address, len);
	buf_addf(ret_url, "http://%s", text);
	free(text);
	return true;
}

static bool
listen_tcp(struct server *server, const char *address, struct buf *ret_url, struct err *err)
{
	const char *colon = strrchr(address, ':');
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV },
			*found = NULL;
	struct buf host = BUF_INIT;
	uint64_t port;
	int fd = -1, on = 1, error;
	bool is_unix, ok = false;

	if (!colon || !num_u64(colon + 1, strlen(colon + 1), &port) || port > 65535)
		return err_set(err, STATUS_CONFIG, "unable to listen on '%s': expected HOST:PORT, unix:/path or fd:N", address);
	buf_add(&host, address, (size_t)(colon - address));
	if (host.len > 1 && host.s[0] == '[' && host.s[host.len - 1] == ']') {
		buf_cut(&host, host.len - 1);
		buf_consume(&host, 1);
	} else if (strchr(host.s, ':')) {
		err_set(err, STATUS_CONFIG, "unable to listen on '%s': an IPv6 address stands in brackets", address);
		goto out;
	}
	if (!strcmp(host.s, "localhost")) {
		buf_reset(&host);
		buf_addstr(&host, "127.0.0.1");
	}
	error = getaddrinfo(!host.len || !strcmp(host.s, "*") ? NULL : host.s, colon + 1, &hints, &found);
	if (error) {
		err_set(err, STATUS_CONFIG, "unable to listen on '%s': %s", address, gai_strerror(error));
		goto out;
	}
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 || bind(fd, found->ai_addr, found->ai_addrlen) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		err_errno(err, STATUS_CONFIG, "unable to listen on '%s'", address);
		if (fd >= 0)
			close(fd);
		goto out;
	}
	ok = describe(fd, ret_url, &is_unix, err) && add_listener(server, fd, false, NULL, err);
out:
	buf_release(&host);
	if (found)
		freeaddrinfo(found);
	return ok;
}

bool
server_listen(struct server *server, const char *address, struct buf *ret_url, struct err *err)
{
	uint64_t fd;
	bool is_unix;

	if (!strncmp(address, "unix:", 5))
		return listen_unix(server, address + 5, ret_url, err);
	if (!strncmp(address, "fd:", 3)) {
		if (!num_u64(address + 3, strlen(address + 3), &fd) || fd > 65535)
			return err_set(err, STATUS_CONFIG, "unable to listen on '%s': expected fd:N", address);
		return describe((int)fd, ret_url, &is_unix, err) && add_listener(server, (int)fd, is_unix, NULL, err);
	}
	return listen_tcp(server, address, ret_url, err);
}

/* ---- the end */

static void
free_listeners(struct server *server)
{
	struct listener *l;

	while ((l = server->listeners)) {
		server->listeners = l->next;
		evconnlistener_free(l->ev);
		if (l->unix_path)
			unlink(l->unix_path);
		free(l->unix_path);
		free(l);
	}
}

void
server_drain(struct server *server, void (*cb)(void *payload), void *payload)
{
	struct conn *conn, *next;

	free_listeners(server);
	server->draining = true;
	server->drained = cb;
	server->drained_payload = payload;
	for (conn = server->conns; conn; conn = next) {
		next = conn->next;
		if (conn->state == CONN_IDLE || conn->state == CONN_HEAD || conn->state == CONN_LINGER)
			conn_free(conn);
		else if (conn->state == CONN_WS)
			ws_cut(conn->ws, WS_GOING_AWAY, "the gateway stops");
	}
	/* cb comes with the next tick, never from inside this call */
}

void
server_free(struct server *server)
{
	if (!server)
		return;
	free_listeners(server);
	server->drained = NULL;
	while (server->conns)
		conn_free(server->conns);
	event_free(server->flush);
	event_free(server->tick);
	free(server->names);
	free(server->values);
	free(server);
}

struct server_stats
server_stats(const struct server *server)
{
	struct server_stats stats = server->stats;

	stats.connections = server->n_conns;
	stats.connections_max = server->settings.connections_max;
	return stats;
}

void
server_forget(struct conn *conn)
{
	*conn->prev = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	conn->server->n_conns--;
}

const char *
server_date(struct server *server)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int64_t second = clock_wall_ms() / 1000;
	time_t t = (time_t)second;
	struct tm tm;

	if (second != server->date_second && gmtime_r(&t, &tm)) {
		snprintf(server->date, sizeof server->date, "date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n", days[tm.tm_wday], tm.tm_mday,
		    months[tm.tm_mon], (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
		server->date_second = second;
	}
	return server->date;
}

bool
server_decode_segment(const char *s, size_t n, struct buf *to)
{
	size_t i;

	for (i = 0; i < n; i++) {
		int digits[2], k;

		if (s[i] != '%') {
			buf_addch(to, s[i]);
			continue;
		}
		if (n - i < 3)
			return false;
		for (k = 0; k < 2; k++) {
			char c = s[i + 1 + (size_t)k];

			if (c >= '0' && c <= '9')
				digits[k] = c - '0';
			else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
				digits[k] = (c | 0x20) - 'a' + 10;
			else
				return false;
		}
		buf_addch(to, (char)(digits[0] << 4 | digits[1]));
		i += 2;
	}
	return true;
}
