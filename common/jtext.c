/* jtext.c */
#include "compat.h"

#include "jtext.h"
