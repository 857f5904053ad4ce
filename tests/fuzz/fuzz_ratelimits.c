/* fuzz_ratelimits.c - any result of a runtime: what comes out has the contract's members, and once through again it stays as it is */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "ratelimits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf once = BUF_INIT, twice = BUF_INIT;
	struct span value, limits;

	if (!jtext_check((const char *)data, size, true, &value, NULL))
		return 0;
	ratelimits_add(&once, value);
	if (!jtext_check(once.s, once.len, true, &value, NULL) || !jtext_get(value, "rateLimits", &limits) ||
	    (jtext_type(limits) != JTEXT_NULL && jtext_type(limits) != JTEXT_OBJECT) || !jtext_get(value, "rateLimitsByLimitId", &limits) ||
	    (jtext_type(limits) != JTEXT_NULL && jtext_type(limits) != JTEXT_OBJECT))
		abort();
	ratelimits_add(&twice, value);
	if (once.len != twice.len || memcmp(once.s, twice.s, once.len) != 0)
		abort();
	buf_release(&once);
	buf_release(&twice);
	return 0;
}
