/* clock.h - time: monotonic for deadlines, wall clock for records
 *
 * All in milliseconds. A deadline is a monotonic time; DEADLINE_NONE never passes.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include "compat.h"

struct buf;

#define DEADLINE_NONE INT64_MAX
#define CLOCK_ISO_LEN 24 /* "2026-11-21T01:46:30.977Z" */

int64_t clock_monotonic_ms(void);
int64_t clock_wall_ms(void);	  /* Unix time */
int64_t clock_monotonic_us(void); /* microseconds, to measure with */

/* The deadline that lies ms from now; negative ms or a sum that overflows give DEADLINE_NONE. */
int64_t deadline_in(int64_t ms);

/* What is left until it, 0 when it has passed; as an int for poll(): -1 for DEADLINE_NONE, else at most INT_MAX. */
int64_t deadline_left(int64_t deadline);
int deadline_poll(int64_t deadline);

/* RFC 3339 UTC with milliseconds and Z; years 0000 to 9999. */
void clock_add_iso(struct buf *buf, int64_t wall_ms);

/* Reads RFC 3339 (any offset, any fraction; "T" or blank). False when it is not one. */
bool clock_parse_iso(const char *s, size_t n, int64_t *ret_wall_ms) USE_RESULT;

#endif
