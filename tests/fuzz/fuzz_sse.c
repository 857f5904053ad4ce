/* fuzz_sse.c - any bytes, cut in two, give the same events as in one piece */
#include "compat.h"

#include <stdlib.h>

#include "buf.h"
#include "err.h"
#include "sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static bool
on_event(const struct sse_event *event, void *payload)
{
	buf_add(payload, event->data, event->data_len);
	buf_addstr(payload, event->id);
	buf_addstr(payload, event->type);
	return true;
}

static void
feed(const char *bytes, size_t n, size_t cut, struct buf *out)
{
	struct sse *sse = sse_new(on_event, NULL, out);
	struct err err;

	if (sse_feed(sse, bytes, cut, &err) && !sse_feed(sse, bytes + cut, n - cut, &err))
		abort(); /* nothing this short is too long */
	sse_free(sse);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct buf whole = BUF_INIT, cut = BUF_INIT;

	feed((const char *)bytes, n, 0, &whole);
	feed((const char *)bytes, n, n ? bytes[0] % n : 0, &cut);
	if (whole.len != cut.len || memcmp(whole.s, cut.s, whole.len))
		abort();
	buf_release(&whole);
	buf_release(&cut);
	return 0;
}
