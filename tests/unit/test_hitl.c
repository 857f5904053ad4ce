/* test_hitl.c - keys, stems and what question files say */
#include "compat.h"

#include <string.h>

#include "err.h"
#include "hitl.h"
#include "tap.h"

static bool
stem_is(const char *key, enum hitl_rule rule, const char *want)
{
	struct buf got = BUF_INIT;
	bool is;

	hitl_stem(&got, key, strlen(key), rule);
	is = !strcmp(got.s, want);
	buf_release(&got);
	return is;
}

static void
test_stems(void)
{
	ok(stem_is("deploy-1_A.b", HITL_BROKER, "deploy-1_A.b"), "a broker keeps letters, digits, dot, underscore and dash");
	ok(stem_is("deploy-1_A.b", HITL_ASKER, "deploy-1_A_b"), "the asking side turns a dot into an underscore");
	ok(stem_is("  a b\n", HITL_BROKER, "a_b"), "a broker drops blanks around the key");
	ok(stem_is(" a ", HITL_ASKER, "_a_"), "the asking side does not");
	ok(stem_is("\xf0\x9f\x98\x80", HITL_BROKER, "__"), "an emoji is two units");
	ok(stem_is("\xc3\xa4\xe2\x82\xac", HITL_ASKER, "__"), "what one unit holds is one underscore");
	ok(stem_is("\xc2\xa0x\xef\xbb\xbf", HITL_BROKER, "x"), "blanks are those of JavaScript");
	ok(stem_is("", HITL_BROKER, "question"), "nothing is 'question'");
	ok(stem_is("../x", HITL_BROKER, ".._x"), "no slash is left");
	ok(stem_is("\xff", HITL_BROKER, "_"), "a byte that is no UTF-8 is one underscore");
}

static bool
says(const char *body, const char *key, const char *text, int64_t timestamp, int64_t pid)
{
	struct hitl_question q;
	bool is;

	hitl_question_init(&q);
	hitl_parse(body, strlen(body), "stem", 1000, &q);
	is = !strcmp(q.key.s, key) && !strcmp(q.question.s, text) && q.timestamp == timestamp && q.pid == pid;
	hitl_question_release(&q);
	return is;
}

static void
test_questions(void)
{
	ok(says("{\"key\":\"k\",\"question\":\"q\",\"timestamp\":5,\"pid\":7}", "k", "q", 5, 7), "the compact form");
	ok(says("{\n  \"key\": \" k \",\n  \"question\": \"q\",\n  \"timestamp\": 5.9,\n  \"pid\": 7.9\n}\n", "k", "q", 5, 7),
	    "the indented one; the key is trimmed");
	ok(says(" deploy?\n", "stem", "deploy?", 1000, -1), "no JSON: the text is the question");
	ok(says("42", "stem", "42", 1000, -1), "JSON that is no object: so too");
	ok(says("{\"question\":\"q\"}", "stem", "q", 1000, -1), "no key: the stem");
	ok(says("{\"key\":\"\",\"question\":3,\"timestamp\":\"x\",\"pid\":\"y\"}", "stem", "", 1000, -1), "members of a wrong type");
	ok(says("{\"key\":\"k\",\"question\":\"q\",\"timestamp\":-5.5}", "k", "q", -6, -1), "numbers are rounded down");
	ok(says("{\"key\":\"k\",\"question\":\"q\",\"timestamp\":1e300}", "k", "q", 1000, -1), "a time that is none");
}

static void
test_record(void)
{
	static const char body[] = "{\"key\":\"k\",\"question\":\"q\",\"timestamp\":1000,\"pid\":7}";
	struct hitl_question q;
	struct buf record = BUF_INIT;

	hitl_question_init(&q);
	hitl_parse(body, strlen(body), "stem", 0, &q);
	hitl_record(&record, &q, 3500);
	is_str(record.s, "{\"key\":\"k\",\"question\":\"q\",\"timestamp\":1000,\"pid\":7,\"ageSeconds\":2}", "a record");
	buf_reset(&record);
	hitl_record(&record, &q, 0);
	ok(strstr(record.s, "\"ageSeconds\":0}") != NULL, "a question from the future has age 0");
	buf_release(&record);
	hitl_question_release(&q);
}

int
main(void)
{
	test_stems();
	test_questions();
	test_record();
	return done();
}
