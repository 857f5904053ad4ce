/* api.c */
#include "compat.h"

#include "api.h"
