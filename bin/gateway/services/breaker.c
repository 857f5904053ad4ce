/* breaker.c - a circuit breaker: outages among the last calls */
#include "compat.h"

#include "services/breaker.h"

void
breaker_reset(struct breaker *breaker)
{
	breaker->n = breaker->next = 0;
}

bool
breaker_add(struct breaker *breaker, const struct breaker_settings *settings, int64_t now_ms, bool outage)
{
	unsigned calls = 0, outages = 0, i;

	breaker->calls[breaker->next].at_ms = now_ms;
	breaker->calls[breaker->next].outage = outage;
	breaker->next = (breaker->next + 1) % BREAKER_CALLS;
	if (breaker->n < BREAKER_CALLS)
		breaker->n++;
	for (i = 0; i < breaker->n; i++)
		if (now_ms - breaker->calls[i].at_ms < settings->window_ms) {
			calls++;
			outages += breaker->calls[i].outage;
		}
	/* only an outage opens it, not the good call that fills the minimum */
	return outage && calls >= settings->min_calls && outages >= settings->rate * calls;
}
