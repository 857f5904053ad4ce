/* bucket.c - a token bucket */
#include "compat.h"

#include "bucket.h"

#define ONE INT64_C(1000000)

bool
bucket_take(struct bucket *bucket, unsigned rate, unsigned burst, int64_t now_ms, int64_t *ret_wait_ms)
{
	int64_t full = (int64_t)burst * ONE, passed = now_ms - bucket->at_ms, per_ms = (int64_t)rate * ONE / 1000;

	if (!bucket->used) {
		bucket->used = true;
		bucket->micro = full;
	} else if (passed > 0) {
		/* compared before it is multiplied: a long time is simply a full bucket */
		if (passed >= (full - bucket->micro) / per_ms + 1)
			bucket->micro = full;
		else
			bucket->micro += passed * per_ms;
		if (bucket->micro > full)
			bucket->micro = full;
	}
	if (passed > 0 || bucket->at_ms == 0)
		bucket->at_ms = now_ms;
	*ret_wait_ms = 0;
	if (bucket->micro >= ONE) {
		bucket->micro -= ONE;
		return true;
	}
	*ret_wait_ms = (ONE - bucket->micro + per_ms - 1) / per_ms;
	return false;
}
