/* sse.c */
#include "compat.h"

#include "sse.h"
