/* core.c - no core file of a program that holds secrets */
#include "compat.h"

#include <sys/resource.h>

#include "core.h"

void
core_none(void)
{
	struct rlimit core;

	if (getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur) {
		core.rlim_cur = 0;
		(void)setrlimit(RLIMIT_CORE, &core); /* where it cannot be, it stays as it was */
	}
}
