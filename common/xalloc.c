/* xalloc.c - the only place that calls malloc
 *
 * Out of memory has one answer in every program: say so in one write and abort, so that a supervisor sees it.
 */
#include "compat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "status.h"
#include "xalloc.h"

#define SMALL 1024 /* bytes */

static NORETURN void
out_of_memory(size_t size)
{
	char text[96];
	int n = snprintf(text, sizeof text, "fatal: unable to allocate %zu bytes: out of memory\n", size);

	if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
		_exit(STATUS_BUG);
	_exit(STATUS_BUG);
}

void *
xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		out_of_memory(size);
	return p;
}

/* What each thread has at hand of small blocks malloc() looks for, and glibc's calloc() did not for long. */
static void *
small_zeros(size_t size)
{
	void *p = xmalloc(size);

	return memset(p, 0, size);
}

void *
xcalloc(size_t n, size_t size)
{
	void *p;

	if (n < SMALL && size < SMALL && n * size < SMALL)
		return small_zeros(n * size);
	p = calloc(n ? n : 1, size ? size : 1);
	if (!p)
		out_of_memory(n * size);
	return p;
}

void *
xrealloc(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);

	if (!p)
		out_of_memory(size);
	return p;
}

void *
xgrow(void *items, size_t n, size_t size)
{
	return n & (n - 1) ? items : xrealloc(items, (n ? 2 * n : 1) * size);
}

char *
xmemdup0(const void *s, size_t n)
{
	char *p = xmalloc(n + 1);

	if (n)
		memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

char *
xstrdup(const char *s)
{
	return xmemdup0(s, strlen(s));
}
