/* test_jtext.c - JSON as text: checked, found in, laid out, never changed */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "err.h"
#include "jtext.h"
#include "status.h"
#include "tap.h"

static bool
valid(const char *s)
{
	struct span value;

	return jtext_check(s, strlen(s), true, &value, NULL);
}

static void
refused(const char *s, const char *why)
{
	struct err err = ERR_INIT;
	struct span value;

	ok(!jtext_check(s, strlen(s), true, &value, &err) && strstr(err.text, why), "'%.30s' is refused: %s", s, why);
	if (!strstr(err.text, why))
		printf("# it says: %s\n", err.text);
}

static void
test_check(void)
{
	static const char *const good[] = { "{}", "[]", " [1 , 2] ", "\"a\\u00e9\\n\"", "-0.5e+10", "true", "null", "{\"a\":{\"b\":[{}]}}",
		"12345678901234567890" };
	static const char text[] = "{\"a\":[1,2.5,-3e4,\"x\\\"\\u0041\",true,false,null],\"b\":{\"c\":\"d\"}}";
	char deep[2 * JTEXT_DEPTH_MAX + 8];
	struct span value;
	size_t i, n = strlen(text);
	bool all = true;

	for (i = 0; i < ARRAY_LEN(good); i++)
		ok(valid(good[i]), "%s is JSON", good[i]);
	for (i = 1; i < n; i++) {
		char *copy = malloc(i); /* its own block, so that a sanitizer sees a read past its end */

		memcpy(copy, text, i);
		if (jtext_check(copy, i, true, &value, NULL))
			all = false;
		free(copy);
	}
	ok(all, "no proper prefix of a text is one");
	refused("", "it is empty");
	refused("[1,]", "expected a value at byte 4");
	refused("{\"a\" 1}", "expected ':'");
	refused("[1 2]", "expected ',' or ']'");
	refused("01", "leading zero");
	refused("1.", "it ends too early");
	refused("\"a\tb\"", "raw control character");
	refused("\"\\x\"", "unknown escape");
	refused("nul", "it ends too early");
	refused("{} x", "more text after the value at byte 4");
	refused("\"\xff\"", "not UTF-8");
	refused("NaN", "expected a value");
	memset(deep, '[', JTEXT_DEPTH_MAX);
	memset(deep + JTEXT_DEPTH_MAX, ']', JTEXT_DEPTH_MAX);
	ok(jtext_check(deep, 2 * JTEXT_DEPTH_MAX, true, &value, NULL), "the deepest nesting is taken");
	memset(deep, '[', JTEXT_DEPTH_MAX + 1);
	memset(deep + JTEXT_DEPTH_MAX + 1, ']', JTEXT_DEPTH_MAX + 1);
	ok(!jtext_check(deep, 2 * JTEXT_DEPTH_MAX + 2, true, &value, NULL), "one level more is refused");
}

static void
test_find(void)
{
	static const char text
	    [] = "{ \"a\" : 1, \"n\":9007199254740993, \"s\":\"x\\u00e9\\ud83d\\ude00\\ud800\\n\", \"a\":2, \"k\\u0065y\":[1,{\"z\":0}] }";
	struct span o, value, item;
	struct buf s = BUF_INIT;
	size_t pos = 0;
	int64_t n = 0;

	if (!jtext_check(text, strlen(text), true, &o, NULL))
		exit(1);
	ok(jtext_get_i64(o, "a", &n) && n == 2, "of two members with one name the last one counts");
	ok(jtext_get_i64(o, "n", &n) && n == INT64_C(9007199254740993), "an integer beyond 2^53 is exact");
	ok(jtext_get_string(o, "s", &s), "a string is found");
	is_buf(&s, "x\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd\n", "escapes are decoded, a lone surrogate becomes U+FFFD");
	ok(jtext_get(o, "key", &value) && jtext_type(value) == JTEXT_ARRAY, "names are compared after decoding");
	ok(!jtext_get(o, "none", &item), "a member that is not there is not found");
	while (jtext_each(value, &pos, NULL, &item))
		n = (int64_t)item.n;
	is_int(n, 7, "items are walked to the last one");
	ok(!jtext_get_i64(o, "s", &n), "a string is no number");
	buf_release(&s);
}

static void
test_layout(void)
{
	static const char text[] = "{\"a\":[ ],\"b\" :{ }, \"c\":[1,{\"d\" : \"x  y\"}],\"e\":1e3}";
	static const char
	    pretty[] = "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"d\": \"x  y\"\n    }\n  ],\n  \"e\": 1e3\n}";
	struct span o, p, a, b;
	struct buf s = BUF_INIT, again = BUF_INIT;

	if (!jtext_check(text, strlen(text), true, &o, NULL))
		exit(1);
	jtext_compact(&s, o);
	is_buf(&s, "{\"a\":[],\"b\":{},\"c\":[1,{\"d\":\"x  y\"}],\"e\":1e3}", "compact drops blanks outside strings and nothing else");
	jtext_pretty(&again, o, 0);
	is_buf(&again, pretty, "pretty is the layout of JSON.stringify with two blanks");
	ok(jtext_check(again.s, again.len, true, &p, NULL), "and JSON");
	buf_reset(&s);
	jtext_quote(&s, "a\"\\\b\f\n\r\t\x01\x7f\xc3\xa9\xff", 13);
	is_buf(&s, "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7f\xc3\xa9\xef\xbf\xbd\"", "quoting escapes as JSON.stringify and repairs UTF-8");
	if (!jtext_check("{\"x\":1}", 7, true, &a, NULL) || !jtext_check("{\"x\":2,\"y\": 12345678901234567890}", 33, true, &b, NULL))
		exit(1);
	buf_reset(&s);
	jtext_merge(&s, a, b);
	is_buf(&s, "{\"x\":1,\"y\":12345678901234567890}", "merging keeps the first object's members and every digit");
	if (!jtext_check("{\"x\": 1,\"\\u0079\":2,\"z\":[ 3 ]}", 29, true, &a, NULL))
		exit(1);
	buf_reset(&s);
	buf_addch(&s, '{');
	jtext_add_others(&s, a, (const char *const[]){ "y", "w", NULL });
	is_buf(&s, "{\"x\":1,\"z\":[3]", "others are all but the named ones, however those are written");
	buf_reset(&again);
	buf_reset(&s);
	buf_addch(&s, '{');
	jtext_add_given(&s, "a", NULL);
	jtext_add_filled(&s, "b", &again);
	is_buf(&s, "{", "what is not given and what is empty is not a member");
	buf_addstr(&again, "\"");
	jtext_add_given(&s, "a", "");
	jtext_add_filled(&s, "b", &again);
	jtext_add_text(&s, "c", "d");
	jtext_add_time(&s, "e", 999);
	is_buf(&s, "{\"a\":\"\",\"b\":\"\\\"\",\"c\":\"d\",\"e\":\"1970-01-01T00:00:00.999Z\"", "texts, buffers and times are quoted");
	buf_release(&s);
	buf_release(&again);
}

/* A string may end, and have an escape or a control, at any place of the words that are read at once. */
static void
test_words(void)
{
	static const char *const letters[] = { "x", "!", "#", "[", "]", " ", "\x7f", "\xc3\xa9" };
	struct buf text = BUF_INIT, got = BUF_INIT, want = BUF_INIT;
	struct span value;
	bool all = true, none = true;
	size_t k, n, at;

	for (k = 0; k < ARRAY_LEN(letters); k++)
		for (n = 0; n < 20; n++)
			for (at = 0; at <= n; at++) {
				size_t i;

				buf_reset(&text);
				buf_reset(&got);
				buf_reset(&want);
				buf_addstr(&text, "{\"a\":\"");
				for (i = 0; i < n; i++) {
					buf_addstr(&text, i == at ? "\\\"" : letters[k]);
					buf_addstr(&want, i == at ? "\"" : letters[k]);
				}
				buf_addstr(&text, "\",\"b\":1}");
				all = all && jtext_check(text.s, text.len, true, &value, NULL) && jtext_get_string(value, "a", &got) &&
				    got.len == want.len && !memcmp(got.s, want.s, got.len) && jtext_get(value, "b", &value);
				text.s[6 + at] = 0x1f;
				none = none && !jtext_check(text.s, text.len, true, &value, NULL);
			}
	ok(all, "strings of every length end where they end, with an escape at every place");
	ok(none, "and a raw control character is found at every place");
	buf_release(&text);
	buf_release(&got);
	buf_release(&want);
}

int
main(void)
{
	test_words();
	test_check();
	test_find();
	test_layout();
	return done();
}
