/* sanitize.c - what people type, as it is kept */
#include "compat.h"

#include <string.h>

#include "chat/sanitize.h"
#include "secrets.h"
#include "utf8.h"

/* Bytes of the blank (as \s has it) at s, 0 when there is none. */
static size_t
blank_at(const char *s, size_t n)
{
	size_t len;
	uint32_t c;

	if (!n)
		return 0;
	c = utf8_next(s, n, &len);
	if (c == ' ' || (c >= 0x09 && c <= 0x0d) || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
	    c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000 || c == 0xfeff)
		return len;
	return 0;
}

static size_t
skip_blanks(const char *s, size_t n, size_t i)
{
	size_t len;

	while ((len = blank_at(s + i, n - i)))
		i += len;
	return i;
}

void
sanitize_trim(const char **s, size_t *n)
{
	size_t start = skip_blanks(*s, *n, 0), end = *n, i;

	*s += start;
	end -= start;
	/* back over blanks: a character begins at most three bytes before its last one */
	for (i = end; i;) {
		size_t back = 1;

		while (back < 3 && back < i && ((unsigned char)(*s)[i - back] & 0xc0) == 0x80)
			back++;
		if (blank_at(*s + i - back, back) != back)
			break;
		i -= back;
	}
	*n = i;
}

void
sanitize(const struct secrets *secrets, const char *s, size_t n, size_t max_units, struct sanitized *ret)
{
	memset(ret, 0, sizeof *ret);
	buf_init(&ret->text);
	sanitize_trim(&s, &n);
	ret->original_length = utf8_utf16_len(s, n);
	ret->redacted = secrets_text(secrets, s, n, &ret->text);
	ret->stored_length = utf8_utf16_len(ret->text.s, ret->text.len);
	if (ret->stored_length > max_units) {
		buf_cut(&ret->text, utf8_utf16_prefix(ret->text.s, ret->text.len, max_units));
		ret->stored_length = utf8_utf16_len(ret->text.s, ret->text.len);
		ret->truncated = true;
	}
}
