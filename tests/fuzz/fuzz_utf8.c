/* fuzz_utf8.c - any bytes: what is shown drives no terminal and is valid; numbers, times and lengths never crash */
#include "compat.h"

#include <stdlib.h>

#include "buf.h"
#include "clock.h"
#include "num.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *s = (const char *)bytes;
	struct buf out = BUF_INIT;
	int64_t number;
	size_t i;

	utf8_safe(&out, s, n, UTF8_SAFE_LINE);
	if (!utf8_valid(out.s, out.len))
		abort();
	for (i = 0; i < out.len; i++)
		if ((unsigned char)out.s[i] < 0x20 || out.s[i] == 0x7f)
			abort();
	if (utf8_utf16_prefix(s, n, utf8_utf16_len(s, n)) != n)
		abort();
	if (num_i64(s, n, &number) || clock_parse_iso(s, n, &number)) {
		buf_reset(&out);
		clock_add_iso(&out, number);
		if (out.len != CLOCK_ISO_LEN)
			abort();
	}
	buf_release(&out);
	return 0;
}
