/* usage.h - what a turn costs, counted from what a runtime says of its thread: pure
 *
 * A runtime tells the tokens of a thread so far and those of the last request to the model (thread/tokenUsage/updated). A turn makes
 * several such requests, a thread was there before the turn, and a runtime may begin a turn by saying once more what was known. Spent is
 * what has come since the turn began.
 */
#ifndef USAGE_H
#define USAGE_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"

struct usage {
	int64_t input, cached, output, reasoning; /* tokens; cached are part of input, reasoning of output */
};

struct usage_meter {
	struct usage before, now;
	bool based, told; /* before is known; so is now */
};

/* The thread's tokens so far, out of {"total":{...},"last":{...}}. False: it makes no sense. */
bool usage_total(struct span token_usage, struct usage *ret) USE_RESULT;

/* A turn begins in a thread that has cost this. Not called: that is not known. */
void usage_begin(struct usage_meter *meter, const struct usage *total);

/* One more word about it; early: nothing of the answer to the turn was seen yet. */
void usage_take(struct usage_meter *meter, struct span token_usage, bool early);

/* False: nothing is known. */
bool usage_spent(const struct usage_meter *meter, struct usage *ret);

bool usage_same(const struct usage *a, const struct usage *b);

/* What usage_add() wrote. False: it is none. */
bool usage_read(struct span value, struct usage *ret) USE_RESULT;

/* Never more than can be read again. */
void usage_sum(struct usage *to, const struct usage *more);

/* {"inputTokens":..,"cachedInputTokens":..,"outputTokens":..,"reasoningOutputTokens":..,"totalTokens":..} */
void usage_add(struct buf *to, const struct usage *usage);

#endif
