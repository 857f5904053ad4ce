/* test_ratelimits.c - limits as the contract wants them, whatever a runtime says */
#include "compat.h"

#include <string.h>

#include "buf.h"
#include "ratelimits.h"
#include "tap.h"

#define NONE "{\"limitId\":null,\"limitName\":null,\"primary\":null,\"secondary\":null,\"credits\":null,\"planType\":null}"

static void
is(const char *result, const char *want, const char *name)
{
	struct buf got = BUF_INIT;
	struct span value;

	if (!jtext_check(result, strlen(result), true, &value, NULL))
		ok(false, "%s: '%s' is JSON", name, result);
	else {
		ratelimits_add(&got, value);
		ok(!strcmp(got.s, want), "%s (got %s)", name, got.s);
	}
	buf_release(&got);
}

int
main(void)
{
	is("{}", "{\"rateLimits\":null,\"rateLimitsByLimitId\":null}", "nothing");
	is("[]", "{\"rateLimits\":null,\"rateLimitsByLimitId\":null}", "no object");
	is("{\"rateLimits\":{},\"rateLimitsByLimitId\":{}}", "{\"rateLimits\":" NONE ",\"rateLimitsByLimitId\":null}",
	    "nothing said, and an empty map");
	is("{\"rateLimits\":7,\"rateLimitsByLimitId\":[1]}", "{\"rateLimits\":null,\"rateLimitsByLimitId\":null}", "odd ones");
	is("{\"rateLimits\": {\"planType\": \" plus \", \"primary\": {\"resetsAt\": 1893456000, \"usedPercent\": 25.5}, \"secondary\": {}, "
	   "\"credits\": {\"balance\": \"1.0\"}, \"limitName\": \" \\u00a0\", \"limitId\": 7, \"other\": 1}}",
	    "{\"rateLimits\":{\"limitId\":null,\"limitName\":null,\"primary\":{\"usedPercent\":25.5,\"windowDurationMins\":null,\"resetsAt\":1893456000},"
	    "\"secondary\":{\"usedPercent\":0,\"windowDurationMins\":null,\"resetsAt\":null},\"credits\":{\"balance\":\"1.0\"},\"planType\":\"plus\"},"
	    "\"rateLimitsByLimitId\":null}",
	    "every member is there, and in order");
	is("{\"rateLimitsByLimitId\":{\"a\":null,\"b\\n\":{\"limitId\":\"b\"},\"c\":\"x\"}}",
	    "{\"rateLimits\":null,\"rateLimitsByLimitId\":{\"a\":null,\"b\\n\":{\"limitId\":\"b\",\"limitName\":null,\"primary\":null,\"secondary\":null,"
	    "\"credits\":null,\"planType\":null},\"c\":null}}",
	    "by limit");
	return done();
}
