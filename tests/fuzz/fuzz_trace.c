/* fuzz_trace.c - trace contexts: what is passed on can stand in a header and in a log */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1); /* no byte behind its end */
	bool parent, state;
	size_t i;

	if (!copy)
		abort();
	memcpy(copy, data, size);
	parent = trace_parent_good(copy, size);
	state = trace_state_good(copy, size);
	if ((parent && size > TRACE_PARENT_MAX) || (state && size > TRACE_STATE_MAX))
		abort();
	for (i = 0; (parent || state) && i < size; i++)
		if (copy[i] < ' ' || copy[i] > '~' || (parent && copy[i] == ' '))
			abort();
	free(copy);
	return 0;
}
