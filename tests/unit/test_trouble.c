/* test_trouble.c - what went wrong, from the words of a runtime */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/trouble.h"
#include "tap.h"

#define NOW INT64_C(1795259654000) /* 2026-11-21T11:14:14Z, a Saturday */

static void
turn(const char *message, const char *info, int64_t http, enum runtime_fault want)
{
	enum runtime_fault fault = trouble_of_turn(message, info, http);

	ok(fault == want, "%s %s %d: %d", info, message, (int)http, (int)fault);
}

static void
retry(const char *message, int64_t want)
{
	int64_t at = trouble_retry_at(message, NOW);

	ok(at == want, "'%s': %lld", message, (long long)at);
}

static void
reset(const char *limits, int64_t want)
{
	ok(trouble_reset_at((struct span){ limits, strlen(limits) }) == want, "%s", limits);
}

int
main(void)
{
	setenv("TZ", "UTC", 1);
	tzset();

	/* as 0.105.0 and 0.169.0 say it */
	turn("We're currently experiencing high demand", "internalServerError", 0, RUNTIME_FAULT_MODEL);
	turn("You've hit your usage limit. Upgrade to Pro", "usageLimitExceeded", 0, RUNTIME_FAULT_LIMIT);
	turn("Quota exceeded. Check your plan and billing details.", "usageLimitExceeded", 0, RUNTIME_FAULT_LIMIT);
	turn("exceeded retry limit, last status: 429 Too Many Requests", "responseTooManyFailedAttempts", 429, RUNTIME_FAULT_LIMIT);
	turn("stream disconnected before completion: Rate limit reached. Please try again in 1.5s.", "other", 0, RUNTIME_FAULT_LIMIT);
	turn("rate limit exceeded: Rate limit reached.", "rateLimitExceeded", 0, RUNTIME_FAULT_LIMIT);
	turn("unexpected status 401 Unauthorized: no, url: http://127.0.0.1/v1/responses", "other", 0, RUNTIME_FAULT_AUTH);
	turn("unexpected status 401 Unauthorized: no", "httpConnectionFailed", 401, RUNTIME_FAULT_AUTH);
	turn("unexpected status 503 Service Unavailable: no", "other", 0, RUNTIME_FAULT_MODEL);
	turn("stream disconnected before completion: Transport error", "other", 0, RUNTIME_FAULT_MODEL);
	turn("error sending request for url", "httpConnectionFailed", 0, RUNTIME_FAULT_MODEL);
	turn("Selected model is at capacity", "serverOverloaded", 0, RUNTIME_FAULT_MODEL);
	turn("Codex ran out of room in the model's context window.", "contextWindowExceeded", 0, RUNTIME_FAULT_TURN);
	turn("unexpected status 404 Not Found: no such model", "httpConnectionFailed", 404, RUNTIME_FAULT_TURN);
	turn("", "", 0, RUNTIME_FAULT_TURN);

	ok(trouble_of_refusal("codex account authentication required to read rate limits") == RUNTIME_FAULT_AUTH, "no account");
	ok(trouble_of_refusal("error deriving config: /x/config.toml:1:16: unclosed array") == RUNTIME_FAULT_CONFIG,
	    "0.105.0's configuration");
	ok(trouble_of_refusal("failed to load configuration: /x/config.toml:6:10: no") == RUNTIME_FAULT_CONFIG, "0.169.0's configuration");
	ok(trouble_of_refusal("Invalid request: missing field `threadId`") == RUNTIME_FAULT_REFUSED, "anything else");
	ok(trouble_of_start(127, "sh: 1: exec: codex: not found") == RUNTIME_FAULT_MISSING, "no such program");
	ok(trouble_of_start(126, "sh: 1: exec: x: Permission denied") == RUNTIME_FAULT_MISSING, "no program");
	ok(trouble_of_start(2, "error: unrecognized subcommand 'app-server'") == RUNTIME_FAULT_VERSION, "one that knows no app-server");
	ok(trouble_of_start(1, "no home") == RUNTIME_FAULT_START && trouble_of_start(-1, "") == RUNTIME_FAULT_START, "anything else");

	retry("Please try again in 1.5s.", NOW + 1500);
	retry("Try again in 350ms", NOW + 350);
	retry("try again in 6m0s", NOW + 360000);
	retry("try again in 5 days 3 hours 2 minutes.", NOW + INT64_C(442920000));
	retry("try again in 2 hours, 5 minutes", NOW + 7500000);
	retry("try again in 9999999999 days", 0);
	retry("try again in a while", 0);
	retry("try again in 5 moons", 0);
	retry("try again later", 0);
	retry("", 0);
	retry("or try again at 11:15 AM.", INT64_C(1795259760000));
	retry("or try again at 11:14 AM.", INT64_C(1795259700000));
	retry("or try again at 11:13 AM.", INT64_C(1795346040000));
	retry("try again at 12:00 PM", INT64_C(1795262460000));
	retry("try again at 12:00 AM", INT64_C(1795305660000));
	retry("try again at Nov 22nd, 2026 3:05 PM.", INT64_C(1795359960000));
	retry("try again at 13:00 PM", 0);
	retry("try again at Nov 41st, 2026 3:05 PM.", 0);
	retry("try again at Nov 22nd, 2099 3:05 PM.", 0);
	retry("try again at 11", 0);

	reset("{\"primary\":{\"usedPercent\":100,\"resetsAt\":1795259660},\"secondary\":null}", INT64_C(1795259660000));
	reset("{\"primary\":{\"usedPercent\":100,\"resetsAt\":5},\"secondary\":{\"usedPercent\":100,\"resetsAt\":9}}", 9000);
	reset("{\"primary\":{\"usedPercent\":99,\"resetsAt\":5},\"secondary\":{\"usedPercent\":100,\"resetsAt\":null}}", 0);
	reset("null", 0);

	ok(trouble_is_older("agentutils/0.104.9 (Debian)", "0.105.0") && trouble_is_older("x/0.9.0", "0.105.0"), "older");
	ok(!trouble_is_older("x/0.105.0", "0.105.0") && !trouble_is_older("x/1.0.0-alpha", "0.105.0"), "not older");
	ok(!trouble_is_older("", "0.105.0") && !trouble_is_older("x/dev", "0.105.0") && !trouble_is_older("x/0.1", "0.105.0"), "who knows");
	return done();
}
