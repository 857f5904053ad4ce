/* backoff.c - how long to wait before the next try */
#include "compat.h"

#include "backoff.h"

void
backoff_init(struct backoff *backoff, int64_t min_ms, int64_t max_ms, uint64_t seed)
{
	backoff->min_ms = backoff->longest_ms = min_ms;
	backoff->max_ms = max_ms;
	backoff->state = seed ? seed : 1;
}

int64_t
backoff_next(struct backoff *backoff)
{
	int64_t longest = backoff->longest_ms;

	/* xorshift: good enough to spread clients out */
	backoff->state ^= backoff->state << 13;
	backoff->state ^= backoff->state >> 7;
	backoff->state ^= backoff->state << 17;
	backoff->longest_ms = longest * 2 < backoff->max_ms ? longest * 2 : backoff->max_ms;
	return (int64_t)(backoff->state % (uint64_t)longest) + 1;
}

void
backoff_reset(struct backoff *backoff)
{
	backoff->longest_ms = backoff->min_ms;
}
