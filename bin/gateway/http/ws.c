/* ws.c - WebSocket sessions on a connection of http/ */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "clock.h"
#include "http/conn.h"
#include "http/shake.h"
#include "http/ws.h"
#include "wspeer.h"
#include "xalloc.h"

#define COPY_MAX 2048	/* bytes; longer shared frames are not copied */
#define READ_STEP 16384 /* bytes of input taken at once */

_Static_assert(WS_CLOSE_REASON_MAX == WSPEER_REASON_MAX, "one limit, two names");

/* The bytes that wait in the connection's output are frames one after the other; `ends` holds their lengths, the first one counted from
 * what has already gone. So a reader that is too slow can be left at a frame's end. */
struct ws {
	struct conn *conn;
	struct server *server;
	struct wspeer *peer;
	const struct ws_events *events; /* NULL: the owner has let go */
	void *payload;
	struct ws_settings settings;
	int64_t heard;	/* when a byte came */
	int64_t moved;	/* when the kernel took some of the output */
	int64_t pinged; /* when the present ping went out, 0: none */
	size_t *ends, n_ends, first_end, max_ends;
	bool was_full;
	bool dropping; /* frames are being taken back: that is no progress */
};

struct shared_frame {
	unsigned refs;
	size_t n;
	unsigned char bytes[]; /* head and text */
};

void
ws_settings_init(struct ws_settings *settings)
{
	*settings = (struct ws_settings){
		.message_max = WS_MESSAGE_MAX, .ignored_max = WS_IGNORED_MAX, .ping_ms = WS_PING_MS, .pong_ms = WS_PONG_MS
	};
}

/* ---- before the upgrade */

bool
ws_asked(const struct request *request)
{
	return request_header(request, "upgrade") != NULL;
}

void
ws_required(struct request *request, const char *const *headers)
{
	static const char body[] = "{\"code\":\"UPGRADE_REQUIRED\",\"message\":\"Use websocket upgrade for this endpoint\"}";
	const char *all[32] = { "upgrade", "websocket", "connection", "upgrade" };
	size_t n = 4;

	/* RFC 9110 7.8: who sends Upgrade lists it in Connection */
	for (; headers && *headers && n < ARRAY_LEN(all) - 1; headers++)
		all[n++] = *headers;
	all[n] = NULL;
	request_reply(request, 426, "application/json; charset=utf-8", all, body, sizeof body - 1);
}

/* The answer as it stands, and the end of the connection. Frees neither. */
static void
turn_away(struct request *request, int status, const char *type, const struct buf *head, const struct buf *body)
{
	request_tell(request, status);
	request_ended(request, status, 0);
	if (!request->conn) {
		request_free(request);
		return;
	}
	if (request->server->settings.said)
		request->server->settings.said(request, status, type, body->s, body->len, request->server->payload);
	evbuffer_add(conn_output(request->conn), head->s, head->len);
	if (strcmp(request->method, "HEAD"))
		evbuffer_add(conn_output(request->conn), body->s, body->len);
	conn_answered(request->conn, false);
}

void
ws_reject(struct request *request, int status, const char *message, const char *const *headers)
{
	struct buf head = BUF_INIT, body = BUF_INIT;

	buf_addstr(&body, "{\"code\":\"WS_UPGRADE_REJECTED\"");
	jtext_add_text(&body, "message", message);
	buf_addch(&body, '}');
	buf_addf(&head, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\n", status, message);
	for (; headers && headers[0]; headers += 2)
		buf_addf(&head, "%s: %s\r\n", headers[0], headers[1]);
	if (request_is_named(request, headers))
		buf_addf(&head, "x-request-id: %s\r\n", request_id(request));
	buf_addstr(&head, "Connection: close\r\n\r\n");
	turn_away(request, status, "application/json", &head, &body);
	buf_release(&head);
	buf_release(&body);
}

/* A handshake that is none: the contract's other form, in plain text (section 7, row 6). */
static void
reject_handshake(struct request *request, const struct shake *shake)
{
	struct buf head = BUF_INIT, body = BUF_INIT;

	buf_addstr(&body, shake->wrong);
	buf_addf(&head, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: %zu\r\n%s\r\n", shake->status,
	    shake->status == 405 ? "Method Not Allowed" : "Bad Request", body.len,
	    shake->tell_version ? "Sec-WebSocket-Version: 13, 8\r\n" : "");
	turn_away(request, shake->status, "text/html", &head, &body);
	buf_release(&head);
	buf_release(&body);
}

/* ---- frames on their way out */

static void
note_end(struct ws *ws, size_t n)
{
	if (ws->first_end + ws->n_ends == ws->max_ends) {
		if (ws->first_end >= ws->max_ends / 2 && ws->first_end) {
			memmove(ws->ends, ws->ends + ws->first_end, ws->n_ends * sizeof *ws->ends);
			ws->first_end = 0;
		} else {
			ws->max_ends = ws->max_ends ? 2 * ws->max_ends : 16;
			ws->ends = xrealloc(ws->ends, ws->max_ends * sizeof *ws->ends);
		}
	}
	ws->ends[ws->first_end + ws->n_ends++] = n;
}

/* n bytes have gone to the kernel. */
void
ws_taken(struct ws *ws, size_t n)
{
	if (ws->dropping)
		return;
	ws->moved = clock_monotonic_ms();
	while (ws->n_ends && n >= ws->ends[ws->first_end]) {
		n -= ws->ends[ws->first_end++];
		ws->n_ends--;
	}
	if (!ws->n_ends)
		ws->first_end = 0;
	else
		ws->ends[ws->first_end] -= n;
}

/* Takes back all but the frame of which a part has gone already (or the first one: its part may be none). */
static void
drop_frames(struct ws *ws)
{
	struct evbuffer *output = conn_output(ws->conn), *kept;

	if (ws->n_ends < 2)
		return;
	kept = evbuffer_new();
	if (!kept)
		abort();
	ws->dropping = true;
	evbuffer_unfreeze(output, 1);
	evbuffer_remove_buffer(output, kept, ws->ends[ws->first_end]);
	evbuffer_drain(output, evbuffer_get_length(output));
	evbuffer_add_buffer(output, kept);
	evbuffer_freeze(output, 1);
	ws->dropping = false;
	evbuffer_free(kept);
	ws->n_ends = 1;
	ws->was_full = false;
	conn_look_again(ws->conn);
}

static void
on_output(const void *bytes, size_t n, void *payload)
{
	struct ws *ws = payload;

	note_end(ws, n);
	evbuffer_add(conn_output(ws->conn), bytes, n);
}

static void
note_full(struct ws *ws)
{
	if (ws_full(ws))
		ws->was_full = true;
}

void
ws_send(struct ws *ws, const void *bytes, size_t n)
{
	unsigned char head[WSPEER_HEAD_MAX];
	size_t head_n;

	if (wspeer_state(ws->peer) != WSPEER_OPEN)
		return;
	head_n = wspeer_text_head(head, n);
	note_end(ws, head_n + n);
	evbuffer_add(conn_output(ws->conn), head, head_n);
	evbuffer_add(conn_output(ws->conn), bytes, n);
	note_full(ws);
}

struct shared_frame *
shared_frame_new(const void *bytes, size_t n)
{
	unsigned char head[WSPEER_HEAD_MAX];
	size_t head_n = wspeer_text_head(head, n);
	struct shared_frame *frame = xmalloc(sizeof *frame + head_n + n);

	frame->refs = 1;
	frame->n = head_n + n;
	memcpy(frame->bytes, head, head_n);
	memcpy(frame->bytes + head_n, bytes, n);
	return frame;
}

struct shared_frame *
shared_frame_ref(struct shared_frame *frame)
{
	frame->refs++;
	return frame;
}

void
shared_frame_unref(struct shared_frame *frame)
{
	if (frame && !--frame->refs)
		free(frame);
}

static void
release_frame(const void *bytes, size_t n, void *payload)
{
	(void)bytes;
	(void)n;
	shared_frame_unref(payload);
}

void
ws_send_shared(struct ws *ws, struct shared_frame *frame)
{
	if (wspeer_state(ws->peer) != WSPEER_OPEN)
		return;
	note_end(ws, frame->n);
	if (frame->n <= COPY_MAX)
		evbuffer_add(conn_output(ws->conn), frame->bytes, frame->n);
	else
		evbuffer_add_reference(conn_output(ws->conn), frame->bytes, frame->n, release_frame, shared_frame_ref(frame));
	note_full(ws);
}

size_t
ws_pending(const struct ws *ws)
{
	return evbuffer_get_length(conn_output(ws->conn));
}

bool
ws_full(const struct ws *ws)
{
	return ws_pending(ws) > ws->conn->server->settings.output_max;
}

void
ws_moved(struct ws *ws)
{
	if (!ws->was_full || ws_pending(ws) > ws->conn->server->settings.output_max / 2)
		return;
	ws->was_full = false;
	conn_look_again(ws->conn); /* nothing was read meanwhile */
	if (ws->events && ws->events->drained)
		ws->events->drained(ws->payload);
}

/* ---- the end */

static void
ws_free(struct ws *ws)
{
	ws->server->stats.sockets--;
	wspeer_free(ws->peer);
	free(ws->ends);
	free(ws);
}

static void
tell_owner(struct ws *ws, int code)
{
	const struct ws_events *events = ws->events;

	ws->events = NULL;
	if (events && events->closed)
		events->closed(code, ws->payload);
}

/* The connection is gone, or wants to be. */
void
ws_gone(struct ws *ws)
{
	tell_owner(ws, wspeer_state(ws->peer) == WSPEER_CLOSED ? wspeer_code(ws->peer) : WS_ABNORMAL);
	ws_free(ws);
}

/* Nothing more is read or said: what is written goes out, then the connection ends. */
static void
part(struct ws *ws)
{
	struct conn *conn = ws->conn;

	conn->ws = NULL;
	conn_part(conn, WS_CLOSE_MS);
	ws_gone(ws);
}

static void
begin_goodbye(struct ws *ws, int code, const char *reason)
{
	wspeer_close(ws->peer, code, reason);
	ws->conn->deadline = clock_monotonic_ms() + WS_CLOSE_MS;
}

void
ws_close(struct ws *ws, int code, const char *reason)
{
	ws->events = NULL;
	begin_goodbye(ws, code, reason);
}

/* We end it, not the owner. */
void
ws_cut(struct ws *ws, int code, const char *reason)
{
	if (wspeer_state(ws->peer) != WSPEER_OPEN)
		return;
	if (code == WS_TRY_LATER)
		drop_frames(ws);
	begin_goodbye(ws, code, reason);
	tell_owner(ws, code);
}

/* ---- what comes in */

static void
on_message(bool text, struct span message, void *payload)
{
	struct ws *ws = payload;

	if (!ws->events)
		return;
	if (text)
		ws->events->text(message, ws->payload);
	else
		ws_cut(ws, WS_UNSUPPORTED, "text is spoken here");
}

bool
ws_read(struct ws *ws)
{
	struct evbuffer *input = bufferevent_get_input(ws->conn->bev);
	unsigned char bytes[READ_STEP];
	int n;

	if (ws->was_full)
		return false; /* who does not read is not heard: its pings would only add to what waits */
	n = evbuffer_remove(input, bytes, sizeof bytes);
	if (n > 0) {
		ws->heard = clock_monotonic_ms();
		ws->server->stats.received += (uint64_t)n;
		wspeer_feed(ws->peer, bytes, (size_t)n);
		note_full(ws);
	}
	if (wspeer_state(ws->peer) == WSPEER_CLOSED || (ws->conn->eof && !evbuffer_get_length(input))) {
		part(ws);
		return false;
	}
	return n > 0;
}

void
ws_tick(struct ws *ws, int64_t now)
{
	struct conn *conn = ws->conn;

	if (wspeer_state(ws->peer) != WSPEER_OPEN) {
		if (now >= conn->deadline)
			conn_free(conn);
	} else if (ws_pending(ws)) {
		if (now - conn->progress > conn->server->settings.write_ms) {
			conn->server->stats.slow++;
			ws_cut(ws, WS_TRY_LATER, "reads too slowly");
		}
	} else if (ws->pinged && ws->heard < ws->pinged) {
		if (now - ws->pinged > ws->settings.pong_ms)
			ws_cut(ws, WS_TROUBLE, "no sign of life");
	} else {
		ws->pinged = 0;
		if (now - ws->heard >= ws->settings.ping_ms && now - ws->moved >= ws->settings.ping_ms) {
			wspeer_ping(ws->peer);
			ws->pinged = now;
		}
	}
}

/* ---- the beginning */

static const struct wspeer_events peer_events = { .message = on_message, .output = on_output }, deaf_events = { .output = on_output };

static void
welcome(struct request *request, const struct shake *shake)
{
	const char *server = request->server->settings.server_header;
	struct buf head = BUF_INIT;

	buf_addstr(&head, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ");
	wspeer_add_accept(&head, shake->key.s, shake->key.n);
	if (shake->protocol.s)
		buf_addf(&head, "\r\nSec-WebSocket-Protocol: %.*s", (int)shake->protocol.n, shake->protocol.s);
	if (server)
		buf_addf(&head, "\r\n%s", server);
	if (request_is_named(request, NULL))
		buf_addf(&head, "\r\nx-request-id: %s", request_id(request));
	buf_addstr(&head, "\r\n\r\n");
	evbuffer_add(conn_output(request->conn), head.s, head.len);
	buf_release(&head);
}

struct ws *
ws_open(struct request *request, const struct ws_settings *settings, const struct ws_events *events, void *payload)
{
	const struct shake_fields fields = { request->method, request->names, request->values, request->n_headers, request->http10 };
	struct conn *conn = request->conn;
	struct shake shake;
	struct ws *ws;

	if (!conn) {
		request_ended(request, 101, 0);
		request_free(request);
		return NULL;
	}
	if (!shake_check(&fields, &shake)) {
		reject_handshake(request, &shake);
		return NULL;
	}
	if (conn->server->draining) {
		ws_reject(request, 503, "The gateway is stopping", NULL);
		return NULL;
	}
	request_tell(request, 101);
	ws = xcalloc(1, sizeof *ws);
	ws->conn = conn;
	ws->server = conn->server;
	ws->server->stats.sockets++;
	ws->settings = *settings;
	ws->events = events;
	ws->payload = payload;
	ws->heard = clock_monotonic_ms();
	if (events->text)
		ws->peer = wspeer_new(WSPEER_SERVER, settings->message_max, &peer_events, ws);
	else
		ws->peer = wspeer_new(WSPEER_SERVER, settings->ignored_max, &deaf_events, ws);
	welcome(request, &shake);
	note_end(ws, evbuffer_get_length(conn_output(conn))); /* the answer's head, and what of earlier answers is still there */
	conn->request = NULL;
	conn->ws = ws;
	request_hold(request, 101);
	conn->state = CONN_WS;
	conn->deadline = DEADLINE_NONE;
	conn_look_again(conn);
	return ws;
}
