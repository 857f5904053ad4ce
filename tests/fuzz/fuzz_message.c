/* fuzz_message.c - lines of a runtime, one a line, read and looked into */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/message.h"
#include "trouble.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is sent must be JSON, whatever it was made of. */
static void
must_be_json(struct buf *text)
{
	struct span value;

	if (!jtext_check(text->s, text->len, false, &value, NULL))
		abort();
	buf_reset(text);
}

static void
feed(struct message *message, const char *s, size_t n)
{
	struct buf text = BUF_INIT, info = BUF_INIT;
	struct span value;
	enum runtime_delta delta;
	int64_t http = 0, at = 0;
	int i;

	if (!message_read(message, s, n))
		return;
	if (strlen(message->method.s) != message->method.len || jtext_type(message->params) != JTEXT_OBJECT ||
	    !utf8_valid(message->text.s, message->text.len))
		abort();
	if (message->type != MESSAGE_NOTIFICATION) {
		jtext_compact(&text, message->id);
		must_be_json(&text);
	} else if (message->number != -1)
		abort();
	message_delta(message->method.s, &delta);
	message_is_lost(message->text.s);
	for (i = RUNTIME_ACCEPT; i <= RUNTIME_CANCEL; i++)
		if (message_add_decision(&text, message_approval(message->method.s), (enum runtime_decision)i, message->params))
			must_be_json(&text);
	if (jtext_get(message->params, "error", &value))
		trouble_read(value, &text, &info, &http, &at);
	trouble_read(message->params, &text, &info, &http, &at);
	if (!utf8_valid(text.s, text.len) || !utf8_valid(info.s, info.len) || memchr(text.s, '\n', text.len) ||
	    memchr(info.s, '\n', info.len))
		abort();
	buf_reset(&text);
	message_add_sandbox(&text, message->params);
	must_be_json(&text);
	buf_release(&text);
	buf_release(&info);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data, *end = s + size, *stop;
	struct message message;

	message_init(&message);
	for (; s < end; s = stop + 1) {
		stop = memchr(s, '\n', (size_t)(end - s));
		if (!stop)
			stop = end;
		feed(&message, s, (size_t)(stop - s));
	}
	message_release(&message);
	return 0;
}
