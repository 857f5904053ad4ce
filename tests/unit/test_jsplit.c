/* test_jsplit.c - items of a long answer, however it is cut */
#include "compat.h"

#include <stdlib.h>

#include "buf.h"
#include "err.h"
#include "jsplit.h"
#include "status.h"
#include "tap.h"

static bool
collect(const char *json, size_t n, void *payload)
{
	struct buf *all = payload;

	buf_add(all, json, n);
	buf_addch(all, '\n');
	return true;
}

static bool
stop_at_once(const char *json, size_t n, void *payload)
{
	return !collect(json, n, payload);
}

static bool
split(const char *text, size_t n, size_t cut, size_t item_max, struct buf *items, struct buf *rest, struct err *err)
{
	struct jsplit *js = jsplit_new("items", item_max, collect, items);
	bool good = jsplit_feed(js, text, cut, err) && jsplit_feed(js, text + cut, n - cut, err) && jsplit_end(js, err);

	if (good && rest)
		buf_add(rest, jsplit_rest(js).s, jsplit_rest(js).n);
	jsplit_free(js);
	return good;
}

static void
refused(const char *text, const char *why)
{
	struct buf items = BUF_INIT;
	struct err err = ERR_INIT;

	ok(!split(text, strlen(text), 0, 1000, &items, NULL, &err) && err.status == STATUS_PROTOCOL && strstr(err.text, why), "'%.40s': %s",
	    text, why);
	if (!strstr(err.text, why))
		printf("# it says: %s\n", err.text);
	buf_release(&items);
}

int
main(void)
{
	static const char text[] =
	    "{\n  \"runId\": \"r \\\" ]\",\n  \"items\": [\n    { \"a\": 12345678901234567890, \"s\": \"x  \\\" } ] \\\\\" },\n    [ 1, 2 ], 3 , \"é\", null\n  ],\n"
	    "  \"more\" : false\n}\n";
	static const char want[] = "{\"a\":12345678901234567890,\"s\":\"x  \\\" } ] \\\\\"}\n[1,2]\n3\n\"é\"\nnull\n";
	struct buf items = BUF_INIT, rest = BUF_INIT;
	struct err err = ERR_INIT;
	struct jsplit *js;
	size_t n = strlen(text), i;
	bool same = true;

	for (i = 0; i <= n && same; i++) {
		buf_reset(&items);
		buf_reset(&rest);
		same = split(text, n, i, 1000, &items, &rest, &err) && !strcmp(items.s, want) &&
		    !strcmp(rest.s, "{\"runId\":\"r \\\" ]\",\"more\":false}");
	}
	ok(same, "every cut of the answer gives the same items, byte for byte");
	if (!same)
		printf("# cut %zu: %s\n# %s\n# %s\n", i - 1, err.text, items.s, rest.s);
	for (i = 0, same = true; i < n && same; i++) {
		buf_reset(&items);
		same = i == n - 1 || !split(text, i, 0, 1000, &items, NULL, &err);
	}
	ok(same, "an answer that was cut off is told");
	buf_reset(&items);
	ok(split("[1,[2],{}]", 10, 3, 100, &items, NULL, &err) && !strcmp(items.s, "1\n[2]\n{}\n"), "a bare array is taken");
	buf_reset(&items);
	ok(split("{\"items\":[]}", 12, 5, 100, &items, NULL, &err) && !items.len, "an empty one gives nothing");
	buf_reset(&items);
	ok(split("{\"items\":[\"12345678\"]}", 22, 5, 10, &items, NULL, &err), "an item of the longest length is taken");
	ok(!split("{\"items\":[\"123456789\"]}", 23, 5, 10, &items, NULL, &err) && strstr(err.text, "too long"),
	    "one byte more is refused");
	refused("<html>", "expected an object or an array at byte 1");
	refused("{\"a\":1}", "no array 'items'");
	refused("{\"items\":[1 2]}", "not JSON");
	refused("{\"items\":[1]]", "expected ',' or '}'");
	refused("{\"items\":[1]} x", "more text after the end");
	refused("{\"items\":[nope]}", "expected a value");
	buf_reset(&items);
	js = jsplit_new("items", 100, stop_at_once, &items);
	ok(jsplit_feed(js, "[1,2,3", 6, &err) && jsplit_feed(js, "garbage", 7, &err) && jsplit_end(js, &err) && !strcmp(items.s, "1\n"),
	    "a callback can stop it");
	jsplit_free(js);
	buf_release(&items);
	buf_release(&rest);
	return done();
}
