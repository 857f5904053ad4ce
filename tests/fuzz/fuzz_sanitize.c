/* fuzz_sanitize.c - any text: valid stays valid, lengths agree, nothing grows without bound */
#include "compat.h"

#include <stdlib.h>

#include "chat/sanitize.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct sanitized out;
	bool valid = utf8_valid((const char *)bytes, n);

	sanitize(NULL, (const char *)bytes, n, 64, &out);
	if (valid && !utf8_valid(out.text.s, out.text.len))
		abort();
	if (out.stored_length > 64 || out.stored_length != utf8_utf16_len(out.text.s, out.text.len))
		abort();
	buf_release(&out.text);
	return 0;
}
