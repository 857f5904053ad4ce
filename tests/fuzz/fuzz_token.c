/* fuzz_token.c - any bytes as a file of tokens: never a crash, and what is taken is written so that it is taken again */
#include "compat.h"

#include <stdlib.h>

#include "buf.h"
#include "err.h"
#include "token.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct tokens tokens = TOKENS_INIT, again = TOKENS_INIT;
	struct buf text = BUF_INIT, second = BUF_INIT;
	struct err err = ERR_INIT;
	struct span id;
	size_t i;

	token_looks((const char *)bytes, n, &id);
	if (tokens_parse(&tokens, (const char *)bytes, n, &err)) {
		for (i = 0; i < tokens.n; i++) {
			buf_addch(&text, '{');
			token_add_members(&tokens.items[i], true, &text);
			buf_addstr(&text, "}\n");
		}
		if (!tokens_parse(&again, text.s, text.len, &err) || again.n != tokens.n)
			abort();
		for (i = 0; i < again.n; i++)
			token_add_members(&again.items[i], false, &second);
	}
	tokens_release(&tokens);
	tokens_release(&again);
	buf_release(&text);
	buf_release(&second);
	return 0;
}
