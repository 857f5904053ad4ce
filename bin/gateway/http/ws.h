/* ws.h - WebSocket sessions (RFC 6455) on a connection of http/
 *
 * A request that asks for a WebSocket is a request like any other until ws_open() takes its connection over; before that it can be
 * answered with request_reply() or, in the contract's form, ws_reject(). An Upgrade header that nobody looks at changes nothing.
 * Text goes both ways, in one frame each way out, in any number of fragments in. There are no extensions; the first subprotocol that
 * the client offers is agreed to. All calls on the loop thread.
 *
 * Who closes says why: 1000 done, 1001 the gateway stops, 1002 the client broke the protocol, 1003 a binary message, 1007 not UTF-8, 1008
 * the caller's right has ended, 1009 a message over message_max (or ignored_max), 1011 our trouble, or no sign of life, 1013 the client
 * reads too slowly: what it has not been sent is dropped at a frame's end, so that it still can be told, and it comes back to its place.
 */
#ifndef HTTP_WS_H
#define HTTP_WS_H

#include "compat.h"
#include "jtext.h"

struct request;
struct shared_frame;
struct ws;

#define WS_CLOSE_MS 5000	 /* how long a goodbye may take before the connection is cut */
#define WS_CLOSE_REASON_MAX 123	 /* bytes (RFC 6455 5.5); more are cut at a character's end */
#define WS_MESSAGE_MAX 65536	 /* bytes of one message of the client, all fragments together */
#define WS_IGNORED_MAX 104857600 /* the same when nobody hears it: it is thrown away as it comes and holds no memory */
#define WS_PING_MS 30000	 /* silence before a ping */
#define WS_PONG_MS 10000	 /* silence after it before the connection counts as dead */

enum ws_close_code {
	WS_DONE = 1000,
	WS_GOING_AWAY = 1001,
	WS_PROTOCOL = 1002,
	WS_UNSUPPORTED = 1003,
	WS_NO_CODE = 1005,  /* never sent: the client's goodbye had none */
	WS_ABNORMAL = 1006, /* never sent: it went without a goodbye */
	WS_NOT_UTF8 = 1007,
	WS_POLICY = 1008,
	WS_TOO_BIG = 1009,
	WS_TROUBLE = 1011,
	WS_TRY_LATER = 1013,
};

struct ws_settings {
	size_t message_max, ignored_max;
	int64_t ping_ms, pong_ms;
};

void ws_settings_init(struct ws_settings *settings); /* the defaults above */

/* Does the request bear an Upgrade header, of whatever value (contract section 7)? */
bool ws_asked(const struct request *request);

/* Answers a plain request to a stream's path: 426 {"code":"UPGRADE_REQUIRED","message":"Use websocket upgrade for this endpoint"}.
 * headers as for request_reply(). */
void ws_required(struct request *request, const char *const *headers);

/* Answers an upgrade that is not granted, byte for byte as the contract: the message is the reason phrase too, the body is
 * {"code":"WS_UPGRADE_REJECTED","message":...} without a length, and the connection ends. The message is one line of ASCII.
 * headers: more of them, or NULL. */
void ws_reject(struct request *request, int status, const char *message, const char *const *headers);

struct ws_events {
	void (*text)(struct span message,
	    void *payload);		/* one whole message, valid UTF-8, borrowed; NULL: read and thrown away, up to ignored_max */
	void (*drained)(void *payload); /* ws_pending() fell to half of output_max after ws_full() was true */
	void (*closed)(int code, void *payload); /* it is over and freed after this call; the client's code, or one of ours */
};

/* Checks the handshake strictly (GET, HTTP/1.1, Connection and Upgrade, one key of 16 bytes, version 13 or 8) and answers it: 101, or 405
 * or 400 with what is wrong as plain text, as the contract. NULL: answered with a rejection, or the client has gone; no event will come
 * then. */
struct ws *ws_open(struct request *request, const struct ws_settings *settings, const struct ws_events *events, void *payload);

/* One text frame. Nothing is sent, and nothing said, when the client has begun its goodbye: closed() is on its way. */
void ws_send(struct ws *ws, const void *bytes, size_t n);

/* The same for a frame that many sessions share without a copy; reference-counted. */
struct shared_frame *shared_frame_new(const void *bytes, size_t n); /* one reference, yours */
struct shared_frame *shared_frame_ref(struct shared_frame *frame);
void shared_frame_unref(struct shared_frame *frame); /* accepts NULL */
void ws_send_shared(struct ws *ws, struct shared_frame *frame);

size_t ws_pending(const struct ws *ws); /* bytes not yet taken by the kernel */
bool ws_full(const struct ws *ws);	/* pending > server_settings.output_max: stop sending until drained() */

/* Says goodbye; what was sent before still goes out. The session is no longer yours and closed() is not called. */
void ws_close(struct ws *ws, int code, const char *reason);

#endif
