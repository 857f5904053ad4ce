/* reply.c */
#include "compat.h"

#include "reply.h"
