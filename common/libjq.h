/* libjq.h - libjq, loaded when a filter is asked for. Private to filter.c.
 *
 * A command without --jq need not carry libjq and the library for regular expressions behind it.
 */
#ifndef LIBJQ_H
#define LIBJQ_H

#include <jq.h>

#include "compat.h"

struct err;

/* Every function of libjq that is used. */
/* clang-format off */
#define LIBJQ_FUNCTIONS(X) \
	X(jq_compile) X(jq_init) X(jq_next) X(jq_set_error_cb) X(jq_start) X(jq_teardown) X(jv_copy) X(jv_dump_string) X(jv_free) X(jv_get_kind) \
	X(jv_invalid_get_msg) X(jv_invalid_has_msg) X(jv_parse_sized) X(jv_string_length_bytes) X(jv_string_value)
/* clang-format on */

struct libjq {
#define LIBJQ_MEMBER(name) __typeof__(name) *name;
	LIBJQ_FUNCTIONS(LIBJQ_MEMBER)
#undef LIBJQ_MEMBER
};

/* Loads it, once for the life of the process; by one thread at a time. NULL: it is not there; err says why. */
const struct libjq *libjq_load(struct err *err);

#endif
