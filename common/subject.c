/* subject.c */
#include "compat.h"

#include "subject.h"
