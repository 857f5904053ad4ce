/* fuzz_typed.c - any bytes from a terminal: the pieces in which they come change nothing, and a paste holds no command */
#include "compat.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "column.h"
#include "typed.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static size_t
take(struct typed *typed, struct buf *to)
{
	uint32_t c;
	size_t count = 0;

	for (; typed_take(typed, &c); count++) {
		if (typed->pasting && (c < 0x20 || c == 0x7f) && c != '\n' && c != '\r' && c != '\t')
			abort();
		utf8_add(to, c);
	}
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct typed whole = TYPED_INIT, pieces = TYPED_INIT;
	struct buf want = BUF_INIT, got = BUF_INIT;
	struct column column = { 0, false };
	size_t i, step = n ? 1 + bytes[0] % 29 : 1;

	buf_add(&whole.bytes, (const char *)bytes, n);
	if (take(&whole, &want) > n)
		abort();
	for (i = 0; i < n; i += step) {
		buf_add(&pieces.bytes, (const char *)bytes + i, n - i < step ? n - i : step);
		(void)take(&pieces, &got);
	}
	if (got.len != want.len || memcmp(got.s, want.s, want.len) != 0 || pieces.bytes.len != whole.bytes.len || whole.bytes.len > 5)
		abort();
	column_follow(&column, want.s, want.len, 80);
	if (column.at > 8 * want.len + 1)
		abort();
	typed_release(&whole);
	typed_release(&pieces);
	buf_release(&want);
	buf_release(&got);
	return 0;
}
