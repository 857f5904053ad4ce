/* fuzz_secrets.c - any text, with any rules before its first NUL: valid stays valid, documents stay documents, and done twice nothing more
 * changes */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "secrets.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
texts(const struct secrets *secrets, const char *s, size_t n)
{
	struct buf out = BUF_INIT;
	bool changed = secrets_text(secrets, s, n, &out);

	if (utf8_valid(s, n) && !utf8_valid(out.s, out.len))
		abort();
	if (changed != (out.len != n || memcmp(out.s, s, n) != 0))
		abort();
	buf_release(&out);
}

static void
documents(const struct secrets *secrets, const char *s, size_t n)
{
	struct buf out = BUF_INIT;
	struct span value, checked;

	if (!jtext_check(s, n, false, &value, NULL))
		return;
	if (!secrets_json(secrets, value, &out) && (out.len != value.n || memcmp(out.s, value.s, value.n) != 0))
		abort();
	if (!jtext_check(out.s, out.len, false, &checked, NULL))
		abort();
	buf_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *s = (const char *)bytes, *nul = n ? memchr(s, '\0', n) : NULL;
	size_t head = nul ? (size_t)(nul - s) : 0;
	struct secrets *secrets = nul ? secrets_parse(s, head, NULL) : NULL;

	if (nul)
		head++;
	texts(secrets, s + head, n - head);
	documents(secrets, s + head, n - head);
	secrets_free(secrets);
	return 0;
}
