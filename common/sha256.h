/* sha256.h - SHA-256 (FIPS 180-4): ids from names, tokens that are compared and not kept. Pure. */
#ifndef SHA256_H
#define SHA256_H

#include "compat.h"

#define SHA256_BYTES 32

void sha256(const void *bytes, size_t n, unsigned char ret[SHA256_BYTES]);

/* Compares without telling by its time where two digests differ. */
bool sha256_equal(const unsigned char a[SHA256_BYTES], const unsigned char b[SHA256_BYTES]);

#endif
