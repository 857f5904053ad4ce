/* ratelimits.h - what a runtime says of its account's limits, as the Compass contract wants it (sections 6.2 and 12.2)
 *
 * A snapshot has all its six members and a window its three, whatever the runtime left out: texts are trimmed and null when nothing is
 * left, usedPercent is 0 when it is no number, other numbers are null. Pure.
 */
#ifndef RATELIMITS_H
#define RATELIMITS_H

#include "compat.h"
#include "jtext.h"

struct buf;

/* Appends {"rateLimits":snapshot|null,"rateLimitsByLimitId":{id:snapshot|null}|null}; a map that is empty is null. */
void ratelimits_add(struct buf *to, struct span result);

#endif
