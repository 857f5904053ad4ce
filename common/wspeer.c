/* wspeer.c - one side of a WebSocket; wslay reads the frames */
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

#define FIN 0x80
#define MASKED 0x80
#define MASK_LEN 4
#define CONTROL_MAX 125 /* bytes of a control frame; wslay refuses longer ones */

enum { CODE_NONE = 1005, CODE_ABNORMAL = 1006, CODE_PROTOCOL = 1002, CODE_NOT_UTF8 = 1007, CODE_TOO_BIG = 1009 };

/* The frames that come are told apart by wslay; what they may be and make together is decided here: its own layer for that knows neither
 * the codes 1012 to 1014 nor how many pieces a message has. */
struct wspeer {
	wslay_frame_context_ptr ctx; /* has a buffer of 4 KiB: only while a frame is not complete, see wspeer_feed() */
	uint64_t held;		     /* bytes that it has been given and that are not yet part of what came */
	const struct wspeer_events *events;
	void *payload;
	const unsigned char *in; /* what wspeer_feed() was given and wslay has not taken */
	size_t left;
	struct buf out; /* the frame that is being made */
	/* the frame that comes */
	uint64_t missing; /* bytes of it */
	uint8_t opcode;
	bool inside, fin;
	struct buf control; /* its payload, when it is a control frame */
	/* the message that comes */
	struct buf message; /* when nobody hears it, the beginning of a character at most */
	size_t taken;	    /* bytes of it, with what is missing of this frame */
	unsigned fragments;
	size_t message_max;
	bool started, text;
	/* the end */
	struct buf reason;
	enum wspeer_role role;
	int code;
	bool said, heard; /* our goodbye, theirs */
	bool broken;	  /* nothing more is read: they broke the protocol */
};

static ssize_t
take_input(uint8_t *to, size_t n, int flags, void *payload)
{
	struct wspeer *peer = payload;

	(void)flags;
	if (!peer->left)
		return -1;
	if (n > peer->left)
		n = peer->left;
	memcpy(to, peer->in, n);
	peer->in += n;
	peer->left -= n;
	peer->held += n;
	return (ssize_t)n;
}

/* wslay only reads here. */
static ssize_t
give_output(const uint8_t *bytes, size_t n, int flags, void *payload)
{
	(void)bytes;
	(void)n;
	(void)flags;
	(void)payload;
	return -1;
}

static int
make_mask(uint8_t *to, size_t n, void *payload)
{
	(void)to;
	(void)n;
	(void)payload;
	return -1;
}

static const struct wslay_frame_callbacks callbacks = {
	.send_callback = give_output, .recv_callback = take_input, .genmask_callback = make_mask
};

struct wspeer *
wspeer_new(enum wspeer_role role, size_t message_max, const struct wspeer_events *events, void *payload)
{
	struct wspeer *peer = xcalloc(1, sizeof *peer);

	buf_init(&peer->out);
	buf_init(&peer->control);
	buf_init(&peer->message);
	buf_init(&peer->reason);
	peer->role = role;
	peer->message_max = message_max;
	peer->events = events;
	peer->payload = payload;
	peer->code = CODE_ABNORMAL;
	return peer;
}

void
wspeer_free(struct wspeer *peer)
{
	if (!peer)
		return;
	if (peer->ctx)
		wslay_frame_context_free(peer->ctx);
	buf_release(&peer->out);
	buf_release(&peer->control);
	buf_release(&peer->message);
	buf_release(&peer->reason);
	free(peer);
}

/* ---- frames on their way out */

static size_t
make_head(unsigned char head[WSPEER_HEAD_MAX], unsigned opcode, size_t n)
{
	uint64_t length = n;
	int i;

	head[0] = (unsigned char)(FIN | opcode);
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

size_t
wspeer_text_head(unsigned char head[WSPEER_HEAD_MAX], size_t n)
{
	return make_head(head, WSLAY_TEXT_FRAME, n);
}

static void
send_frame(struct wspeer *peer, unsigned opcode, const void *bytes, size_t n)
{
	unsigned char head[WSPEER_HEAD_MAX], mask[MASK_LEN];
	size_t head_n = make_head(head, opcode, n), start, i;

	buf_reset(&peer->out);
	if (peer->role == WSPEER_CLIENT) {
		head[1] |= MASKED;
		key_random(mask, sizeof mask);
	}
	buf_add(&peer->out, head, head_n);
	if (peer->role == WSPEER_CLIENT)
		buf_add(&peer->out, mask, sizeof mask);
	start = peer->out.len;
	if (n)
		buf_add(&peer->out, bytes, n);
	for (i = 0; peer->role == WSPEER_CLIENT && i < n; i++)
		peer->out.s[start + i] = (char)(peer->out.s[start + i] ^ mask[i % MASK_LEN]);
	peer->events->output(peer->out.s, peer->out.len, peer->payload);
}

static void
say_goodbye(struct wspeer *peer, int code, const char *reason, size_t n)
{
	char bytes[CONTROL_MAX];

	peer->said = true;
	bytes[0] = (char)(code >> 8);
	bytes[1] = (char)(code & 255);
	if (n)
		memcpy(bytes + 2, reason, n);
	send_frame(peer, WSLAY_CONNECTION_CLOSE, bytes, code == CODE_NONE ? 0 : 2 + n);
}

void
wspeer_text(struct wspeer *peer, const void *s, size_t n)
{
	if (wspeer_state(peer) == WSPEER_OPEN)
		send_frame(peer, WSLAY_TEXT_FRAME, s, n);
}

void
wspeer_ping(struct wspeer *peer)
{
	if (wspeer_state(peer) == WSPEER_OPEN)
		send_frame(peer, WSLAY_PING, NULL, 0);
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

/* ---- frames that come */

static void
refuse(struct wspeer *peer, int code)
{
	peer->broken = true;
	if (peer->said)
		return;
	peer->code = code;
	say_goodbye(peer, code, "", 0);
}

/* RFC 6455 7.4 and the registry: what may stand in a goodbye. */
static bool
may_be_sent(int code)
{
	return (code >= 1000 && code <= 1014 && code != 1004 && code != CODE_NONE && code != CODE_ABNORMAL) ||
	    (code >= 3000 && code <= 4999);
}

static void
hear_goodbye(struct wspeer *peer)
{
	const struct buf *bytes = &peer->control;
	int code = bytes->len ? (unsigned char)bytes->s[0] << 8 | (unsigned char)bytes->s[1] : CODE_NONE;

	if (bytes->len && !may_be_sent(code)) {
		refuse(peer, CODE_PROTOCOL);
		return;
	}
	if (bytes->len > 2 && !utf8_valid(bytes->s + 2, bytes->len - 2)) {
		refuse(peer, CODE_NOT_UTF8);
		return;
	}
	peer->heard = true;
	peer->code = code;
	if (bytes->len > 2)
		buf_add(&peer->reason, bytes->s + 2, bytes->len - 2);
	if (!peer->said)
		say_goodbye(peer, code, "", 0);
}

/* A frame begins. The code with which it is refused; 0: it is good. */
static int
begin_frame(struct wspeer *peer, const struct wslay_frame_iocb *frame)
{
	peer->opcode = frame->opcode;
	peer->fin = frame->fin;
	peer->missing = frame->payload_length;
	if (frame->rsv || !frame->mask != (peer->role == WSPEER_CLIENT))
		return CODE_PROTOCOL;
	switch (frame->opcode) {
	case WSLAY_CONNECTION_CLOSE:
	case WSLAY_PING:
	case WSLAY_PONG:
		buf_reset(&peer->control);
		/* a goodbye has nothing, or a code: half a code is neither */
		return frame->fin && frame->payload_length <= CONTROL_MAX &&
			(frame->opcode != WSLAY_CONNECTION_CLOSE || frame->payload_length != 1)
		    ? 0
		    : CODE_PROTOCOL;
	case WSLAY_TEXT_FRAME:
	case WSLAY_BINARY_FRAME:
		if (peer->started)
			return CODE_PROTOCOL;
		peer->started = true;
		peer->text = frame->opcode == WSLAY_TEXT_FRAME;
		peer->fragments = 0;
		peer->taken = 0;
		break;
	case WSLAY_CONTINUATION_FRAME:
		if (!peer->started)
			return CODE_PROTOCOL;
		break;
	default:
		return CODE_PROTOCOL;
	}
	if (frame->payload_length > peer->message_max - peer->taken || (peer->events->message && ++peer->fragments > WSPEER_FRAGMENTS_MAX))
		return CODE_TOO_BIG;
	peer->taken += (size_t)frame->payload_length;
	return 0;
}

/* How many of these bytes end with a whole character, as far as its first byte says how long it is. */
static size_t
whole(const struct buf *text)
{
	size_t n = text->len, back, want;

	for (back = 1; back <= 3 && back <= n; back++) {
		unsigned char c = (unsigned char)text->s[n - back];

		if ((c & 0xc0) == 0x80)
			continue;
		want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
		return want > back ? n - back : n;
	}
	return n;
}

/* What has come of a message that nobody hears. False: it is not the text that it says it is. */
static bool
throw_away(struct wspeer *peer)
{
	size_t n = peer->text ? whole(&peer->message) : peer->message.len;
	bool good = !peer->text || utf8_valid(peer->message.s, n);

	buf_consume(&peer->message, n);
	return good;
}

static void
end_message(struct wspeer *peer)
{
	struct buf message = peer->message;

	if (peer->text && !utf8_valid(message.s, message.len)) {
		refuse(peer, CODE_NOT_UTF8);
		return;
	}
	peer->started = false;
	buf_init(&peer->message);
	if (!peer->said && peer->events->message)
		peer->events->message(peer->text, span_of(&message), peer->payload);
	buf_release(&message);
}

static void
end_frame(struct wspeer *peer)
{
	switch (peer->opcode) {
	case WSLAY_CONNECTION_CLOSE:
		hear_goodbye(peer);
		break;
	case WSLAY_PING:
		if (!peer->said)
			send_frame(peer, WSLAY_PONG, peer->control.s, peer->control.len);
		break;
	case WSLAY_PONG:
		break;
	default:
		if (peer->fin)
			end_message(peer);
		break;
	}
}

static size_t
head_size(const struct wslay_frame_iocb *frame)
{
	return (size_t)(2 + (frame->payload_length < 126 ? 0 : frame->payload_length <= 65535 ? 2 : 8) + (frame->mask ? MASK_LEN : 0));
}

static void
take_piece(struct wspeer *peer, const struct wslay_frame_iocb *frame)
{
	int code = peer->inside ? 0 : begin_frame(peer, frame);

	peer->held -= (peer->inside ? 0 : head_size(frame)) + frame->data_length;
	if (code) {
		refuse(peer, code);
		return;
	}
	if (frame->data_length)
		buf_add(wslay_is_ctrl_frame(peer->opcode) ? &peer->control : &peer->message, frame->data, frame->data_length);
	if (!peer->events->message && !throw_away(peer)) {
		refuse(peer, CODE_NOT_UTF8);
		return;
	}
	peer->missing -= frame->data_length;
	peer->inside = peer->missing > 0;
	if (!peer->inside)
		end_frame(peer);
}

void
wspeer_feed(struct wspeer *peer, const void *bytes, size_t n)
{
	struct wslay_frame_iocb frame;
	ssize_t got;

	if (!peer->ctx && wslay_frame_context_init(&peer->ctx, &callbacks, peer))
		abort(); /* out of memory */
	peer->in = bytes;
	peer->left = n;
	while (wspeer_state(peer) != WSPEER_CLOSED) {
		memset(&frame, 0, sizeof frame);
		got = wslay_frame_recv(peer->ctx, &frame);
		if (got == WSLAY_ERR_WANT_READ)
			break;
		if (got < 0)
			refuse(peer, CODE_PROTOCOL);
		else
			take_piece(peer, &frame);
	}
	peer->left = 0;
	if (!peer->inside && !peer->held) {
		/* between frames: an idle connection needs none */
		wslay_frame_context_free(peer->ctx);
		peer->ctx = NULL;
	}
}

/* ---- how it stands */

enum wspeer_state
wspeer_state(const struct wspeer *peer)
{
	if (peer->broken || peer->heard)
		return WSPEER_CLOSED;
	return peer->said ? WSPEER_CLOSING : WSPEER_OPEN;
}

int
wspeer_code(const struct wspeer *peer)
{
	return peer->code;
}

bool
wspeer_broken(const struct wspeer *peer)
{
	return peer->broken;
}

const char *
wspeer_reason(const struct wspeer *peer)
{
	return peer->reason.s;
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
