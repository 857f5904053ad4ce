/* libjq.c - libjq, loaded when a filter is asked for */
#include "compat.h"

#include "err.h"
#include "library.h"
#include "libjq.h"

const struct libjq *
libjq_load(struct err *err)
{
	static const char *const names[] = {
#define LIBJQ_NAME(name) #name,
		LIBJQ_FUNCTIONS(LIBJQ_NAME)
#undef LIBJQ_NAME
	};
	static struct libjq lib;
	static struct library library = LIBRARY_INIT(LIBRARY_FILE("jq", "1"), names, &lib);

	_Static_assert(sizeof lib == ARRAY_LEN(names) * sizeof(void *), "a name for each function");
	return library_get(&library, err);
}
