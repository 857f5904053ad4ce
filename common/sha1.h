/* sha1.h - SHA-1 (FIPS 180-4): only for the WebSocket handshake (RFC 6455), which proves nothing with it. Pure. */
#ifndef SHA1_H
#define SHA1_H

#include "compat.h"

#define SHA1_BYTES 20

void sha1(const void *bytes, size_t n, unsigned char ret[SHA1_BYTES]);

#endif
