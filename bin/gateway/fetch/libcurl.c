/* libcurl.c - libcurl, loaded when it is first needed */
#include "compat.h"

#include "err.h"
#include "fetch/libcurl.h"
#include "library.h"
#include "status.h"

#ifdef __APPLE__
#define LIBCURL_FILE "libcurl.4.dylib"
#else
#define LIBCURL_FILE "libcurl.so.4"
#endif

const struct libcurl *
libcurl_load(struct err *err)
{
	static const char *const names[] = {
#define LIBCURL_NAME(name) "curl_" #name,
		LIBCURL_FUNCTIONS(LIBCURL_NAME)
#undef LIBCURL_NAME
	};
	static struct libcurl lib;
	static bool loaded;

	_Static_assert(sizeof lib == ARRAY_LEN(names) * sizeof(void *), "a name for each function");
	if (loaded)
		return &lib;
	if (!library_load(LIBCURL_FILE, names, ARRAY_LEN(names), &lib, err))
		return NULL;
	if (lib.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		err_set(err, STATUS_CONFIG, "unable to start libcurl");
		return NULL;
	}
	loaded = true;
	return &lib;
}
