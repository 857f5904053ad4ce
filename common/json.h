/* json.h - a thin skin over jv (libjq) for values that are read and built, not passed on
 *
 * jv eats its arguments: jv_object_get(o, k), jv_array_get, jv_object_set, jv_dump_string, jv_copy's result and so on take
 * over what they are given. These do NOT eat: jv_get_kind, jv_is_valid (it does in some forms: never use jv_invalid_has_msg
 * on a value you keep), jv_string_value, jv_number_value, jv_is_integer, jv_equal's copies must be made by the caller.
 * Functions here say "borrows" or "eats". Numbers are doubles: exact to 2^53; records that are passed on use jtext.h.
 */
#ifndef JSON_H
#define JSON_H

#include "compat.h"

#include <jv.h>

struct buf;
struct err;

/* Parses one value; invalid jv and err (STATUS_INPUT) on failure. */
jv json_parse(const char *s, size_t n, struct err *err);

/* Appends the value as compact text. Eats v. */
void json_text(struct buf *to, jv v);

/* The member as text; false when absent or not a string. Borrows obj. Appends to ret. */
bool json_get_str(jv obj, const char *key, struct buf *ret);

#endif
