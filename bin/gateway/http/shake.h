/* shake.h - the check of a WebSocket's opening handshake (RFC 6455 4.2.1, Compass contract section 7): pure. Private to http/. */
#ifndef HTTP_SHAKE_H
#define HTTP_SHAKE_H

#include "compat.h"
#include "jtext.h"

struct shake_fields {
	const char *method;
	char *const *names, *const *values; /* as in struct request: trimmed, each ended by NUL */
	size_t n;
	bool http10;
};

struct shake {
	int status;	      /* of the rejection; 0: granted */
	const char *wrong;    /* its message; static */
	bool tell_version;    /* with sec-websocket-version: 13, 8 */
	struct span key;      /* borrowed from the fields */
	struct span protocol; /* the first one offered, SPAN_NONE without */
};

/* False: status and wrong are filled. In this order: 405 method, 400 version of HTTP, Upgrade, Connection, key, version (13, or 8, whose
 * frames are the same), protocol. */
bool shake_check(const struct shake_fields *fields, struct shake *ret) USE_RESULT;

#endif
