/* curlerr.h - what went wrong, in libcurl's words made ours */
#ifndef CURLERR_H
#define CURLERR_H

#include "compat.h"

struct err;

/* Fills err: the class (STATUS_UNREACHABLE, _PROTOCOL, _CONFIG) and the reason, without its full stop and its capital letter. easy and code
 * are a CURL and a CURLcode; text is what CURLOPT_ERRORBUFFER holds. begun: an answer had begun. Returns false. */
bool curlerr_set(struct err *err, void *easy, int code, const char *text, bool begun);

#endif
