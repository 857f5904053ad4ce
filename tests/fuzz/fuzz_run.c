/* fuzz_run.c - any bytes as the stored document of a run; one that is taken can be shown and saved */
#include "compat.h"

#include <stdlib.h>

#include "log/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct run *run = run_load((struct span){ "r", 1 }, (struct span){ (const char *)bytes, n });
	struct buf text = BUF_INIT;
	struct span value;

	if (run) {
		run_summary(run, &text);
		if (!jtext_check(text.s, text.len, true, &value, NULL))
			abort();
		run_free(run);
	}
	buf_release(&text);
	return 0;
}
