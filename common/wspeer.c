/* wspeer.c - one side of a WebSocket, over wslay */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <wslay/wslay.h>

#include "base64.h"
#include "buf.h"
#include "key.h"
#include "sha1.h"
#include "utf8.h"
#include "wspeer.h"
#include "xalloc.h"

#define TEXT_FIN 0x81
#define CODE_PROTOCOL 1002
#define CODE_TOO_BIG 1009
#define CODE_ABNORMAL 1006

struct wspeer {
	wslay_event_context_ptr ctx;
	const struct wspeer_events *events;
	void *payload;
	struct buf out;		 /* frames that are being made */
	const unsigned char *in; /* what wspeer_feed() was given and wslay has not taken */
	size_t left;
	unsigned fragments;	/* of the present message */
	enum wspeer_role role;
	int code;
	int refused; /* the code of something that wslay would have let pass; 0: nothing */
	bool said;   /* our goodbye is written */
	bool broken; /* wslay's context is of no use any more */
};

static ssize_t
take_input(wslay_event_context_ptr ctx, uint8_t *to, size_t n, int flags, void *payload)
{
	struct wspeer *peer = payload;

	(void)flags;
	if (!peer->left) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	if (n > peer->left)
		n = peer->left;
	memcpy(to, peer->in, n);
	peer->in += n;
	peer->left -= n;
	return (ssize_t)n;
}

static ssize_t
give_output(wslay_event_context_ptr ctx, const uint8_t *bytes, size_t n, int flags, void *payload)
{
	struct wspeer *peer = payload;

	(void)ctx;
	(void)flags;
	buf_add(&peer->out, bytes, n);
	return (ssize_t)n;
}

static int
make_mask(wslay_event_context_ptr ctx, uint8_t *to, size_t n, void *payload)
{
	(void)ctx;
	(void)payload;
	key_random(to, n);
	return 0;
}

/* wslay gives a frame in pieces; it goes on as one. */
static void
emit(struct wspeer *peer)
{
	if (peer->out.len)
		peer->events->output(peer->out.s, peer->out.len, peer->payload);
	buf_reset(&peer->out);
}

/* What wslay has queued goes out at once, so that frames made elsewhere never land inside one of its. */
static void
flush(struct wspeer *peer)
{
	while (!peer->broken && wslay_event_want_write(peer->ctx))
		if (wslay_event_send(peer->ctx) < 0)
			abort(); /* giving output cannot fail */
	emit(peer);
}

static void
say_goodbye(struct wspeer *peer, int code, const char *reason, size_t n)
{
	wslay_event_queue_close(peer->ctx, (uint16_t)code, (const uint8_t *)reason, n);
	peer->said = true;
	flush(peer);
}

static void
refuse(struct wspeer *peer, int code)
{
	if (!peer->said) {
		peer->refused = code;
		say_goodbye(peer, code, "", 0);
	}
	wslay_event_shutdown_read(peer->ctx);
}

static void
on_frame(wslay_event_context_ptr ctx, const struct wslay_event_on_frame_recv_start_arg *frame, void *payload)
{
	struct wspeer *peer = payload;

	(void)ctx;
	/* RFC 6455 5.5.1: nothing, or a code; wslay takes half a code for none */
	if (frame->opcode == WSLAY_CONNECTION_CLOSE && frame->payload_length == 1)
		refuse(peer, CODE_PROTOCOL);
	if (wslay_is_ctrl_frame(frame->opcode))
		return;
	if (frame->opcode != WSLAY_CONTINUATION_FRAME)
		peer->fragments = 0;
	if (++peer->fragments > WSPEER_FRAGMENTS_MAX)
		refuse(peer, CODE_TOO_BIG);
}

static void
on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *message, void *payload)
{
	struct wspeer *peer = payload;

	(void)ctx;
	if (peer->said || wslay_is_ctrl_frame(message->opcode))
		return;
	peer->events->message(message->opcode == WSLAY_TEXT_FRAME, (struct span){ (const char *)message->msg, message->msg_length }, peer->payload);
}

struct wspeer *
wspeer_new(enum wspeer_role role, size_t message_max, const struct wspeer_events *events, void *payload)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = take_input,
		.send_callback = give_output,
		.genmask_callback = make_mask,
		.on_frame_recv_start_callback = on_frame,
		.on_msg_recv_callback = on_message,
	};
	struct wspeer *peer = xcalloc(1, sizeof *peer);
	int failed;

	buf_init(&peer->out);
	peer->role = role;
	peer->events = events;
	peer->payload = payload;
	peer->code = CODE_ABNORMAL;
	if (role == WSPEER_SERVER)
		failed = wslay_event_context_server_init(&peer->ctx, &callbacks, peer);
	else
		failed = wslay_event_context_client_init(&peer->ctx, &callbacks, peer);
	if (failed)
		abort(); /* out of memory */
	wslay_event_config_set_max_recv_msg_length(peer->ctx, message_max);
	return peer;
}

void
wspeer_free(struct wspeer *peer)
{
	if (!peer)
		return;
	wslay_event_context_free(peer->ctx);
	buf_release(&peer->out);
	free(peer);
}

/* Lengths that are not what RFC 6455 asks for end wslay's parser without an answer of its own. */
static void
give_up(struct wspeer *peer)
{
	static const unsigned char server[] = { 0x88, 2, CODE_PROTOCOL >> 8, CODE_PROTOCOL & 255 };
	static const unsigned char client[] = { 0x88, 0x82, 0, 0, 0, 0, CODE_PROTOCOL >> 8, CODE_PROTOCOL & 255 };

	peer->broken = true;
	if (peer->said)
		return;
	peer->said = true;
	peer->code = CODE_PROTOCOL;
	if (peer->role == WSPEER_SERVER)
		peer->events->output(server, sizeof server, peer->payload);
	else
		peer->events->output(client, sizeof client, peer->payload);
}

void
wspeer_feed(struct wspeer *peer, const void *bytes, size_t n)
{
	if (wspeer_state(peer) == WSPEER_CLOSED)
		return;
	peer->in = bytes;
	peer->left = n;
	if (wslay_event_recv(peer->ctx) < 0) {
		give_up(peer);
		return;
	}
	flush(peer);
	if (peer->refused)
		peer->code = peer->refused;
	else if (wslay_event_get_close_received(peer->ctx))
		peer->code = wslay_event_get_status_code_received(peer->ctx);
	else if (!wslay_event_get_read_enabled(peer->ctx) && !peer->said)
		peer->code = wslay_event_get_status_code_sent(peer->ctx); /* wslay has found something wrong and said so */
	if (!wslay_event_get_read_enabled(peer->ctx) || wslay_event_get_close_sent(peer->ctx))
		peer->said = true;
}

enum wspeer_state
wspeer_state(const struct wspeer *peer)
{
	if (peer->broken || !wslay_event_get_read_enabled(peer->ctx))
		return WSPEER_CLOSED;
	return peer->said ? WSPEER_CLOSING : WSPEER_OPEN;
}

int
wspeer_code(const struct wspeer *peer)
{
	return peer->code;
}

void
wspeer_text(struct wspeer *peer, const void *s, size_t n)
{
	struct wslay_event_msg message = { .opcode = WSLAY_TEXT_FRAME, .msg = s, .msg_length = n };
	unsigned char head[WSPEER_HEAD_MAX];

	if (wspeer_state(peer) != WSPEER_OPEN)
		return;
	if (peer->role == WSPEER_SERVER) {
		buf_add(&peer->out, head, wspeer_text_head(head, n));
		buf_add(&peer->out, s, n);
		emit(peer);
	} else {
		wslay_event_queue_msg(peer->ctx, &message);
		flush(peer);
	}
}

void
wspeer_ping(struct wspeer *peer)
{
	struct wslay_event_msg message = { .opcode = WSLAY_PING };

	if (wspeer_state(peer) != WSPEER_OPEN)
		return;
	wslay_event_queue_msg(peer->ctx, &message);
	flush(peer);
}

void
wspeer_close(struct wspeer *peer, int code, const char *reason)
{
	size_t n = strlen(reason), at, step;

	if (wspeer_state(peer) != WSPEER_OPEN)
		return;
	for (at = 0; n > WSPEER_REASON_MAX; at += step) {
		utf8_next(reason + at, n - at, &step);
		if (at + step > WSPEER_REASON_MAX)
			n = at;
	}
	say_goodbye(peer, code, reason, n);
}

size_t
wspeer_text_head(unsigned char head[WSPEER_HEAD_MAX], size_t n)
{
	uint64_t length = n;
	int i;

	head[0] = TEXT_FIN;
	if (n < 126) {
		head[1] = (unsigned char)n;
		return 2;
	}
	if (n <= 65535) {
		head[1] = 126;
		head[2] = (unsigned char)(n >> 8);
		head[3] = (unsigned char)(n & 255);
		return 4;
	}
	head[1] = 127;
	for (i = 0; i < 8; i++)
		head[2 + i] = (unsigned char)(length >> (56 - 8 * i));
	return 10;
}

/* ---- the handshake's texts */

void
wspeer_add_key(struct buf *to)
{
	unsigned char bytes[16];

	key_random(bytes, sizeof bytes);
	base64_add(to, bytes, sizeof bytes);
}

bool
wspeer_key_valid(const char *key, size_t n)
{
	struct buf bytes = BUF_INIT;
	bool valid = n == WSPEER_KEY_LEN && base64_read(key, n, &bytes) && bytes.len == 16;

	buf_release(&bytes);
	return valid;
}

void
wspeer_add_accept(struct buf *to, const char *key, size_t n)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455 1.3 */
	unsigned char digest[SHA1_BYTES];
	struct buf text = BUF_INIT;

	buf_add(&text, key, n);
	buf_addstr(&text, guid);
	sha1(text.s, text.len, digest);
	base64_add(to, digest, sizeof digest);
	buf_release(&text);
}
