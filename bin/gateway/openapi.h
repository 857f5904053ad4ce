/* openapi.h - contract/openapi.json as the gateway serves it: the same document without its layout; openapi.c is made when it is built */
#ifndef OPENAPI_H
#define OPENAPI_H

#include <stddef.h>

extern const char openapi[];
extern const size_t openapi_len;

#endif
