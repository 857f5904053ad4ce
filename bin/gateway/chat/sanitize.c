/* sanitize.c - what people type, as it is kept */
#include "compat.h"

#include <string.h>

#include "blank.h"
#include "chat/sanitize.h"
#include "secrets.h"
#include "utf8.h"

void
sanitize(const struct secrets *secrets, const char *s, size_t n, size_t max_units, struct sanitized *ret)
{
	memset(ret, 0, sizeof *ret);
	buf_init(&ret->text);
	blank_trim(&s, &n, BLANK_JS);
	ret->original_length = utf8_utf16_len(s, n);
	ret->redacted = secrets_text(secrets, s, n, &ret->text);
	ret->stored_length = utf8_utf16_len(ret->text.s, ret->text.len);
	if (ret->stored_length > max_units) {
		buf_cut(&ret->text, utf8_utf16_prefix(ret->text.s, ret->text.len, max_units));
		ret->stored_length = utf8_utf16_len(ret->text.s, ret->text.len);
		ret->truncated = true;
	}
}
