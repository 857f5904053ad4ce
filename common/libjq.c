/* libjq.c - libjq, loaded when a filter is asked for */
#include "compat.h"

#include "err.h"
#include "library.h"
#include "libjq.h"

#ifdef __APPLE__
#define LIBJQ_FILE "libjq.1.dylib"
#else
#define LIBJQ_FILE "libjq.so.1"
#endif

const struct libjq *
libjq_load(struct err *err)
{
	static const char *const names[] = {
#define LIBJQ_NAME(name) #name,
		LIBJQ_FUNCTIONS(LIBJQ_NAME)
#undef LIBJQ_NAME
	};
	static struct libjq lib;
	static bool loaded;

	_Static_assert(sizeof lib == ARRAY_LEN(names) * sizeof(void *), "a name for each function");
	if (!loaded)
		loaded = library_load(LIBJQ_FILE, names, ARRAY_LEN(names), &lib, err);
	return loaded ? &lib : NULL;
}
