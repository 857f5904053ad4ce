/* num.h - strict numbers: the whole text must be one, nothing around it, nothing out of range
 *
 * No sign where there is none to be, no blanks, no "0x", no locale. ret is untouched on failure.
 */
#ifndef NUM_H
#define NUM_H

#include "compat.h"

struct err;

bool num_u64(const char *s, size_t n, uint64_t *ret) USE_RESULT;
bool num_i64(const char *s, size_t n, int64_t *ret) USE_RESULT;

/* A number in [min, max] for an option or setting; on failure err (STATUS_USAGE) names `what`, the text and the range. */
bool num_in_range(const char *text, int64_t min, int64_t max, const char *what, int64_t *ret, struct err *err) USE_RESULT;

/* A duration as milliseconds: "30" and "30s" are seconds; "500ms", "2m", "1h", "1d"; decimals as "1.5s".
 * At most NUM_DURATION_MAX_MS. err as num_in_range. */
#define NUM_DURATION_MAX_MS (INT64_C(365) * 24 * 3600 * 1000)
bool num_duration(const char *text, const char *what, int64_t *ret_ms, struct err *err) USE_RESULT;

/* A size in bytes: "4096", "64K", "10M", "1G" (powers of 1024). err as num_in_range. */
bool num_size(const char *text, const char *what, uint64_t *ret, struct err *err) USE_RESULT;

#endif
