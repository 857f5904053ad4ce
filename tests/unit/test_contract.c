/* test_contract.c - the words of the code are the enums of contract/openapi.json, all of them and no others */
#include "compat.h"

#include "agents/agents.h"
#include "compass/compass.h"
#include "contract_enums.h"
#include "log/run.h"
#include "store/thread.h"
#include "tap.h"

#define WORD(name, text) text,
#define WORDS(list)                                                                                                                        \
	{                                                                                                                                  \
		list(WORD) NULL                                                                                                            \
	}

/* Each of the n words of the code is in the list, and the list has n: the order is nobody's business. */
static void
same(const char *what, const char *const *list, const char *(*word)(int i), int n)
{
	int i, k, found = 0, all = 0;

	for (; list[all]; all++)
		;
	for (i = 0; i < n; i++)
		for (k = 0; list[k]; k++)
			found += !strcmp(word(i), list[k]);
	ok(found == n, "%s: each word of the code is in the contract", what);
	ok(all == n, "%s: each word of the contract is in the code", what);
}

/* Some of the list: what the code never says may be there. */
static void
within(const char *what, const char *const *list, const char *(*word)(int i), int n)
{
	int i, k, found = 0;

	for (i = 0; i < n; i++)
		for (k = 0; list[k]; k++)
			found += !strcmp(word(i), list[k]);
	ok(found == n, "%s: each word of the code is in the contract", what);
}

static const char *
thread_status(int i)
{
	return thread_status_text((enum thread_status)i);
}

static const char *
thread_mode(int i)
{
	return thread_mode_text((enum thread_mode)i);
}

static const char *
thread_host(int i)
{
	return thread_host_text((enum thread_host)i);
}

static const char *
provider(int i)
{
	return compass_provider_text((enum compass_provider)i);
}

static const char *
run_status(int i)
{
	return run_status_text((enum run_status)i);
}

static const char *
lifecycle(int i)
{
	return lifecycle_text((enum lifecycle)i);
}

static const char *
health(int i)
{
	return health_text((enum health)i);
}

int
main(void)
{
	static const char *const statuses[] = WORDS(THREAD_STATUS), *const modes[] = WORDS(EXECUTION_MODE),
				 *const hosts[] = WORDS(EXECUTION_HOST);
	static const char *const providers[] = WORDS(RUNTIME_PROVIDER), *const runs[] = WORDS(RUN_STATUS),
				 *const lives[] = WORDS(LIFECYCLE), *const healths[] = WORDS(HEALTH);

	same("thread status", statuses, thread_status, THREAD_STATUS_COUNT);
	same("execution mode", modes, thread_mode, THREAD_MODE_COUNT);
	same("execution host", hosts, thread_host, THREAD_HOST_COUNT);
	same("provider", providers, provider, PROVIDER_COUNT);
	same("run status", runs, run_status, RUN_STATUS_COUNT);
	same("lifecycle", lives, lifecycle, LIFE_COUNT);
	within("health", healths, health, HEALTH_COUNT);
	return done();
}
