/* redact.c - foreign text without what must not leave here */
#include "compat.h"

#include <string.h>

#include "runtime/redact.h"
#include "utf8.h"

static size_t
secret_at(const char *s, size_t n, const char *const *secrets)
{
	size_t longest = 0;

	for (; *secrets; secrets++) {
		size_t len = strlen(*secrets);

		if (len >= REDACT_SHORTEST && len > longest && len <= n && !memcmp(s, *secrets, len))
			longest = len;
	}
	return longest;
}

void
redact_add(struct buf *to, const char *s, size_t n, size_t max, const char *const *secrets)
{
	struct buf text = BUF_INIT, good = BUF_INIT;
	size_t i, len;

	for (i = 0; i < n; i += len) {
		len = secret_at(s + i, n - i, secrets);
		if (len)
			buf_addstr(&text, "[REDACTED]");
		else
			buf_add(&text, s + i, len = 1);
	}
	(void)utf8_repair(&good, text.s, text.len);
	buf_add(to, good.s, utf8_utf16_prefix(good.s, good.len, max));
	buf_release(&text);
	buf_release(&good);
}
