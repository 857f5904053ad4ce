/* jsplit.c */
#include "compat.h"

#include "jsplit.h"
