/* spawn.c */
#include "compat.h"

#include "spawn.h"
