/* num.c */
#include "compat.h"

#include "num.h"
