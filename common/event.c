/* event.c */
#include "compat.h"

#include "event.h"
