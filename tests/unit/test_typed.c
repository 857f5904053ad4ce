/* test_typed.c - what a terminal sends, whole and in pieces */
#include "compat.h"

#include <stdlib.h>

#include "tap.h"
#include "typed.h"
#include "utf8.h"

/* The characters of the bytes, given `step` at a time, as UTF-8; what is left over is said as "+N". */
static void
take(const char *bytes, size_t n, size_t step, struct buf *to)
{
	struct typed typed = TYPED_INIT;
	uint32_t c;
	size_t i, k;

	for (i = 0; i < n; i += k) {
		k = n - i < step ? n - i : step;
		buf_add(&typed.bytes, bytes + i, k);
		while (typed_take(&typed, &c))
			utf8_add(to, c);
	}
	if (typed.bytes.len)
		buf_addf(to, "+%zu", typed.bytes.len);
	typed_release(&typed);
}

static void
is_taken(const char *bytes, size_t n, const char *want, const char *what)
{
	size_t step;

	for (step = 1; step <= n; step++) {
		struct buf got = BUF_INIT;

		take(bytes, n, step, &got);
		if (strcmp(got.s, want) != 0) {
			is_str(got.s, want, what);
			buf_release(&got);
			return;
		}
		buf_release(&got);
	}
	ok(true, "%s, in pieces of every size", what);
}

#define TAKEN(bytes, want, what) is_taken(bytes, sizeof(bytes) - 1, want, what)

int
main(void)
{
	TAKEN("abc\n", "abc\n", "plain keys");
	TAKEN("h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "characters of two, three and four bytes");
	TAKEN("a\xe2\x82", "a+2", "half a character is waited for");
	TAKEN("\xe2(\xff", "\xef\xbf\xbd(\xef\xbf\xbd", "bytes that are no character");
	TAKEN("\033x", "\033x", "ESC and a key are two");
	TAKEN("\033", "+1", "ESC alone may be the beginning of a bracket");
	TAKEN("\033[A\033[3~", "\033[A\033[3~", "keys of the editor come through");
	TAKEN("\033[2~", "\033[2~", "also one that begins as the bracket does");
	TAKEN("\033[200~one\r\ntwo\rthree\n\033[201~.", "one\rtwo\rthree\n.", "pasted lines end once each");
	TAKEN("\033[200~a\x03\x1b[A\x7f\tb\033[201~\x03", "a[A\tb\x03", "what is pasted is text and no command");
	TAKEN("\033[200~a\033[200~b\033[201~c", "abc", "brackets are never text");
	TAKEN("\033[200~a\033[201", "a+5", "half a bracket is waited for");
	TAKEN("a\r\nb", "a\r\nb", "typed, CR LF are two keys");
	return done();
}
