/* backoff.h - how long to wait before the next try: exponential, with full jitter
 *
 * Each try that fails doubles the longest pause, from min to max; the pause is anything up to that, so that many clients that lost
 * the same server do not come back at once. Pure but for its seed.
 */
#ifndef BACKOFF_H
#define BACKOFF_H

#include "compat.h"

struct backoff {
	int64_t min_ms, max_ms;
	int64_t longest_ms; /* of the next pause */
	uint64_t state;	    /* of the generator, never 0 */
};

void backoff_init(struct backoff *backoff, int64_t min_ms, int64_t max_ms, uint64_t seed);

/* The next pause, 1 to the longest; the one after it may be twice as long. */
int64_t backoff_next(struct backoff *backoff);

/* Something worked: the next pause is a short one again. */
void backoff_reset(struct backoff *backoff);

#endif
