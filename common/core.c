/* core.c - no core file of a program that holds secrets */
#include "compat.h"

#include <sys/resource.h>

#include "core.h"

/* Linux gives a core to the program that core_pattern may name whatever the limit is, 0 too, but for this one; it is too small for a file. */
#ifdef __linux__
#define NONE 1
#else
#define NONE 0
#endif

void
core_none(void)
{
	struct rlimit core;

	if (getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur != NONE) {
		core.rlim_cur = core.rlim_max < NONE ? core.rlim_max : NONE;
		(void)setrlimit(RLIMIT_CORE, &core); /* where it cannot be, it stays as it was */
	}
}
