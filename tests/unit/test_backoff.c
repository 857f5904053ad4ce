/* test_backoff.c - pauses between tries, and whether a stream is ahead of polling */
#include "compat.h"

#include "backoff.h"
#include "lead.h"
#include "tap.h"

static void
test_pauses(void)
{
	struct backoff backoff;
	int64_t longest[] = { 250, 500, 1000, 2000, 4000, 8000, 15000, 15000 }, ms;
	size_t i;
	bool within = true, spread = false;

	backoff_init(&backoff, 250, 15000, 0);
	for (i = 0; i < ARRAY_LEN(longest); i++) {
		ms = backoff_next(&backoff);
		within &= ms >= 1 && ms <= longest[i];
	}
	ok(within, "pauses grow to the longest and no further");
	for (i = 0; i < 100; i++)
		spread |= backoff_next(&backoff) < 5000;
	ok(spread, "a long one may be short: full jitter");
	backoff_reset(&backoff);
	within = true;
	for (i = 0; i < 100; i++) {
		ms = backoff_next(&backoff);
		within &= ms >= 1 && ms <= 250;
		backoff_reset(&backoff);
	}
	ok(within, "after something worked they are short again");
}

static void
test_lead(void)
{
	struct lead lead;

	lead_open(&lead, 1000);
	ok(!lead_trusted(&lead, 1000), "a stream that brought no byte is not trusted");
	lead_byte(&lead, 2000);
	ok(lead_trusted(&lead, 2000), "one byte, and it is");
	ok(lead_trusted(&lead, 2000 + LEAD_QUIET_MS - 1), "for a while");
	ok(!lead_trusted(&lead, 2000 + LEAD_QUIET_MS), "not when it is quiet for too long");
	lead_byte(&lead, 30000);
	ok(lead_trusted(&lead, 30000), "the next byte brings that back");

	lead_poll(&lead, 7, true, 31000);
	ok(!lead_trusted(&lead, 31000), "a poll that was first takes it");
	lead_stream(&lead, 6, false, 31100);
	ok(!lead_trusted(&lead, 31100), "an older event says nothing");
	lead_stream(&lead, 7, false, 31000 + LEAD_MOMENT_MS);
	lead_byte(&lead, 32000);
	ok(lead_trusted(&lead, 32000), "but a moment later is no delay");

	lead_poll(&lead, 9, true, 33000);
	lead_byte(&lead, 34001);
	lead_stream(&lead, 9, false, 33001 + LEAD_MOMENT_MS);
	ok(!lead_trusted(&lead, 34001), "longer is one");
	lead_stream(&lead, 10, true, 34002);
	lead_stream(&lead, 11, true, 34003);
	ok(!lead_trusted(&lead, 34003), "being first in one burst does not help");
	lead_poll(&lead, 11, false, 35000);
	ok(!lead_trusted(&lead, 35000), "nor once");
	lead_poll(&lead, 11, false, 36000);
	ok(!lead_trusted(&lead, 36000), "a poll between two that finds nothing is no proof");
	lead_stream(&lead, 12, true, 36500);
	lead_poll(&lead, 12, false, 37000);
	ok(lead_trusted(&lead, 37000), "twice does");
	lead_stream(&lead, 13, true, 37500);
	lead_poll(&lead, 14, true, 38000);
	ok(!lead_trusted(&lead, 38000), "until a poll is first again");
}

int
main(void)
{
	test_pauses();
	test_lead();
	return done();
}
