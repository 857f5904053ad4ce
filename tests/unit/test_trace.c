/* test_trace.c - proves common/trace.c */
#include "compat.h"

#include <string.h>

#include "tap.h"
#include "trace.h"

#define IDS "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"

static bool
parent(const char *s)
{
	return trace_parent_good(s, strlen(s));
}

int
main(void)
{
	char longest[TRACE_STATE_MAX + 2];

	ok(parent("00-" IDS "-01") && parent("00-" IDS "-00") && parent("00-" IDS "-ff"), "the version of today");
	ok(parent("cc-" IDS "-01") && parent("cc-" IDS "-01-what-comes.later"), "a later version");
	ok(!parent("ff-" IDS "-01") && !parent("0-" IDS "-01") && !parent("0x-" IDS "-01"), "no version");
	ok(!parent("00-" IDS "-01-more") && !parent("00-" IDS "-01 ") && !parent("cc-" IDS "-01x") && !parent("cc-" IDS "-01-\x1b"),
	    "what must not follow");
	ok(!parent("00-00000000000000000000000000000000-b7ad6b7169203331-01") &&
		!parent("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
	    "ids of zeros");
	ok(!parent("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01") &&
		!parent("00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01"),
	    "other digits");
	ok(!parent("") && !parent("00") && !parent("00-" IDS "-0"), "too short");
	memset(longest, '1', sizeof longest);
	memcpy(longest, "cc-" IDS "-01-", 56);
	ok(trace_parent_good(longest, TRACE_PARENT_MAX) && !trace_parent_good(longest, TRACE_PARENT_MAX + 1), "the longest one");
	ok(trace_state_good(longest, TRACE_STATE_MAX) && !trace_state_good(longest, TRACE_STATE_MAX + 1), "the longest state");
	ok(trace_state_good("a=b,c=d e", 9) && !trace_state_good("", 0) && !trace_state_good("a=b\r\n", 5) &&
		!trace_state_good("a=\xc3\xa9", 4),
	    "states");
	return done();
}
