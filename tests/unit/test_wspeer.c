/* test_wspeer.c - WebSocket frames: what is taken, what is answered, and what ends the talk with which code */
#include "compat.h"

#include <stdlib.h>

#include "base64.h"
#include "buf.h"
#include "sha1.h"
#include "tap.h"
#include "wspeer.h"
#include "xalloc.h"

#define MESSAGE_MAX 200

struct seen {
	struct buf messages, output;
	struct wspeer *peer;
	int answer_close; /* the code with which a message is answered; 0: not */
};

static void
on_message(bool text, struct span message, void *payload)
{
	struct seen *seen = payload;

	buf_addf(&seen->messages, "%s:%.*s;", text ? "t" : "b", (int)message.n, message.s);
	if (seen->answer_close)
		wspeer_close(seen->peer, seen->answer_close, "enough");
}

static void
on_output(const void *bytes, size_t n, void *payload)
{
	struct seen *seen = payload;

	buf_add(&seen->output, bytes, n);
}

static const struct wspeer_events events = { .message = on_message, .output = on_output };

static void
begin(struct seen *seen, enum wspeer_role role)
{
	*seen = (struct seen){ .messages = BUF_INIT, .output = BUF_INIT };
	seen->peer = wspeer_new(role, MESSAGE_MAX, &events, seen);
}

static void
end(struct seen *seen)
{
	wspeer_free(seen->peer);
	buf_release(&seen->messages);
	buf_release(&seen->output);
}

/* A frame as a client sends it, with a mask of "abcd". */
static void
add_frame(struct buf *to, unsigned first, const void *bytes, size_t n)
{
	static const char mask[] = "abcd";
	size_t i;

	buf_addch(to, (char)first);
	if (n < 126)
		buf_addch(to, (char)(0x80 | n));
	else {
		buf_addch(to, (char)(0x80 | 126));
		buf_addch(to, (char)(n >> 8));
		buf_addch(to, (char)(n & 255));
	}
	buf_add(to, mask, 4);
	for (i = 0; i < n; i++)
		buf_addch(to, (char)(((const char *)bytes)[i] ^ mask[i & 3]));
}

/* What a server that is given these bytes sends back, and in which state and with which code it is then. */
static void
server_says(const void *bytes, size_t n, const void *want, size_t want_n, enum wspeer_state state, int code, const char *name)
{
	struct seen seen;

	begin(&seen, WSPEER_SERVER);
	wspeer_feed(seen.peer, bytes, n);
	is_bytes(seen.output.s, seen.output.len, want, want_n, name);
	ok(wspeer_state(seen.peer) == state && wspeer_code(seen.peer) == code, "%s: state %d, code %d", name, (int)wspeer_state(seen.peer),
	    wspeer_code(seen.peer));
	end(&seen);
}

static void
frame_says(
    unsigned first, const void *bytes, size_t n, const void *want, size_t want_n, enum wspeer_state state, int code, const char *name)
{
	struct buf frame = BUF_INIT;

	add_frame(&frame, first, bytes, n);
	server_says(frame.s, frame.len, want, want_n, state, code, name);
	buf_release(&frame);
}

static void
test_pieces(void)
{
	struct buf bytes = BUF_INIT;
	struct seen seen;
	bool same = true;
	size_t cut;

	add_frame(&bytes, 0x01, "he", 2);
	add_frame(&bytes, 0x89, "p", 1);
	add_frame(&bytes, 0x00, "ll", 2);
	add_frame(&bytes, 0x80, "o", 1);
	add_frame(&bytes, 0x82, "\xff", 1);
	for (cut = 0; cut <= bytes.len && same; cut++) {
		begin(&seen, WSPEER_SERVER);
		wspeer_feed(seen.peer, bytes.s, cut);
		wspeer_feed(seen.peer, bytes.s + cut, bytes.len - cut);
		same = !strcmp(seen.messages.s, "t:hello;b:\xff;") && seen.output.len == 3 && !memcmp(seen.output.s, "\x8a\x01p", 3);
		end(&seen);
	}
	ok(same, "fragments make one message however the bytes are cut, and a ping between them is answered");
	buf_release(&bytes);
}

static void
test_limits(void)
{
	static const char too_big[] = "\x88\x02\x03\xf1";
	struct buf bytes = BUF_INIT, text = BUF_INIT;
	struct seen seen;
	int i;

	while (text.len < MESSAGE_MAX + 1)
		buf_addch(&text, 'x');
	frame_says(0x81, text.s, MESSAGE_MAX, "", 0, WSPEER_OPEN, 1006, "a message of the largest size is taken");
	frame_says(0x81, text.s, MESSAGE_MAX + 1, too_big, 4, WSPEER_CLOSED, 1009, "one byte more is too big");
	add_frame(&bytes, 0x01, text.s, MESSAGE_MAX);
	add_frame(&bytes, 0x80, "x", 1);
	server_says(bytes.s, bytes.len, too_big, 4, WSPEER_CLOSED, 1009, "in two fragments too");
	buf_reset(&bytes);
	add_frame(&bytes, 0x01, "", 0);
	for (i = 2; i < WSPEER_FRAGMENTS_MAX; i++)
		add_frame(&bytes, 0x00, "", 0);
	begin(&seen, WSPEER_SERVER);
	wspeer_feed(seen.peer, bytes.s, bytes.len);
	buf_reset(&bytes);
	add_frame(&bytes, 0x80, "y", 1);
	wspeer_feed(seen.peer, bytes.s, bytes.len);
	is_buf(&seen.messages, "t:y;", "as many fragments as may be");
	end(&seen);
	buf_reset(&bytes);
	add_frame(&bytes, 0x01, "", 0);
	for (i = 1; i <= WSPEER_FRAGMENTS_MAX; i++)
		add_frame(&bytes, 0x00, "", 0);
	server_says(bytes.s, bytes.len, too_big, 4, WSPEER_CLOSED, 1009, "one more is too many");
	buf_release(&bytes);
	buf_release(&text);
}

/* A server that hears nothing: what it says, its state and its code after a message of these bytes, however they are cut. */
static void
deaf_says(unsigned first, const char *bytes, size_t n, enum wspeer_state state, int code, const char *name)
{
	static const struct wspeer_events deaf = { .output = on_output };
	struct buf frame = BUF_INIT;
	bool same = true;
	struct seen seen;
	size_t cut;

	add_frame(&frame, first, bytes, n);
	for (cut = 0; cut <= frame.len && same; cut++) {
		seen = (struct seen){ .messages = BUF_INIT, .output = BUF_INIT };
		seen.peer = wspeer_new(WSPEER_SERVER, MESSAGE_MAX, &deaf, &seen);
		wspeer_feed(seen.peer, frame.s, cut);
		wspeer_feed(seen.peer, frame.s + cut, frame.len - cut);
		same = wspeer_state(seen.peer) == state && wspeer_code(seen.peer) == code && seen.output.len == (state ? 4 : 0);
		end(&seen);
	}
	ok(same, "unheard: %s", name);
	buf_release(&frame);
}

static void
test_deaf(void)
{
	static const struct wspeer_events deaf = { .output = on_output };
	char text[MESSAGE_MAX + 2] = "";
	struct buf bytes = BUF_INIT;
	struct seen seen = { .messages = BUF_INIT, .output = BUF_INIT };
	size_t i;

	for (i = 0; i + 3 <= MESSAGE_MAX; i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	memcpy(text + i, "xxx", MESSAGE_MAX + 1 - i);
	deaf_says(0x81, text, MESSAGE_MAX, WSPEER_OPEN, 1006, "text of the largest size");
	deaf_says(0x81, text, MESSAGE_MAX + 1, WSPEER_CLOSED, 1009, "a byte more");
	deaf_says(0x82, text + 1, MESSAGE_MAX, WSPEER_OPEN, 1006, "a binary message need be no text");
	deaf_says(0x81, "\xf0\x9f\x98\x80\xc3\xa9z", 7, WSPEER_OPEN, 1006, "characters of all lengths");
	deaf_says(0x81, "a\xc3(", 3, WSPEER_CLOSED, 1007, "text that is not UTF-8");
	deaf_says(0x81, "a\xf0\x9f\x98", 4, WSPEER_CLOSED, 1007, "text that ends inside a character");
	deaf_says(0x81, "\xbf\xbf\xbf\xbf", 4, WSPEER_CLOSED, 1007, "text without a beginning");
	deaf_says(0x81, "\xed\xa0\x80", 3, WSPEER_CLOSED, 1007, "half a pair");
	deaf_says(0x80, "x", 1, WSPEER_CLOSED, 1002, "a continuation of nothing");

	seen.peer = wspeer_new(WSPEER_SERVER, MESSAGE_MAX, &deaf, &seen);
	add_frame(&bytes, 0x01, "\xe2", 1);
	for (i = 0; i < 2 * WSPEER_FRAGMENTS_MAX; i++)
		add_frame(&bytes, 0x00, "", 0);
	add_frame(&bytes, 0x89, "p", 1);
	add_frame(&bytes, 0x80, "\x82\xac", 2);
	add_frame(&bytes, 0x81, text, MESSAGE_MAX); /* the limit is that of one message */
	wspeer_feed(seen.peer, bytes.s, bytes.len);
	ok(wspeer_state(seen.peer) == WSPEER_OPEN && seen.output.len == 3 && !memcmp(seen.output.s, "\x8a\x01p", 3),
	    "unheard: a character in any number of fragments, and a ping between them is answered");
	buf_reset(&bytes);
	add_frame(&bytes, 0x01, text, MESSAGE_MAX);
	add_frame(&bytes, 0x80, "x", 1);
	wspeer_feed(seen.peer, bytes.s, bytes.len);
	ok(wspeer_code(seen.peer) == 1009, "unheard: the limit is that of all fragments together");
	end(&seen);
	buf_release(&bytes);
}

static void
test_wrong(void)
{
	static const char wrong[] = "\x88\x02\x03\xea", not_utf8[] = "\x88\x02\x03\xef";
	struct buf bytes = BUF_INIT;

	server_says("\x81\x02hi", 4, wrong, 4, WSPEER_CLOSED, 1002, "a frame without a mask");
	frame_says(0xc1, "hi", 2, wrong, 4, WSPEER_CLOSED, 1002, "a reserved bit");
	frame_says(0x83, "hi", 2, wrong, 4, WSPEER_CLOSED, 1002, "an unknown opcode");
	frame_says(0x8b, "", 0, wrong, 4, WSPEER_CLOSED, 1002, "an unknown control opcode");
	frame_says(0x80, "hi", 2, wrong, 4, WSPEER_CLOSED, 1002, "a continuation of nothing");
	frame_says(0x09, "p", 1, wrong, 4, WSPEER_CLOSED, 1002, "a ping in fragments");
	server_says("\x89\xfe\x00\x7e"
		    "abcd",
	    8, wrong, 4, WSPEER_CLOSED, 1002, "a ping of 126 bytes");
	server_says("\x81\xfe\x00\x02"
		    "abcd",
	    8, wrong, 4, WSPEER_CLOSED, 1002, "a length in more bytes than it needs");
	server_says("\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00"
		    "abcd",
	    14, wrong, 4, WSPEER_CLOSED, 1002, "a length with its highest bit set");
	add_frame(&bytes, 0x01, "a", 1);
	add_frame(&bytes, 0x81, "b", 1);
	server_says(bytes.s, bytes.len, wrong, 4, WSPEER_CLOSED, 1002, "a message inside a message");
	frame_says(0x81, "\xc3(", 2, not_utf8, 4, WSPEER_CLOSED, 1007, "text that is not UTF-8");
	frame_says(0x81, "\xc3", 1, not_utf8, 4, WSPEER_CLOSED, 1007, "text that ends inside a character");
	buf_release(&bytes);
}

static void
test_goodbye(void)
{
	static const char wrong[] = "\x88\x02\x03\xea";
	struct buf long_reason = BUF_INIT, bytes = BUF_INIT;
	struct seen seen;

	frame_says(0x88,
	    "\x03\xe8"
	    "bye",
	    5, "\x88\x02\x03\xe8", 4, WSPEER_CLOSED, 1000, "a goodbye is answered with its code");
	frame_says(0x88, "", 0, "\x88\x00", 2, WSPEER_CLOSED, 1005, "one without a code too");
	frame_says(0x88, "\x03", 1, wrong, 4, WSPEER_CLOSED, 1002, "a goodbye with half a code");
	frame_says(0x88, "\x03\xed", 2, wrong, 4, WSPEER_CLOSED, 1002, "a code that is never sent");
	frame_says(0x88, "\x03\xf5", 2, "\x88\x02\x03\xf5", 4, WSPEER_CLOSED, 1013, "one of the later codes");
	frame_says(0x88, "\x0f\xa0", 2, "\x88\x02\x0f\xa0", 4, WSPEER_CLOSED, 4000, "one that means what both agree on");
	frame_says(0x88, "\x03\xf7", 2, wrong, 4, WSPEER_CLOSED, 1002, "one that is only for reports");
	frame_says(0x88, "\x03\xe8\xff", 3, "\x88\x02\x03\xef", 4, WSPEER_CLOSED, 1007, "a reason that is not UTF-8");
	begin(&seen, WSPEER_SERVER);
	wspeer_close(seen.peer, 1001, "going");
	is_bytes(seen.output.s, seen.output.len, "\x88\x07\x03\xe9going", 9, "our goodbye");
	ok(wspeer_state(seen.peer) == WSPEER_CLOSING, "waits for the other one");
	wspeer_text(seen.peer, "x", 1);
	wspeer_ping(seen.peer);
	wspeer_close(seen.peer, 1000, "");
	add_frame(&bytes, 0x81, "late", 4);
	wspeer_feed(seen.peer, bytes.s, bytes.len);
	ok(seen.output.len == 9 && !seen.messages.len, "after it nothing is said, and nothing heard");
	buf_reset(&bytes);
	add_frame(&bytes, 0x88, "\x03\xe9", 2);
	wspeer_feed(seen.peer, bytes.s, bytes.len);
	ok(wspeer_state(seen.peer) == WSPEER_CLOSED && wspeer_code(seen.peer) == 1001 && seen.output.len == 9, "and both have parted");
	end(&seen);
	begin(&seen, WSPEER_SERVER);
	seen.answer_close = 1008;
	buf_reset(&bytes);
	add_frame(&bytes, 0x81, "a", 1);
	add_frame(&bytes, 0x81, "b", 1);
	wspeer_feed(seen.peer, bytes.s, bytes.len);
	is_buf(&seen.messages, "t:a;", "a goodbye from inside a message: the next one is not heard");
	end(&seen);
	while (long_reason.len < WSPEER_REASON_MAX - 1)
		buf_addch(&long_reason, 'r');
	buf_addstr(&long_reason, "\xc3\xa9");
	begin(&seen, WSPEER_SERVER);
	wspeer_close(seen.peer, 1000, long_reason.s);
	ok(seen.output.len == 4 + WSPEER_REASON_MAX - 1 && (unsigned char)seen.output.s[1] == 2 + WSPEER_REASON_MAX - 1,
	    "a reason that is too long ends before the character");
	end(&seen);
	buf_release(&long_reason);
	buf_release(&bytes);
}

/* Both sides against each other. */
static void
test_both(void)
{
	static const size_t sizes[] = { 0, 1, 125, 126, MESSAGE_MAX };
	struct seen client, server;
	struct buf text = BUF_INIT;
	unsigned char head[WSPEER_HEAD_MAX];
	bool same = true;
	size_t i;

	begin(&client, WSPEER_CLIENT);
	begin(&server, WSPEER_SERVER);
	for (i = 0; i < ARRAY_LEN(sizes); i++) {
		while (text.len < sizes[i])
			buf_addch(&text, (char)('a' + text.len % 26));
		wspeer_text(client.peer, text.s, text.len);
		wspeer_feed(server.peer, client.output.s, client.output.len);
		same = same && server.messages.len == text.len + 3 && !memcmp(server.messages.s + 2, text.s, text.len);
		wspeer_text(server.peer, text.s, text.len);
		wspeer_feed(client.peer, server.output.s, server.output.len);
		same = same && client.messages.len == text.len + 3 && !memcmp(client.messages.s + 2, text.s, text.len);
		buf_reset(&client.output);
		buf_reset(&server.output);
		buf_reset(&client.messages);
		buf_reset(&server.messages);
	}
	ok(same, "texts of all kinds of length go both ways");
	ok(wspeer_text_head(head, 65535) == 4 && head[1] == 126 && wspeer_text_head(head, 65536) == 10 && head[1] == 127 && head[7] == 1,
	    "lengths in 2 and 8 bytes");
	wspeer_ping(client.peer);
	wspeer_feed(server.peer, client.output.s, client.output.len);
	is_bytes(server.output.s, server.output.len, "\x8a\x00", 2, "a ping is answered");
	buf_reset(&client.output);
	wspeer_feed(client.peer,
	    "\x81\x82"
	    "abcd\x09\x0b",
	    8);
	ok(client.output.len == 8 && wspeer_code(client.peer) == 1002, "a server that masks is refused");
	end(&client);
	end(&server);
	begin(&client, WSPEER_CLIENT);
	wspeer_feed(client.peer, "\x81\x7e\x00\x02hi", 6);
	ok(client.output.len == 8 && !memcmp(client.output.s, "\x88\x82", 2) && (client.output.s[6] ^ client.output.s[2]) == 3 &&
		wspeer_state(client.peer) == WSPEER_CLOSED,
	    "and one that counts wrong");
	end(&client);
	buf_release(&text);
}

static void
test_handshake(void)
{
	static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
	struct buf accept = BUF_INIT, fresh = BUF_INIT;

	wspeer_add_accept(&accept, key, strlen(key));
	is_buf(&accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "the example of RFC 6455");
	ok(wspeer_key_valid(key, strlen(key)), "a key");
	ok(!wspeer_key_valid("dGhlIHNhbXBsZSBub25jZQ=", 23) && !wspeer_key_valid("", 0), "too short");
	ok(!wspeer_key_valid("dGhlIHNhbXBsZSBub25jZR==", 24), "with bits that are lost");
	ok(!wspeer_key_valid("dGhlIHNhbXBsZSBub25jZQAA", 24), "18 bytes");
	ok(!wspeer_key_valid("dGhlIHNhbX sZSBub25jZQ==", 24), "with a blank");
	wspeer_add_key(&fresh);
	ok(wspeer_key_valid(fresh.s, fresh.len), "a fresh one");
	buf_release(&accept);
	buf_release(&fresh);
}

int
main(void)
{
	test_pieces();
	test_limits();
	test_deaf();
	test_wrong();
	test_goodbye();
	test_both();
	test_handshake();
	return done();
}
