/* libcurl.c - libcurl, loaded when it is first needed */
#include "compat.h"

#include "err.h"
#include "fetch/libcurl.h"
#include "library.h"
#include "status.h"

const struct libcurl *
libcurl_load(struct err *err)
{
	static const char *const names[] = {
#define LIBCURL_NAME(name) "curl_" #name,
		LIBCURL_FUNCTIONS(LIBCURL_NAME)
#undef LIBCURL_NAME
	};
	static struct libcurl lib;
	static struct library library = LIBRARY_INIT(LIBRARY_FILE("curl", "4"), names, &lib);
	static bool started;

	_Static_assert(sizeof lib == ARRAY_LEN(names) * sizeof(void *), "a name for each function");
	if (!library_get(&library, err))
		return NULL;
	if (!started && lib.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		err_set(err, STATUS_CONFIG, "unable to start libcurl");
		return NULL;
	}
	started = true;
	return &lib;
}
