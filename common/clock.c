/* clock.c */
#include "compat.h"

#include "clock.h"
