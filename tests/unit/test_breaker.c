/* test_breaker.c - when a circuit breaker opens */
#include "compat.h"

#include "services/breaker.h"
#include "tap.h"

static const struct breaker_settings settings = { .window_ms = 60000, .min_calls = 8, .rate = 0.6 };

/* Adds n calls, one each `step` ms; how many of them opened it. */
static int
add(struct breaker *breaker, int n, bool outage, int64_t from, int64_t step)
{
	int opened = 0, i;

	for (i = 0; i < n; i++)
		opened += breaker_add(breaker, &settings, from + i * step, outage);
	return opened;
}

int
main(void)
{
	struct breaker breaker = { .n = 0 };

	is_int(add(&breaker, 7, true, 1000, 10), 0, "seven outages are too few to say");
	is_int(add(&breaker, 1, true, 2000, 10), 1, "the eighth opens it");
	breaker_reset(&breaker);
	is_int(add(&breaker, 7, true, 1000, 10), 0, "after a reset they count anew");
	is_int(add(&breaker, 1, false, 2000, 10), 0, "a good call never opens it");
	is_int(add(&breaker, 1, true, 2001, 10), 1, "the next outage does: eight of nine");
	breaker_reset(&breaker);
	is_int(add(&breaker, 100, false, 1000, 10), 0, "good calls");
	is_int(add(&breaker, 149, true, 3000, 10), 0, "outages below the rate");
	is_int(add(&breaker, 1, true, 5000, 10), 1, "three in five");
	breaker_reset(&breaker);
	is_int(add(&breaker, 7, true, 1000, 10), 0, "old outages");
	is_int(add(&breaker, 7, true, 61061, 1), 0, "fall out of the window");
	breaker_reset(&breaker);
	is_int(add(&breaker, 1000, false, 0, 1), 0, "more calls than are remembered");
	ok(add(&breaker, BREAKER_CALLS, true, 1000, 1) > 0, "the newest ones count");
	return done();
}
