/* conn.c - the life of a connection */
#include "compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "clock.h"
#include "http/conn.h"
#include "xalloc.h"

static void on_read(struct bufferevent *bev, void *payload);
static void on_write(struct bufferevent *bev, void *payload);
static void on_event(struct bufferevent *bev, short what, void *payload);

struct evbuffer *
conn_output(struct conn *conn)
{
	return bufferevent_get_output(conn->bev);
}

static size_t
pending(const struct conn *conn)
{
	return evbuffer_get_length(bufferevent_get_output(conn->bev));
}

/* Output waits until the loop has looked once what else there is, which may be more to say, and is then sent without asking whether there
 * is room: there nearly always is, and what was said to a thousand readers needs no call of the kernel but their writes. The loop watches
 * for room only while a rest is left (EV_WRITE). */
static void
note_said(struct conn *conn)
{
	static const struct timeval at_once = { 0 };
	struct server *server = conn->server;

	if (conn->prev_said || (bufferevent_get_enabled(conn->bev) & EV_WRITE))
		return;
	if (!server->said)
		event_add(server->flush, &at_once);
	conn->next_said = server->said;
	conn->prev_said = &server->said;
	if (conn->next_said)
		conn->next_said->prev_said = &conn->next_said;
	server->said = conn;
}

static void
forget_said(struct conn *conn)
{
	if (!conn->prev_said)
		return;
	*conn->prev_said = conn->next_said;
	if (conn->next_said)
		conn->next_said->prev_said = conn->prev_said;
	conn->prev_said = NULL;
}

/* As much as the kernel takes now; negative: errno. */
static int
send_some(struct conn *conn)
{
	struct evbuffer *output = conn_output(conn);
	int n;

	evbuffer_unfreeze(output, 1);
	n = evbuffer_write(output, bufferevent_getfd(conn->bev));
	evbuffer_freeze(output, 1);
	return n;
}

static void
send_said(struct conn *conn)
{
	struct evbuffer *output = conn_output(conn);
	int n;

	if (!evbuffer_get_length(output))
		return;
	n = send_some(conn);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		on_event(conn->bev, BEV_EVENT_WRITING | BEV_EVENT_ERROR, conn);
	else if (evbuffer_get_length(output))
		bufferevent_enable(conn->bev, EV_WRITE);
	else
		on_write(conn->bev, conn);
}

void
conns_flush(struct server *server)
{
	struct conn *said = server->said;

	/* who says more meanwhile has its turn later */
	server->said = NULL;
	if (said)
		said->prev_said = &said;
	while (said) {
		struct conn *conn = said;

		forget_said(conn);
		send_said(conn);
	}
}

/* Output was added or taken: remember when it moved, and tell a stream. */
static void
on_output(struct evbuffer *output, const struct evbuffer_cb_info *info, void *payload)
{
	struct conn *conn = payload;

	(void)output;
	conn->written += info->n_added;
	if (info->n_added)
		note_said(conn);
	conn->server->stats.sent += info->n_deleted;
	if (conn->ws && info->n_deleted)
		ws_taken(conn->ws, info->n_deleted);
	if (info->n_deleted || !info->orig_size)
		conn->progress = clock_monotonic_ms();
}

void
conn_open(struct server *server, int fd, enum request_peer peer, char *peer_text)
{
	struct conn *conn = xcalloc(1, sizeof *conn);

	conn->server = server;
	conn->peer = peer;
	conn->peer_text = peer_text;
	conn->bev = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!conn->bev)
		abort();
	conn->deadline = clock_monotonic_ms() + server->settings.idle_ms;
	conn->next = server->conns;
	conn->prev = &server->conns;
	if (conn->next)
		conn->next->prev = &conn->next;
	server->conns = conn;
	server->n_conns++;
	server->stats.accepted++;
	evbuffer_add_cb(conn_output(conn), on_output, conn);
	bufferevent_setcb(conn->bev, on_read, on_write, on_event, conn);
	bufferevent_setwatermark(conn->bev, EV_READ, 0, CONN_READ_AHEAD);
	bufferevent_disable(conn->bev, EV_WRITE); /* see note_said() */
	bufferevent_enable(conn->bev, EV_READ);
}

void
conn_free(struct conn *conn)
{
	struct stream *stream = conn->stream;
	struct ws *ws = conn->ws;

	server_forget(conn);
	forget_said(conn);
	request_let_go(conn);
	conn->stream = NULL;
	conn->ws = NULL;
	if (conn->request) {
		if (conn->state == CONN_WORK)
			conn->request->conn = NULL; /* freed with its answer */
		else
			request_free(conn->request);
	}
	bufferevent_free(conn->bev);
	free(conn->peer_text);
	free(conn);
	if (stream)
		stream_closed(stream);
	if (ws)
		ws_gone(ws);
}

static void
enter(struct conn *conn, enum conn_state state, int64_t ms)
{
	conn->state = state;
	conn->deadline = ms < 0 ? DEADLINE_NONE : clock_monotonic_ms() + ms;
}

/* ---- from bytes to a request */

/* An answer of our own to something that never became a request. */
static void
refuse(struct conn *conn, int status, const char *text)
{
	struct buf body = BUF_INIT;

	buf_addstr(&body, "{\n  \"error\": ");
	jtext_quote(&body, text, strlen(text));
	buf_addstr(&body, "\n}\n");
	evbuffer_add_printf(conn_output(conn),
	    "HTTP/1.1 %d %s\r\n%s%s%scontent-type: application/json; charset=utf-8\r\nconnection: close\r\ncontent-length: %zu\r\n\r\n",
	    status, request_reason(status), server_date(conn->server),
	    conn->server->settings.server_header ? conn->server->settings.server_header : "",
	    conn->server->settings.server_header ? "\r\n" : "", body.len);
	evbuffer_add(conn_output(conn), body.s, body.len);
	buf_release(&body);
	request_refused(conn->server, conn->peer_text, status);
	request_free(conn->request);
	conn->request = NULL;
	enter(conn, CONN_CLOSING, conn->server->settings.write_ms);
}

static void
hand_over(struct conn *conn)
{
	enter(conn, CONN_WORK, -1);
	conn->server->cb(conn->request, conn->server->payload);
}

/* The head is there: is there a body to wait for? */
static void
begin_body(struct conn *conn)
{
	struct request *request = conn->request;

	if (!request->chunked && request->length > conn->server->settings.body_max) {
		request->problem = REQUEST_BODY_TOO_LARGE;
		request->keep_alive = false;
		hand_over(conn);
		return;
	}
	if (!request->chunked && !request->length) {
		hand_over(conn);
		return;
	}
	if (request->expects && !evbuffer_get_length(bufferevent_get_input(conn->bev)))
		evbuffer_add_printf(conn_output(conn), "HTTP/1.1 100 Continue\r\n\r\n");
	memset(&conn->chunks, 0, sizeof conn->chunks);
	enter(conn, CONN_BODY, conn->server->settings.body_ms);
}

/* Each of these returns true when it got further, so that it is worth looking again. */

static bool
read_head(struct conn *conn)
{
	const struct server_settings *settings = &conn->server->settings;
	struct evbuffer *input = bufferevent_get_input(conn->bev);
	size_t n = evbuffer_get_length(input);
	struct parse_head head = { .names = conn->server->names, .values = conn->server->values, .max_headers = settings->headers_max };
	struct buf why = BUF_INIT;
	const char *bytes;

	if (!n)
		return false;
	if (conn->state == CONN_IDLE)
		enter(conn, CONN_HEAD, settings->head_ms);
	bytes = (const char *)evbuffer_pullup(input, n > settings->head_max ? (ev_ssize_t)settings->head_max : -1);
	switch (parse_head(bytes, n > settings->head_max ? settings->head_max : n, conn->scanned, &head)) {
	case PARSE_MORE:
		conn->scanned = n;
		if (n < settings->head_max)
			return false;
		refuse(conn, 431, "the request's head is too large");
		return true;
	case PARSE_TOO_LARGE:
		refuse(conn, 431, "the request has too many headers");
		return true;
	case PARSE_VERSION:
		refuse(conn, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
		return true;
	case PARSE_BAD:
		buf_addf(&why, "bad request: %s", head.wrong);
		refuse(conn, 400, why.s);
		buf_release(&why);
		return true;
	case PARSE_DONE:
		break;
	}
	conn->scanned = 0;
	conn->request = request_new(conn, bytes, &head);
	evbuffer_drain(input, head.size);
	conn->server->stats.received += head.size;
	begin_body(conn);
	return true;
}

static bool
read_sized(struct conn *conn)
{
	struct evbuffer *input = bufferevent_get_input(conn->bev);
	struct request *request = conn->request;
	size_t n = evbuffer_get_length(input), want = (size_t)request->length - request->body.len;

	if (!n)
		return false;
	if (n > want)
		n = want;
	buf_reserve(&request->body, n);
	evbuffer_remove(input, request->body.s + request->body.len, n);
	request->body.len += n;
	request->body.s[request->body.len] = '\0';
	conn->server->stats.received += n;
	if (n == want)
		hand_over(conn);
	return true;
}

static bool
read_chunked(struct conn *conn)
{
	struct evbuffer *input = bufferevent_get_input(conn->bev);
	struct request *request = conn->request;
	size_t n = evbuffer_get_length(input), used = 0;
	enum parse_result result;

	if (!n)
		return false;
	if (n > 16384)
		n = 16384;
	result = parse_chunks(&conn->chunks, (const char *)evbuffer_pullup(input, (ev_ssize_t)n), n, &request->body, &used);
	evbuffer_drain(input, used);
	conn->server->stats.received += used;
	if (request->body.len > conn->server->settings.body_max || conn->chunks.left > conn->server->settings.body_max) {
		buf_reset(&request->body);
		request->problem = REQUEST_BODY_TOO_LARGE;
		request->keep_alive = false;
		hand_over(conn);
	} else if (result == PARSE_DONE)
		hand_over(conn);
	else if (result != PARSE_MORE)
		refuse(conn, 400, "bad request: a body whose chunks are broken");
	return true;
}

static bool
step(struct conn *conn)
{
	switch (conn->state) {
	case CONN_IDLE:
	case CONN_HEAD:
		return read_head(conn);
	case CONN_BODY:
		return conn->request->chunked ? read_chunked(conn) : read_sized(conn);
	case CONN_WS:
		return ws_read(conn->ws);
	case CONN_STREAM:
	case CONN_LINGER:
	case CONN_CLOSING:
		/* nobody wants it */
		evbuffer_drain(bufferevent_get_input(conn->bev), evbuffer_get_length(bufferevent_get_input(conn->bev)));
		return false;
	case CONN_WORK:
		break;
	}
	return false;
}

/* All has been said: wait for the client to take it, then close. */
static void
finish(struct conn *conn)
{
	if (pending(conn))
		return;
	if (conn->eof) {
		conn_free(conn);
		return;
	}
	shutdown(bufferevent_getfd(conn->bev), SHUT_WR);
	enter(conn, CONN_LINGER, CONN_LINGER_MS);
	bufferevent_setwatermark(conn->bev, EV_READ, 0, CONN_READ_AHEAD);
}

/* The client has finished sending and there is nothing left to do for it. */
static bool
is_over(const struct conn *conn)
{
	if (!conn->eof)
		return false;
	return conn->state == CONN_LINGER ||
	    ((conn->state == CONN_IDLE || conn->state == CONN_HEAD || conn->state == CONN_BODY) && !pending(conn));
}

/* Looks at what has been read. */
static void
take_turn(struct conn *conn)
{
	int i;

	if (conn->in_turn)
		return;
	conn->in_turn = true;
	for (i = 0; i < CONN_TURN && step(conn); i++)
		;
	conn->in_turn = false;
	if (conn->state == CONN_CLOSING && !pending(conn))
		finish(conn);
	else if (is_over(conn))
		conn_free(conn);
	else if (i == CONN_TURN)
		bufferevent_trigger(conn->bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS); /* others first */
}

void
conn_answered(struct conn *conn, bool keep_alive)
{
	request_free(conn->request);
	conn->request = NULL;
	if (!keep_alive || conn->server->draining)
		enter(conn, CONN_CLOSING, conn->server->settings.write_ms);
	else
		enter(conn, CONN_IDLE, conn->server->settings.idle_ms);
	/* a request that was waiting behind this one, or the end */
	conn_look_again(conn);
}

/* From the loop, so that answering never recurses. */
void
conn_look_again(struct conn *conn)
{
	if (!conn->in_turn && (evbuffer_get_length(bufferevent_get_input(conn->bev)) || conn->eof || conn->state == CONN_CLOSING))
		bufferevent_trigger(conn->bev, EV_READ, BEV_TRIG_IGNORE_WATERMARKS | BEV_TRIG_DEFER_CALLBACKS);
}

void
conn_part(struct conn *conn, int64_t ms)
{
	enter(conn, CONN_CLOSING, ms);
	conn_look_again(conn);
}

/* ---- what libevent and the clock say */

static void
on_read(struct bufferevent *bev, void *payload)
{
	(void)bev;
	take_turn(payload);
}

static void
on_write(struct bufferevent *bev, void *payload)
{
	struct conn *conn = payload;

	bufferevent_disable(bev, EV_WRITE);
	if (conn->stream)
		stream_moved(conn->stream);
	else if (conn->ws)
		ws_moved(conn->ws);
	else if (conn->state == CONN_CLOSING)
		finish(conn);
	else if (is_over(conn))
		conn_free(conn);
}

static void
on_event(struct bufferevent *bev, short what, void *payload)
{
	struct conn *conn = payload;

	(void)bev;
	/* a client that only finished sending still gets its answer; a stream's or a WebSocket's client that hangs up is gone */
	if ((what & BEV_EVENT_EOF) && !(what & BEV_EVENT_ERROR) && conn->state != CONN_STREAM && conn->state != CONN_WS &&
	    (what & BEV_EVENT_READING)) {
		conn->eof = true;
		take_turn(conn);
		return;
	}
	/* what it was told just before it may still hear: that it has come in, or why it must leave */
	if (!(what & BEV_EVENT_ERROR) && pending(conn))
		(void)send_some(conn);
	conn_free(conn);
}

void
conn_tick(struct conn *conn, int64_t now)
{
	if (conn->ws) {
		ws_tick(conn->ws, now);
		return;
	}
	if (pending(conn) && now - conn->progress > conn->server->settings.write_ms) {
		conn->server->stats.slow++;
		conn_free(conn); /* it takes nothing */
		return;
	}
	if (now < conn->deadline)
		return;
	switch (conn->state) {
	case CONN_IDLE:
	case CONN_LINGER:
		if (!pending(conn))
			conn_free(conn);
		break;
	case CONN_CLOSING:
		conn_free(conn);
		break;
	case CONN_HEAD:
		refuse(conn, 408, "the request's head took too long");
		break;
	case CONN_BODY:
		refuse(conn, 408, "the request's body took too long");
		break;
	case CONN_WORK:
	case CONN_STREAM:
	case CONN_WS:
		break;
	}
}
