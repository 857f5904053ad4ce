/* libpq.c - libpq, loaded when a store is named that needs it */
#include "compat.h"

#include "err.h"
#include "library.h"
#include "store/libpq.h"

const struct libpq *
libpq_load(struct err *err)
{
	static const char *const names[] = {
#define LIBPQ_NAME(name) "PQ" #name,
		LIBPQ_FUNCTIONS(LIBPQ_NAME)
#undef LIBPQ_NAME
	};
	static struct libpq lib;
	static struct library library = LIBRARY_INIT(LIBRARY_FILE("pq", "5"), names, &lib);

	_Static_assert(sizeof lib == ARRAY_LEN(names) * sizeof(void *), "a name for each function");
	return library_get(&library, err);
}
