/* fuzz_wspeer.c - any bytes as frames: never a crash, messages within the limit, silence after a goodbye, the same however they are cut */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "utf8.h"
#include "wspeer.h"

#define MESSAGE_MAX 300

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

struct seen {
	struct buf messages, output;
};

static void
on_message(bool text, struct span message, void *payload)
{
	struct seen *seen = payload;

	if (message.n > MESSAGE_MAX || (text && !utf8_valid(message.s, message.n)))
		abort();
	buf_addf(&seen->messages, "%d %zu;", text, message.n);
	if (message.n)
		buf_add(&seen->messages, message.s, message.n);
}

static void
on_output(const void *bytes, size_t n, void *payload)
{
	struct seen *seen = payload;

	buf_add(&seen->output, bytes, n);
}

static void
run(enum wspeer_role role, bool hears, const uint8_t *bytes, size_t n, size_t step, struct seen *seen)
{
	static const struct wspeer_events events = { .message = on_message, .output = on_output }, deaf = { .output = on_output };
	struct wspeer *peer = wspeer_new(role, MESSAGE_MAX, hears ? &events : &deaf, seen);
	size_t at, before;

	for (at = 0; at < n; at += step)
		wspeer_feed(peer, bytes + at, n - at < step ? n - at : step);
	before = seen->output.len;
	if (wspeer_state(peer) == WSPEER_CLOSED) {
		wspeer_text(peer, "x", 1);
		wspeer_close(peer, 1000, "");
		if (seen->output.len != before || wspeer_code(peer) < 1000)
			abort();
	} else
		wspeer_close(peer, 1000, "end");
	wspeer_free(peer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct seen whole = { BUF_INIT, BUF_INIT }, cut = { BUF_INIT, BUF_INIT }, client = { BUF_INIT, BUF_INIT };

	/* who hears nothing says the same however it is cut too */
	run(WSPEER_SERVER, false, bytes, n, n ? n : 1, &whole);
	run(WSPEER_SERVER, false, bytes, n, 1, &cut);
	if (whole.messages.len || whole.output.len != cut.output.len || memcmp(whole.output.s, cut.output.s, cut.output.len))
		abort();
	buf_reset(&whole.output);
	buf_reset(&cut.output);
	run(WSPEER_SERVER, true, bytes, n, n ? n : 1, &whole);
	run(WSPEER_SERVER, true, bytes, n, 1, &cut);
	if (whole.messages.len != cut.messages.len || memcmp(whole.messages.s, cut.messages.s, cut.messages.len) ||
	    whole.output.len != cut.output.len || memcmp(whole.output.s, cut.output.s, cut.output.len))
		abort();
	run(WSPEER_CLIENT, true, bytes, n, 7, &client);
	buf_release(&whole.messages);
	buf_release(&whole.output);
	buf_release(&cut.messages);
	buf_release(&cut.output);
	buf_release(&client.messages);
	buf_release(&client.output);
	return 0;
}
