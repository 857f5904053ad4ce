/* hitl_question.c - keys and questions, without a directory */
#include "compat.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "blank.h"
#include "hitl_internal.h"
#include "jtext.h"
#include "utf8.h"

/* ---- keys */

void
hitl_stem(struct buf *to, const char *key, size_t n, enum hitl_rule rule)
{
	size_t start = to->len, len;

	if (rule == HITL_BROKER)
		blank_trim(&key, &n, BLANK_JS);
	for (; n; key += len, n -= len) {
		uint32_t c = utf8_next(key, n, &len);

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
		    (c == '.' && rule == HITL_BROKER))
			buf_addch(to, (char)c);
		else
			buf_addstr(to, c != UTF8_INVALID && c > 0xffff ? "__" : "_");
	}
	if (to->len == start && rule == HITL_BROKER)
		buf_addstr(to, "question");
}

bool
hitl_equal(const struct buf *buf, const char *s, size_t n)
{
	return buf->len == n && !memcmp(buf->s, s, n);
}

void
hitl_safe(struct buf *to, const char *s, size_t n)
{
	utf8_safe(to, s, n < 200 ? n : 200, UTF8_SAFE_LINE);
}

/* ---- questions */

void
hitl_question_init(struct hitl_question *question)
{
	*question = (struct hitl_question){ .stem = BUF_INIT, .key = BUF_INIT, .question = BUF_INIT, .pid = -1 };
}

void
hitl_question_release(struct hitl_question *question)
{
	if (!question)
		return;
	buf_release(&question->stem);
	buf_release(&question->key);
	buf_release(&question->question);
}

bool
hitl_number(struct span object, const char *name, int64_t *ret)
{
	const double most = 9007199254740992.0; /* 2^53 */
	struct span value;
	struct buf text = BUF_INIT;
	double d;

	if (!jtext_get(object, name, &value) || jtext_type(value) != JTEXT_NUMBER)
		return false;
	if (jtext_i64(value, ret))
		return *ret > -(INT64_C(1) << 53) && *ret < INT64_C(1) << 53;
	buf_add(&text, value.s, value.n);
	d = strtod(text.s, NULL);
	buf_release(&text);
	if (!(d > -most && d < most))
		return false;
	*ret = (int64_t)d;
	if ((double)*ret > d)
		--*ret;
	return true;
}

/* Is the process that asked no more? Only what was asked on this host can be told. */
static bool
asker_gone(struct span object, int64_t pid)
{
	char name[256] = "";
	struct span host;

	if (pid < 1 || pid > INT_MAX || !jtext_get(object, "host", &host) || gethostname(name, sizeof name - 1) < 0 ||
	    !jtext_is_string(host, name))
		return false;
	return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

void
hitl_parse(const char *bytes, size_t n, const char *stem, int64_t now_ms, struct hitl_question *question)
{
	struct buf text = BUF_INIT;
	struct span value;

	utf8_repair(&text, bytes, n);
	buf_reset(&question->key);
	buf_reset(&question->question);
	question->timestamp = now_ms;
	question->pid = -1;
	question->named = question->gone = false;
	if (jtext_check(text.s, text.len, true, &value, NULL) && jtext_type(value) == JTEXT_OBJECT) {
		(void)jtext_get_string(value, "key", &question->key);
		blank_trim_buf(&question->key, BLANK_JS);
		(void)jtext_get_string(value, "question", &question->question);
		if (!hitl_number(value, "timestamp", &question->timestamp))
			question->timestamp = now_ms;
		if (!hitl_number(value, "pid", &question->pid))
			question->pid = -1;
		question->gone = asker_gone(value, question->pid);
	} else {
		blank_trim_buf(&text, BLANK_JS);
		buf_add(&question->question, text.s, text.len);
	}
	question->named = question->key.len > 0;
	if (!question->named)
		buf_addstr(&question->key, stem);
	buf_release(&text);
}

void
hitl_record(struct buf *to, const struct hitl_question *question, int64_t now_ms)
{
	int64_t age = (now_ms - question->timestamp) / 1000;

	buf_addch(to, '{');
	jtext_add_buf(to, "key", &question->key);
	jtext_add_buf(to, "question", &question->question);
	jtext_add_i64(to, "timestamp", question->timestamp);
	if (question->pid >= 0)
		jtext_add_i64(to, "pid", question->pid);
	jtext_add_i64(to, "ageSeconds", age > 0 ? age : 0);
	buf_addch(to, '}');
}
