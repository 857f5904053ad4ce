/* json.c */
#include "compat.h"

#include "json.h"
