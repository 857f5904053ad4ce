/* fuzz_jtext.c - any bytes: what is taken as JSON can be walked, and laid out again as the same JSON */
#include "compat.h"

#include <stdlib.h>

#include "buf.h"
#include "jtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
walk(struct span value, unsigned depth)
{
	struct span key, item;
	struct buf text = BUF_INIT;
	size_t pos = 0;
	int64_t number;

	jtext_string(value, &text);
	jtext_i64(value, &number);
	while (depth && jtext_each(value, &pos, &key, &item))
		walk(item, depth - 1);
	buf_release(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct buf compact = BUF_INIT, pretty = BUF_INIT, back = BUF_INIT;
	struct span value, again;

	jtext_quote(&pretty, (const char *)bytes, n);
	if (!jtext_check(pretty.s, pretty.len, true, &again, NULL))
		abort();
	buf_reset(&pretty);
	if (jtext_check((const char *)bytes, n, false, &value, NULL)) {
		walk(value, 300);
		jtext_compact(&compact, value);
		jtext_pretty(&pretty, value, 0);
		if (!jtext_check(pretty.s, pretty.len, false, &again, NULL))
			abort();
		jtext_compact(&back, again);
		if (back.len != compact.len || memcmp(back.s, compact.s, back.len))
			abort();
	}
	buf_release(&compact);
	buf_release(&pretty);
	buf_release(&back);
	return 0;
}
