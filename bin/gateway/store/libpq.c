/* libpq.c - libpq, loaded when a store is named that needs it */
#include "compat.h"

#include "err.h"
#include "library.h"
#include "store/libpq.h"

#ifdef __APPLE__
#define LIBPQ_FILE "libpq.5.dylib"
#else
#define LIBPQ_FILE "libpq.so.5"
#endif

const struct libpq *
libpq_load(struct err *err)
{
	static const char *const names[] = {
#define LIBPQ_NAME(name) "PQ" #name,
		LIBPQ_FUNCTIONS(LIBPQ_NAME)
#undef LIBPQ_NAME
	};
	static struct libpq lib;
	static bool loaded;

	_Static_assert(sizeof lib == ARRAY_LEN(names) * sizeof(void *), "a name for each function");
	if (!loaded)
		loaded = library_load(LIBPQ_FILE, names, ARRAY_LEN(names), &lib, err);
	return loaded ? &lib : NULL;
}
