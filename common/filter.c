/* filter.c */
#include "compat.h"

#include "filter.h"
