/* fuzz_rules.c - any number of a query, and any rules and request of a runtime: the first line is a number, the second rules, the rest a
 * request */
#include "compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blank.h"
#include "compass/internal.h"
#include "jsnum.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct span
line(const char **at, const char *end)
{
	const char *stop = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;
	struct span got = { *at, (size_t)((stop ? stop : end) - *at) };

	*at = stop ? stop + 1 : end;
	return got;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *at = (const char *)bytes, *end = at + n;
	struct span number = line(&at, end), text = line(&at, end), rules, params;
	enum runtime_decision decision = RUNTIME_DECLINE;
	struct buf trimmed = BUF_INIT;
	int64_t ms;
	size_t len;

	if (n == 0)
		return 0;
	(void)js_number(number.s, number.n);
	buf_add(&trimmed, number.s, number.n);
	blank_trim_buf(&trimmed, BLANK_JS);
	len = trimmed.len;
	blank_trim_buf(&trimmed, BLANK_JS);
	if (trimmed.len != len || len > number.n)
		abort();
	buf_release(&trimmed);
	if (jtext_check(text.s, text.n, true, &rules, NULL) && jtext_type(rules) == JTEXT_OBJECT &&
	    jtext_check(at, (size_t)(end - at), true, &params, NULL)) {
		rules_timeout(rules, 1, &ms, &decision);
		if (rules_decide(rules, "command", params, &decision) && decision > RUNTIME_CANCEL)
			abort();
	}
	return 0;
}
