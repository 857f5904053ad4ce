/* rule.c - what the rules of a manifest are made of */
#include "compat.h"

#include <string.h>

#include "agents/rule.h"
#include "buf.h"
#include "err.h"
#include "status.h"

bool
rule_broken(struct err *err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	err_vset(err, STATUS_CONFIG, fmt, args);
	va_end(args);
	return err_prefix(err, "invalid manifest");
}

bool
rule_object(struct span object, const char *key, struct span *ret)
{
	return jtext_get(object, key, ret) && jtext_type(*ret) == JTEXT_OBJECT;
}

bool
rule_filled(struct span value)
{
	struct buf text = BUF_INIT;
	bool filled = jtext_string(value, &text) && text.s[strspn(text.s, " \t\r\n")] && !memchr(text.s, '\0', text.len);

	buf_release(&text);
	return filled;
}

bool
rule_need_string(struct span object, const char *where, const char *key, struct err *err)
{
	struct span value;

	if (jtext_get(object, key, &value) && rule_filled(value))
		return true;
	return rule_broken(err, "%s%s must be a non-empty string", where, key);
}

bool
rule_may_string(struct span object, const char *where, const char *key, struct err *err)
{
	struct span value;

	return !jtext_get(object, key, &value) || rule_filled(value) ||
	    rule_broken(err, "%s%s must be a non-empty string when provided", where, key);
}

bool
rule_bool(struct span value)
{
	return jtext_type(value) == JTEXT_TRUE || jtext_type(value) == JTEXT_FALSE;
}

bool
rule_may_bool(struct span object, const char *where, const char *key, struct err *err)
{
	struct span value;

	return !jtext_get(object, key, &value) || rule_bool(value) || rule_broken(err, "%s%s must be a boolean when provided", where, key);
}

bool
rule_may_range(struct span object, const char *where, const char *key, int64_t min, int64_t max, struct err *err)
{
	struct span value;
	int64_t n;

	if (!jtext_get(object, key, &value) || (jtext_i64(value, &n) && n >= min && n <= max))
		return true;
	return rule_broken(err, "%s%s must be an integer between %lld and %lld when provided", where, key, (long long)min, (long long)max);
}

bool
rule_word(struct span value, const char *const *words)
{
	for (; *words; words++)
		if (jtext_is_string(value, *words))
			return true;
	return false;
}

bool
rule_may_strings(struct span object, const char *where, const char *key, struct err *err)
{
	struct span value, item;
	size_t pos = 0;
	bool ok;

	if (!jtext_get(object, key, &value))
		return true;
	ok = jtext_type(value) == JTEXT_ARRAY;
	while (ok && jtext_each(value, &pos, NULL, &item))
		ok = rule_filled(item);
	return ok || rule_broken(err, "%s%s must be an array of strings when provided", where, key);
}

bool
rule_may_positive(struct span object, const char *where, const char *key, struct err *err)
{
	struct span value;
	int64_t n;

	return !jtext_get(object, key, &value) || (jtext_i64(value, &n) && n > 0) ||
	    rule_broken(err, "%s%s must be a positive integer when provided", where, key);
}
