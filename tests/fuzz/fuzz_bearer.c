/* fuzz_bearer.c - answers of identity endpoints: a token that comes out is one line's worth, and none of it is left where it is hidden */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/bearer.h"
#include "runtime/redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf token = BUF_INIT, text = BUF_INIT;
	int64_t end = 0;

	if (size && bearer_read((const char *)data + 1, size - 1, data[0] & 1, 1000, &token, &end)) {
		const char *const secrets[] = { token.s, NULL };

		if (!token.len || strpbrk(token.s, "\r\n \t") || token.len != strlen(token.s) || end <= 0)
			abort();
		redact_add(&text, (const char *)data + 1, size - 1, SIZE_MAX, secrets);
		/* what stands for it may be a part of it */
		if (token.len >= REDACT_SHORTEST && !strstr("[REDACTED]", token.s) && !strchr(token.s, '[') && !strchr(token.s, ']') &&
		    strstr(text.s, token.s))
			abort();
	}
	buf_release(&token);
	buf_release(&text);
	return 0;
}
