/* bucket.h - a token bucket: how often something may happen, with room for bursts. Pure: the caller says what time it is. */
#ifndef BUCKET_H
#define BUCKET_H

#include "compat.h"

struct bucket {
	int64_t micro; /* what is in it, in millionths of one */
	int64_t at_ms; /* when that was so */
	bool used;     /* a zeroed bucket is full */
};

#define BUCKET_RATE_MAX 1000000 /* per second; bursts too */

/* Takes one. False: there is none; *ret_wait_ms is when there will be. rate: per second, burst: how many it holds, both 1 to
 * BUCKET_RATE_MAX. A clock that went back changes nothing. */
bool bucket_take(struct bucket *bucket, unsigned rate, unsigned burst, int64_t now_ms, int64_t *ret_wait_ms);

#endif
