/* library.c - a shared library that is loaded when it is first needed */
#include "compat.h"

#include <dlfcn.h>
#include <string.h>

#include "err.h"
#include "library.h"
#include "status.h"

bool
library_load(const char *file, const char *const names[], size_t n, void *functions, struct err *err)
{
	void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL), *at;
	size_t i;

	if (!handle)
		return err_set(err, STATUS_CONFIG, "unable to load a library: %s", dlerror());
	for (i = 0; i < n; i++)
		if (!dlsym(handle, names[i])) {
			dlclose(handle);
			return err_set(err, STATUS_CONFIG, "unable to load '%s': it has no %s", file, names[i]);
		}
	for (i = 0; i < n; i++) {
		at = dlsym(handle, names[i]);
		memcpy((char *)functions + i * sizeof at, &at, sizeof at);
	}
	return true;
}
