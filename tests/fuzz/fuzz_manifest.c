/* fuzz_manifest.c - any bytes as a manifest; one that is taken can be shown as JSON */
#include "compat.h"

#include <stdlib.h>

#include "agents/agents.h"
#include "err.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct agent *agent = NULL;
	struct buf item = BUF_INIT;
	struct span value;
	struct err err;

	if (agent_parse((const char *)bytes, n, "/d/f.json", &agent, &err)) {
		agent_item(agent, 1000, &item);
		if (!jtext_check(item.s, item.len, true, &value, NULL))
			abort();
		agent_unref(agent);
	}
	buf_release(&item);
	return 0;
}
