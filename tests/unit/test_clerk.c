/* test_clerk.c - the thread that reads and writes the broker's directory: order, limit, end */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "err.h"
#include "hitl/hitl.h"
#include "hitl/internal.h"
#include "tap.h"

static unsigned done_count;
static bool in_order = true;

/* Each carries its number as its timestamp. */
static void
on_done(struct errand *errand, void *payload)
{
	struct event_base *base = payload;

	if (errand->timestamp != (int64_t)done_count)
		in_order = false;
	done_count++;
	if (errand->http != 200 || strcmp(errand->body.s, "[]") != 0)
		in_order = false;
	errand_free(errand);
	if (done_count == BROKER_ERRANDS_MAX)
		event_base_loopbreak(base);
}

static bool
add(struct clerk *clerk, unsigned number)
{
	struct errand *errand = errand_new(ERRAND_LIST, NULL);

	errand->timestamp = number;
	if (clerk_add(clerk, errand))
		return true;
	errand_free(errand);
	return false;
}

int
main(void)
{
	char dir[] = "/tmp/agentutils-clerk-XXXXXX";
	struct event_base *base = event_base_new();
	struct err err = ERR_INIT;
	struct clerk *clerk;
	struct timeval longest = { 60, 0 };
	unsigned i, taken = 0;

	ok(mkdtemp(dir) != NULL, "a directory");
	ok(!clerk_new(base, "/dev/null", on_done, base, &err) && strstr(err.text, "/dev/null"), "what is no directory is refused");
	clerk = clerk_new(base, dir, on_done, base, &err);
	ok(clerk && !strcmp(clerk_path(clerk), dir), "it knows its directory");

	for (i = 0; i < BROKER_ERRANDS_MAX; i++)
		taken += add(clerk, i);
	is_int(taken, BROKER_ERRANDS_MAX, "so many errands wait");
	ok(!add(clerk, i), "one more does not");
	event_base_loopexit(base, &longest);
	event_base_dispatch(base);
	is_int(done_count, BROKER_ERRANDS_MAX, "all of them are done");
	ok(in_order, "in their order");
	ok(add(clerk, 0), "and there is room again");
	for (i = 1; i < 100; i++)
		(void)!add(clerk, i);
	clerk_free(clerk);
	ok(done_count == BROKER_ERRANDS_MAX, "what waits at the end is dropped, and told to nobody");
	rmdir(dir);
	event_base_free(base);
	libevent_global_shutdown();
	return done();
}
