/* wspeer.h - one side of a WebSocket (RFC 6455): bytes in, messages out, and back; it reads and writes nothing itself
 *
 * Both the gateway and the commands use it. Frames are checked strictly (masks, reserved bits, opcodes, lengths, order of fragments,
 * UTF-8, close codes); pings are answered, a goodbye is answered. What breaks the protocol is answered with a goodbye that says so,
 * and nothing more is read. No extensions.
 */
#ifndef WSPEER_H
#define WSPEER_H

#include "compat.h"
#include "jtext.h"

struct buf;
struct wspeer;

#define WSPEER_FRAGMENTS_MAX 4096 /* pieces of one message that is kept; more are 1009 */
#define WSPEER_HEAD_MAX 10	  /* bytes of an unmasked frame's head */
#define WSPEER_REASON_MAX 123	  /* bytes of a goodbye's reason; more are cut at a character's end */
#define WSPEER_KEY_LEN 24	  /* base64 of 16 bytes */
#define WSPEER_ACCEPT_LEN 28	  /* base64 of a SHA-1 */

enum wspeer_role { WSPEER_SERVER, WSPEER_CLIENT }; /* a client masks what it sends, and a server insists on it */

enum wspeer_state {
	WSPEER_OPEN,
	WSPEER_CLOSING, /* our goodbye is written, the other one has not come */
	WSPEER_CLOSED,	/* nothing more to read or write: end the connection once the output has gone */
};

struct wspeer_events {
	/* One whole message, borrowed; text is valid UTF-8. The peer may be used, not freed. NULL: nobody wants to hear. What comes is
	 * checked all the same, and thrown away piece by piece, so that even the longest message holds no memory. */
	void (*message)(bool text, struct span message, void *payload);
	/* Bytes for the other side: always whole frames, in order. */
	void (*output)(const void *bytes, size_t n, void *payload);
};

/* message_max: bytes of one incoming message, all fragments together; a longer one ends with 1009. Dies when memory is out. */
struct wspeer *wspeer_new(enum wspeer_role role, size_t message_max, const struct wspeer_events *events, void *payload);
void wspeer_free(struct wspeer *peer); /* accepts NULL */

/* Takes all n bytes; what comes after a goodbye is thrown away. */
void wspeer_feed(struct wspeer *peer, const void *bytes, size_t n);

enum wspeer_state wspeer_state(const struct wspeer *peer);

/* The other side's code (1005: a goodbye without one) once it has said goodbye; ours when it broke the protocol; else 1006. */
int wspeer_code(const struct wspeer *peer);

bool wspeer_broken(const struct wspeer *peer); /* the other side broke the protocol: the code is ours */

/* The reason that came with the other side's goodbye; "" without. */
const char *wspeer_reason(const struct wspeer *peer);

/* Each does nothing once a goodbye was said or heard. s must be valid UTF-8. */
void wspeer_text(struct wspeer *peer, const void *s, size_t n);
void wspeer_ping(struct wspeer *peer);
void wspeer_close(struct wspeer *peer, int code, const char *reason);

/* The head of a frame that a server sends as one piece; returns its length. Such frames may be written between others. */
size_t wspeer_text_head(unsigned char head[WSPEER_HEAD_MAX], size_t n);

/* ---- the handshake's texts */

void wspeer_add_key(struct buf *to);		  /* a fresh one */
bool wspeer_key_valid(const char *key, size_t n); /* base64 of 16 bytes */
void wspeer_add_accept(struct buf *to, const char *key, size_t n);

#endif
