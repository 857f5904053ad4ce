/* http.c */
#include "compat.h"

#include "http.h"
