/* sig.c */
#include "compat.h"

#include "sig.h"
