/* fuzz_jsplit.c - any bytes, cut in two: never a crash, and every item is JSON */
#include "compat.h"

#include <stdlib.h>

#include "err.h"
#include "jsplit.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static bool
check_item(const char *json, size_t n, void *payload)
{
	struct span value;

	(void)payload;
	if (!jtext_check(json, n, false, &value, NULL))
		abort();
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct jsplit *split = jsplit_new("items", 4096, check_item, NULL);
	size_t cut = n ? bytes[0] % n : 0;
	struct span value;
	struct err err;

	if (jsplit_feed(split, (const char *)bytes, cut, &err) && jsplit_feed(split, (const char *)bytes + cut, n - cut, &err) &&
	    jsplit_end(split, &err))
		if (!jtext_check(jsplit_rest(split).s, jsplit_rest(split).n, false, &value, NULL))
			abort();
	jsplit_free(split);
	return 0;
}
