/* fuzz_words.c - any event of a thread, in a run's words: the first line is the method, the rest the payload */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "clarity/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *s = (const char *)bytes, *end = n ? memchr(s, '\n', n) : NULL;
	struct entry event = { .seq = 1, .thread = true, .stream = { "t", 1 }, .turn = { "u", 1 } };
	struct words words;
	struct span data;
	size_t i;

	if (!end)
		return 0;
	event.kind = (struct span){ s, (size_t)(end - s) };
	for (i = 0; i < event.kind.n; i++)
		if (s[i] < ' ' || s[i] > '~')
			return 0; /* a method is text: the store has made sure of it */
	end++;
	if (!jtext_check(end, n - (size_t)(end - s), true, &event.data, NULL) || jtext_type(event.data) != JTEXT_OBJECT)
		return 0;
	words_of_thread(&event, &words);
	if (strncmp(words.kind, "agent.", 6) != 0 || !jtext_check(words.data.s, words.data.len, true, &data, NULL) ||
	    jtext_type(data) != JTEXT_OBJECT)
		abort();
	words_release(&words);
	return 0;
}
