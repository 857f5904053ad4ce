/* test_trouble.c - what went wrong, from the words of a runtime */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "fault.h"
#include "tap.h"
#include "trouble.h"

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

static void
read_error(const char *error, const char *text, const char *info, int64_t http, int64_t retry_at)
{
	struct buf said = BUF_INIT, word = BUF_INIT;
	int64_t status = 0, at = 0;

	trouble_read((struct span){ error, strlen(error) }, &said, &word, &status, &at);
	ok(!strcmp(said.s, text) && !strcmp(word.s, info) && status == http && at == retry_at, "%s: '%s' '%s' %d %lld", error, said.s,
	    word.s, (int)status, (long long)at);
	buf_release(&said);
	buf_release(&word);
}

static void
test_reading(void)
{
	char *text = malloc(2 * TROUBLE_TEXT_MAX + 3);
	struct buf cut = BUF_INIT;

	read_error("{\"message\":\"m\",\"codexErrorInfo\":\"unauthorized\"}", "m", "unauthorized", 0, 0);
	read_error("{\"message\":\"m\",\"codexErrorInfo\":{\"httpConnectionFailed\":{\"httpStatusCode\":503}}}", "m",
	    "httpConnectionFailed", 503, 0);
	read_error("{\"message\":\"m\",\"codexErrorInfo\":null}", "m", "", 0, 0);
	read_error("{\"message\":\"m\",\"codexErrorInfo\":{\"x\":null}}", "m", "x", 0, 0);
	read_error("{\"message\":\"a\\nb\",\"retryAt\":\"2026-11-21T11:14:14.000Z\"}", "a\\nb", "", 0, NOW);
	read_error("{\"retryAt\":\"soon\"}", "", "", 0, 0);
	read_error("\"m\"", "", "", 0, 0);
	/* a text at its limit, and past it */
	if (!text)
		return;
	memset(text, 'x', 2 * TROUBLE_TEXT_MAX + 2);
	text[0] = text[TROUBLE_TEXT_MAX + 1] = '"';
	trouble_add_text(&cut, (struct span){ text, TROUBLE_TEXT_MAX + 2 });
	is_int((long long)cut.len, TROUBLE_TEXT_MAX, "all of a text that is as long as it may be");
	text[TROUBLE_TEXT_MAX + 1] = 'x';
	text[2 * TROUBLE_TEXT_MAX + 1] = '"';
	buf_reset(&cut);
	trouble_add_text(&cut, (struct span){ text, 2 * TROUBLE_TEXT_MAX + 2 });
	is_int((long long)cut.len, TROUBLE_TEXT_MAX, "and no more of a longer one");
	buf_release(&cut);
	free(text);
}

/* What each fault is called, and that there is something to do about those that somebody can do something about. */
static void
test_faults(void)
{
	struct buf error = BUF_INIT;
	int i;

	for (i = RUNTIME_FAULT_NONE; i <= RUNTIME_FAULT_STOPPING; i++) {
		enum runtime_fault fault = (enum runtime_fault)i, back = fault_of_code(fault_code(fault));

		ok(back == RUNTIME_FAULT_NONE || back == fault, "%s is of one fault, or of several", fault_code(fault));
		ok(back == RUNTIME_FAULT_NONE || *fault_hint(fault), "%s says what to do", fault_code(fault));
	}
	ok(fault_of_code("AGENT_RUNTIME_RATE_LIMITED") == RUNTIME_FAULT_LIMIT && fault_of_code("") == RUNTIME_FAULT_NONE &&
		fault_of_code("AGENT_RUNTIME_UNAVAILABLE") == RUNTIME_FAULT_NONE,
	    "a fault by its code");
	fault_add(&error, "m \"", "C", "do it", NOW);
	is_buf(&error, "{\"message\":\"m \\\"\",\"code\":\"C\",\"hint\":\"do it\",\"retryAt\":\"2026-11-21T11:14:14.000Z\"}", "an error");
	buf_reset(&error);
	fault_add(&error, "m", NULL, "", 0);
	is_buf(&error, "{\"message\":\"m\"}", "one of which little is known");
	buf_release(&error);
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

	is_int(trouble_until(NOW + 5, "try again in 1s", NOW + 9, NOW), NOW + 5, "as the error says itself");
	is_int(trouble_until(NOW - 5, "try again in 1s", NOW + 9, NOW), NOW + 1000, "a time that has been is none: as the message says");
	is_int(trouble_until(NOW + TROUBLE_WAIT_MAX_MS, "", 0, NOW), NOW + TROUBLE_WAIT_MAX_MS, "as far away as is believed");
	is_int(trouble_until(NOW + TROUBLE_WAIT_MAX_MS + 1, "", NOW + 9, NOW), NOW + 9, "further away: as the account says");
	is_int(trouble_until(0, "no", NOW - 9, NOW), 0, "nobody says");
	test_reading();
	test_faults();

	ok(trouble_is_older("agentutils/0.104.9 (Debian)", "0.105.0") && trouble_is_older("x/0.9.0", "0.105.0"), "older");
	ok(!trouble_is_older("x/0.105.0", "0.105.0") && !trouble_is_older("x/1.0.0-alpha", "0.105.0"), "not older");
	ok(!trouble_is_older("", "0.105.0") && !trouble_is_older("x/dev", "0.105.0") && !trouble_is_older("x/0.1", "0.105.0"), "who knows");
	return done();
}
