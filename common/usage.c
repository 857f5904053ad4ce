/* usage.c - what a turn costs */
#include "compat.h"

#include "usage.h"

#define TOKENS_MAX (INT64_C(1) << 50) /* more are no number of tokens */

bool
usage_read(struct span value, struct usage *ret)
{
	const struct {
		const char *key;
		int64_t *to;
	} members[] = { { "inputTokens", &ret->input }, { "cachedInputTokens", &ret->cached }, { "outputTokens", &ret->output },
		{ "reasoningOutputTokens", &ret->reasoning } };
	size_t i;

	*ret = (struct usage){ 0 };
	if (jtext_type(value) != JTEXT_OBJECT)
		return false;
	for (i = 0; i < ARRAY_LEN(members); i++)
		if (jtext_get_i64(value, members[i].key, members[i].to) && (*members[i].to < 0 || *members[i].to > TOKENS_MAX))
			return false;
	return true;
}

static bool
read_usage(struct span object, const char *key, struct usage *ret)
{
	struct span value;

	*ret = (struct usage){ 0 };
	return jtext_get(object, key, &value) && usage_read(value, ret);
}

static int64_t
sum(int64_t a, int64_t b)
{
	return a + b < TOKENS_MAX ? a + b : TOKENS_MAX;
}

void
usage_sum(struct usage *to, const struct usage *more)
{
	*to = (struct usage){ sum(to->input, more->input), sum(to->cached, more->cached), sum(to->output, more->output),
		sum(to->reasoning, more->reasoning) };
}

static int64_t
less(int64_t a, int64_t b)
{
	return a > b ? a - b : 0;
}

static struct usage
minus(const struct usage *a, const struct usage *b)
{
	return (struct usage){ less(a->input, b->input), less(a->cached, b->cached), less(a->output, b->output),
		less(a->reasoning, b->reasoning) };
}

bool
usage_total(struct span token_usage, struct usage *ret)
{
	return jtext_type(token_usage) == JTEXT_OBJECT && read_usage(token_usage, "total", ret);
}

void
usage_begin(struct usage_meter *meter, const struct usage *total)
{
	*meter = (struct usage_meter){ .before = *total, .now = *total, .based = true };
}

void
usage_take(struct usage_meter *meter, struct span token_usage, bool early)
{
	struct usage total, last = { 0 };

	if (!usage_total(token_usage, &total))
		return;
	if (!meter->based) {
		if (!early)
			(void)read_usage(token_usage, "last", &last);
		meter->before = minus(&total, &last);
		meter->based = true;
	}
	meter->now = total;
	meter->told = true;
}

bool
usage_spent(const struct usage_meter *meter, struct usage *ret)
{
	*ret = minus(&meter->now, &meter->before);
	return meter->told;
}

bool
usage_same(const struct usage *a, const struct usage *b)
{
	return a->input == b->input && a->cached == b->cached && a->output == b->output && a->reasoning == b->reasoning;
}

void
usage_add(struct buf *to, const struct usage *usage)
{
	buf_addch(to, '{');
	jtext_add_i64(to, "inputTokens", usage->input);
	jtext_add_i64(to, "cachedInputTokens", usage->cached);
	jtext_add_i64(to, "outputTokens", usage->output);
	jtext_add_i64(to, "reasoningOutputTokens", usage->reasoning);
	jtext_add_i64(to, "totalTokens", usage->input + usage->output);
	buf_addch(to, '}');
}
