/* fuzz_inflate.c - any bytes as a compressed body: never a crash, never more than the limit, nothing when it is broken */
#include "compat.h"

#include <stdlib.h>

#include "buf.h"
#include "http/inflate.h"

#define MAX 5000

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const char *const codings[] = { "gzip", "deflate", "br" };
	struct buf to = BUF_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(codings); i++) {
		buf_reset(&to);
		if (inflate_body(codings[i], (struct span){ (const char *)bytes, n }, MAX, &to) == REQUEST_INFLATED ? to.len > MAX
														    : to.len > 0)
			abort();
		if (to.s[to.len])
			abort();
	}
	buf_release(&to);
	return 0;
}
