/* breaker.h - a circuit breaker: outages among the last calls. Pure. Private to services/. */
#ifndef SERVICES_BREAKER_H
#define SERVICES_BREAKER_H

#include "compat.h"

#define BREAKER_CALLS 256 /* calls that are remembered; older ones do not count, whatever the window */

struct breaker_settings {
	int64_t window_ms;
	unsigned min_calls;
	double rate; /* of outages, 0..1 */
};

struct breaker {
	struct {
		int64_t at_ms;
		bool outage;
	} calls[BREAKER_CALLS];
	unsigned next, n;
};

/* One call has ended. True: it is time to open, that is at least min_calls in the window and at least `rate` of them outages. */
bool breaker_add(struct breaker *breaker, const struct breaker_settings *settings, int64_t now_ms, bool outage);
void breaker_reset(struct breaker *breaker);

#endif
