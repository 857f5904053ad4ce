/* fuzz_http.c - any bytes as a request head and as chunks: never a crash, all spans inside */
#include "compat.h"

#include <stdlib.h>

#include "buf.h"
#include "http/parse.h"

#define HEADERS 20

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
inside(struct span span, const char *s, size_t n)
{
	if (span.s && (span.s < s || span.s + span.n > s + n))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span names[HEADERS], values[HEADERS];
	struct parse_head head = { .names = names, .values = values, .max_headers = HEADERS };
	struct parse_chunks chunks = { 0 };
	const char *s = (const char *)bytes;
	struct buf body = BUF_INIT;
	size_t used, i;

	if (parse_head(s, n, 0, &head) == PARSE_DONE) {
		inside(head.method, s, head.size);
		inside(head.path, s, head.size);
		inside(head.query, s, head.size);
		for (i = 0; i < head.n_headers; i++) {
			inside(names[i], s, head.size);
			inside(values[i], s, head.size);
		}
		if (head.size > n || (head.chunked && head.has_length))
			abort();
	}
	if (parse_chunks(&chunks, s, n, &body, &used) == PARSE_BAD && used > n)
		abort();
	if (body.len > n)
		abort();
	buf_release(&body);
	return 0;
}
