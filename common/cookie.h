/* cookie.h - the session cookie of a Compass API, out of a file
 *
 * The file is one of: the bare value; "NAME=VALUE", as a browser's tools copy it, among others (a Cookie header); or a cookie jar as
 * curl and wget keep them (seven fields, tab-separated; "#HttpOnly_" before the host). Pure.
 */
#ifndef COOKIE_H
#define COOKIE_H

#include "compat.h"

struct buf;

#define COOKIE_NAME "__Host-compass_session"
#define COOKIE_FILE_MAX 65536 /* bytes */

/* Appends "NAME=VALUE" of the session. The value is not decoded. False: there is none, or it holds what a header cannot carry. */
bool cookie_find(const char *text, size_t n, struct buf *to) USE_RESULT;

#endif
