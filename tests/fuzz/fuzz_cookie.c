/* fuzz_cookie.c - files with a cookie: what is found can stand in a header */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "cookie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf found = BUF_INIT;
	size_t i;

	if (cookie_find((const char *)data, size, &found)) {
		if (strncmp(found.s, COOKIE_NAME "=", sizeof COOKIE_NAME) != 0 || found.len == sizeof COOKIE_NAME)
			abort();
		for (i = 0; i < found.len; i++)
			if (found.s[i] <= ' ' || found.s[i] >= 0x7f || found.s[i] == ';')
				abort();
	} else if (found.len)
		abort();
	buf_release(&found);
	return 0;
}
