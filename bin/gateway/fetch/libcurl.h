/* libcurl.h - libcurl, loaded when it is first needed. Private to fetch/.
 *
 * A gateway whose agents are all here asks nobody outside: it need not carry libcurl and the thirty libraries behind it (6 MB resident).
 */
#ifndef FETCH_LIBCURL_H
#define FETCH_LIBCURL_H

#define CURL_DISABLE_TYPECHECK /* its macros would call the functions by name */
#include <curl/curl.h>

#include "compat.h"

struct err;

/* Every function of libcurl that is used. */
/* clang-format off */
#define LIBCURL_FUNCTIONS(X) \
	X(easy_cleanup) X(easy_getinfo) X(easy_init) X(easy_pause) X(easy_setopt) X(easy_strerror) X(global_init) X(multi_add_handle) X(multi_assign) \
	X(multi_cleanup) X(multi_info_read) X(multi_init) X(multi_remove_handle) X(multi_setopt) X(multi_socket_action) X(slist_append) X(slist_free_all)
/* clang-format on */

struct libcurl {
#define LIBCURL_MEMBER(name) __typeof__(curl_##name) *name;
	LIBCURL_FUNCTIONS(LIBCURL_MEMBER)
#undef LIBCURL_MEMBER
};

/* Loads and starts it, once for the life of the process. NULL: it is not there; err says why. */
const struct libcurl *libcurl_load(struct err *err);

#endif
