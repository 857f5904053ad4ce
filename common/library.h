/* library.h - a shared library that is loaded when it is first needed, so that who does not need it does not carry it */
#ifndef LIBRARY_H
#define LIBRARY_H

#include "compat.h"

struct err;

/* functions: n pointers, one after another, that are set to the functions of these names. The library stays loaded. False: it or one of
 * them is not there; err (STATUS_CONFIG) says which, and nothing is set. */
bool library_load(const char *file, const char *const names[], size_t n, void *functions, struct err *err) USE_RESULT;

#endif
