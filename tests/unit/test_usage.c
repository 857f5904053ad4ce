/* test_usage.c - what a turn costs */
#include "compat.h"

#include <string.h>

#include "buf.h"
#include "tap.h"
#include "usage.h"

#define SPAN_OF(text) ((struct span){ text, sizeof(text) - 1 })

static void
take(struct usage_meter *meter, const char *text)
{
	usage_take(meter, (struct span){ text, strlen(text) }, false);
}

static void
is_spent(const struct usage_meter *meter, const char *want, const char *what)
{
	struct buf text = BUF_INIT;
	struct usage spent;

	if (usage_spent(meter, &spent))
		usage_add(&text, &spent);
	ok(!strcmp(text.s, want), "%s", what);
	if (strcmp(text.s, want) != 0)
		printf("# %s\n", text.s);
	buf_release(&text);
}

int
main(void)
{
	struct usage_meter meter = { 0 };

	is_spent(&meter, "", "nothing was said: nothing is known");
	take(&meter, "[]");
	take(&meter, "{}");
	take(&meter, "{\"total\":{\"inputTokens\":-1},\"last\":{}}");
	take(&meter, "{\"total\":{\"inputTokens\":9007199254740993}}");
	is_spent(&meter, "", "nonsense is nothing");
	take(&meter,
	    "{\"total\":{\"inputTokens\":100,\"cachedInputTokens\":40,\"outputTokens\":50,\"reasoningOutputTokens\":9},"
	    "\"last\":{\"inputTokens\":11,\"cachedInputTokens\":3,\"outputTokens\":5,\"reasoningOutputTokens\":2}}");
	is_spent(&meter, "{\"inputTokens\":11,\"cachedInputTokens\":3,\"outputTokens\":5,\"reasoningOutputTokens\":2,\"totalTokens\":16}",
	    "what the thread cost before the turn is not the turn's");
	take(&meter, "{\"total\":{\"inputTokens\":120,\"cachedInputTokens\":40,\"outputTokens\":51,\"totalTokens\":258400},\"last\":{}}");
	is_spent(&meter, "{\"inputTokens\":31,\"cachedInputTokens\":3,\"outputTokens\":6,\"reasoningOutputTokens\":0,\"totalTokens\":37}",
	    "the requests of a turn are summed, and its total is what it read and wrote");
	take(&meter, "{\"total\":{\"inputTokens\":1,\"outputTokens\":1}}");
	is_spent(&meter, "{\"inputTokens\":0,\"cachedInputTokens\":0,\"outputTokens\":0,\"reasoningOutputTokens\":0,\"totalTokens\":0}",
	    "it is never less than nothing");
	meter = (struct usage_meter){ 0 };
	usage_take(&meter, SPAN_OF("{\"total\":{\"inputTokens\":50},\"last\":{\"inputTokens\":20}}"), true);
	take(&meter, "{\"total\":{\"inputTokens\":57},\"last\":{\"inputTokens\":7}}");
	is_spent(&meter, "{\"inputTokens\":7,\"cachedInputTokens\":0,\"outputTokens\":0,\"reasoningOutputTokens\":0,\"totalTokens\":7}",
	    "what is said before there is any answer is of the turn before");
	usage_begin(&meter, &(struct usage){ .input = 50 });
	is_spent(&meter, "", "a turn that has begun has cost nothing that is known");
	usage_take(&meter, SPAN_OF("{\"total\":{\"inputTokens\":57},\"last\":{\"inputTokens\":7}}"), true);
	is_spent(&meter, "{\"inputTokens\":7,\"cachedInputTokens\":0,\"outputTokens\":0,\"reasoningOutputTokens\":0,\"totalTokens\":7}",
	    "unless it is known what the thread had cost");
	meter.now = (struct usage){ .input = INT64_C(1) << 50, .output = 1 };
	meter.before = (struct usage){ .output = 1 };
	usage_sum(&meter.now, &meter.before);
	usage_sum(&meter.now, &meter.now);
	ok(meter.now.input == INT64_C(1) << 50 && meter.now.output == 4, "a sum stays a number of tokens");
	return done();
}
