/* fuzz_trouble.c - a runtime's words about what went wrong */
#include "compat.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "buf.h"
#include "trouble.h"
#include "usage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct buf text = BUF_INIT;
	struct usage_meter meter = { 0 };
	struct usage spent;
	struct span whole;
	int64_t now = INT64_C(1795259654000), at;

	buf_add(&text, (const char *)data, n);
	at = trouble_retry_at(text.s, now);
	if (at && (at < now || at > now + INT64_C(367) * 24 * 3600 * 1000))
		abort();
	(void)trouble_of_turn(text.s, text.s, 0);
	(void)trouble_of_refusal(text.s);
	(void)trouble_of_start(1, text.s);
	(void)trouble_is_older(text.s, "0.105.0");
	if (jtext_check(text.s, text.len, true, &whole, NULL)) {
		if (trouble_reset_at(whole) < 0)
			abort();
		usage_take(&meter, whole, n % 2);
		if (usage_spent(&meter, &spent) && (spent.input < 0 || spent.output < 0))
			abort();
	}
	buf_release(&text);
	return 0;
}
