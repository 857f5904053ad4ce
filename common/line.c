/* line.c */
#include "compat.h"

#include "line.h"
