/* library.h - a shared library that is loaded when it is first needed, so that who does not need it does not carry it */
#ifndef LIBRARY_H
#define LIBRARY_H

#include "compat.h"

struct err;

#ifdef __APPLE__
#define LIBRARY_FILE(name, version) "lib" name "." version ".dylib"
#else
#define LIBRARY_FILE(name, version) "lib" name ".so." version
#endif

/* functions: a struct of pointers, one for each name and in their order. */
struct library {
	const char *file;
	const char *const *names;
	size_t n;
	void *functions;
	bool loaded;
};

#define LIBRARY_INIT(file, names, functions)                                                                                               \
	{                                                                                                                                  \
		(file), (names), ARRAY_LEN(names), (functions), false                                                                      \
	}

/* The functions; they are looked up the first time, and the library then stays loaded. By one thread at a time. NULL: it or one of them is
 * not there; err (STATUS_CONFIG) says which. */
const void *library_get(struct library *library, struct err *err) USE_RESULT;

#endif
