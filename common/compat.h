/* compat.h - the first include of every file: configuration, C basics, attributes, banned calls */
#ifndef COMPAT_H
#define COMPAT_H

#include <config.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USE_RESULT __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))

#define ARRAY_LEN(a) (sizeof(a) / sizeof *(a))

#include "banned.h"

#endif
