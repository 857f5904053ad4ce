/* typed.c - what a terminal sends, as characters */
#include "compat.h"

#include <string.h>

#include "typed.h"
#include "utf8.h"

#define PASTE_BEGINS "\033[200~"
#define PASTE_ENDS "\033[201~"

static bool
takes(struct typed *typed, const char *what)
{
	size_t n = strlen(what);

	if (typed->bytes.len < n || memcmp(typed->bytes.s, what, n) != 0)
		return false;
	buf_consume(&typed->bytes, n);
	return true;
}

/* Is what there is only the beginning of that? */
static bool
begins(const struct buf *bytes, const char *what)
{
	return bytes->len < strlen(what) && !memcmp(bytes->s, what, bytes->len);
}

/* Is what there is only the beginning of a character, or of a bracket? */
static bool
is_cut(const struct typed *typed)
{
	const struct buf *bytes = &typed->bytes;
	unsigned char c = (unsigned char)bytes->s[0];
	size_t need = c >= 0xf0 && c <= 0xf4 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 1, i;

	if (begins(bytes, PASTE_BEGINS) || begins(bytes, PASTE_ENDS))
		return true;
	if (c > 0xf4 || bytes->len >= need)
		return false;
	for (i = 1; i < bytes->len; i++)
		if (((unsigned char)bytes->s[i] & 0xc0) != 0x80)
			return false;
	return true;
}

static bool
is_text(uint32_t c)
{
	return (c >= 0x20 && c != 0x7f) || c == '\n' || c == '\r' || c == '\t';
}

bool
typed_take(struct typed *typed, uint32_t *ret)
{
	bool after_cr;
	size_t len;

	for (;;) {
		if (takes(typed, PASTE_BEGINS)) {
			typed->pasting = true;
			continue;
		}
		if (takes(typed, PASTE_ENDS)) {
			typed->pasting = false;
			continue;
		}
		if (!typed->bytes.len || is_cut(typed))
			return false;
		*ret = utf8_next(typed->bytes.s, typed->bytes.len, &len);
		buf_consume(&typed->bytes, len);
		if (*ret == UTF8_INVALID)
			*ret = 0xfffd;
		after_cr = typed->after_cr;
		typed->after_cr = *ret == '\r';
		if (typed->pasting && ((*ret == '\n' && after_cr) || !is_text(*ret)))
			continue;
		return true;
	}
}

void
typed_release(struct typed *typed)
{
	buf_release(&typed->bytes);
}
