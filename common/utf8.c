/* utf8.c */
#include "compat.h"

#include "utf8.h"
