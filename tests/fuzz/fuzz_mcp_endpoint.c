/* fuzz_mcp_endpoint.c - what a server says of where to post never leads elsewhere */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mcp/endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char stream[] = "http://h.example:1/a/sse?k", origin[] = "http://h.example:1";
	struct buf to = BUF_INIT;
	size_t i;

	if (mcp_endpoint(stream, (const char *)data, size, &to)) {
		if (to.len > MCP_ENDPOINT_MAX || to.len < sizeof origin - 1 || strncasecmp(to.s, origin, sizeof origin - 1) != 0)
			abort();
		if (to.len > sizeof origin - 1 && !strchr("/?#", to.s[sizeof origin - 1]))
			abort();
		for (i = 0; i < to.len; i++)
			if (to.s[i] < '!' || to.s[i] > '~')
				abort();
	} else if (to.len)
		abort();
	buf_release(&to);
	return 0;
}
