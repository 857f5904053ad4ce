/* fuzz_hitl.c - any bytes as a question file or a key: stems are safe file names, records are JSON */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "hitl.h"
#include "jtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
check_stem(const char *s, size_t n, enum hitl_rule rule)
{
	struct buf stem = BUF_INIT;

	hitl_stem(&stem, s, n, rule);
	if (strspn(stem.s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != stem.len ||
	    stem.len > n + sizeof "question")
		abort();
	buf_release(&stem);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *s = (const char *)bytes;
	struct hitl_question question;
	struct buf record = BUF_INIT;
	struct span value;

	check_stem(s, n, HITL_BROKER);
	check_stem(s, n, HITL_ASKER);
	hitl_question_init(&question);
	hitl_parse(s, n, "stem", 0, &question);
	hitl_record(&record, &question, 0);
	if (!question.key.len || !jtext_check(record.s, record.len, true, &value, NULL))
		abort();
	hitl_question_release(&question);
	buf_release(&record);
	return 0;
}
