/* libcurl.c - libcurl, loaded when it is first needed */
#include "compat.h"

#include <dlfcn.h>
#include <string.h>

#include "err.h"
#include "fetch/libcurl.h"
#include "status.h"

#ifdef __APPLE__
#define LIBCURL_NAME "libcurl.4.dylib"
#else
#define LIBCURL_NAME "libcurl.so.4"
#endif

const struct libcurl *
libcurl_load(struct err *err)
{
	static struct libcurl lib;
	static bool loaded;
	struct libcurl found;
	void *handle;

	if (loaded)
		return &lib;
	handle = dlopen(LIBCURL_NAME, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		err_set(err, STATUS_CONFIG, "unable to load libcurl: %s", dlerror());
		return NULL;
	}
#define LIBCURL_FIND(name)                                                                                                                 \
	do {                                                                                                                               \
		void *at = dlsym(handle, "curl_" #name);                                                                                   \
		if (!at) {                                                                                                                 \
			err_set(err, STATUS_CONFIG, "unable to load libcurl: it has no curl_" #name);                                      \
			dlclose(handle);                                                                                                   \
			return NULL;                                                                                                       \
		}                                                                                                                          \
		memcpy(&found.name, &at, sizeof at);                                                                                       \
	} while (0);
	LIBCURL_FUNCTIONS(LIBCURL_FIND)
#undef LIBCURL_FIND
	if (found.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		err_set(err, STATUS_CONFIG, "unable to start libcurl");
		dlclose(handle);
		return NULL;
	}
	lib = found;
	loaded = true;
	return &lib;
}
