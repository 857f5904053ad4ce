/* library.c - a shared library that is loaded when it is first needed */
#include "compat.h"

#include <dlfcn.h>
#include <string.h>

#include "err.h"
#include "library.h"
#include "status.h"

const void *
library_get(struct library *library, struct err *err)
{
	void *handle, *at;
	size_t i;

	if (library->loaded)
		return library->functions;
	handle = dlopen(library->file, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		err_set(err, STATUS_CONFIG, "unable to load a library: %s", dlerror());
		return NULL;
	}
	for (i = 0; i < library->n; i++) {
		at = dlsym(handle, library->names[i]);
		if (!at) {
			dlclose(handle);
			err_set(err, STATUS_CONFIG, "unable to load '%s': it has no %s", library->file, library->names[i]);
			return NULL;
		}
		memcpy((char *)library->functions + i * sizeof at, &at, sizeof at);
	}
	library->loaded = true;
	return library->functions;
}
