/* valid.c - validation as the contract words it (section 5): the first issue, members in the order in which they are asked for */
#include "compat.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "blank.h"
#include "compass/internal.h"
#include "http/server.h"
#include "jsnum.h"
#include "utf8.h"

const char *const valid_modes[THREAD_MODE_COUNT] = { "cloud", "local" };
const char *const valid_hosts[THREAD_HOST_COUNT] = { "dynamic_sessions", "desktop_local" };

void
valid_issue(struct valid *valid, const char *fmt, ...)
{
	va_list args;

	if (valid->message.len)
		return;
	va_start(args, fmt);
	buf_vaddf(&valid->message, fmt, args);
	va_end(args);
}

const char *
valid_type(struct span value)
{
	static const char *const names[] = { [JTEXT_NULL] = "null",
		[JTEXT_FALSE] = "boolean",
		[JTEXT_TRUE] = "boolean",
		[JTEXT_NUMBER] = "number",
		[JTEXT_STRING] = "string",
		[JTEXT_ARRAY] = "array",
		[JTEXT_OBJECT] = "object" };

	return names[jtext_type(value)];
}

bool
valid_body(struct valid *valid, struct span body)
{
	valid->object = body;
	if (!body.s)
		valid_issue(valid, "Required");
	else if (jtext_type(body) != JTEXT_OBJECT)
		valid_issue(valid, "Expected object, received %s", valid_type(body));
	return !valid->message.len;
}

/* The member; false when it is not there, which is an issue when it is required. */
static bool
member(struct valid *valid, const char *key, unsigned flags, struct span *ret)
{
	if (valid->message.len)
		return false;
	if (jtext_get(valid->object, key, ret))
		return true;
	if (flags & VALID_REQUIRED)
		valid_issue(valid, "Required");
	return false;
}

bool
valid_string(struct valid *valid, const char *key, unsigned flags, size_t min, size_t max, struct buf *to)
{
	struct span value;

	if (!member(valid, key, flags, &value))
		return false;
	if (!jtext_string(value, to)) {
		valid_issue(valid, "Expected string, received %s", valid_type(value));
		return false;
	}
	if (flags & VALID_TRIM)
		blank_trim_buf(to, BLANK_JS);
	if (to->len < min)
		valid_issue(valid, "String must contain at least %zu character(s)", min);
	else if (max && utf8_utf16_len(to->s, to->len) > max)
		valid_issue(valid, "String must contain at most %zu character(s)", max);
	return !valid->message.len;
}

static void
add_choices(struct buf *to, const char *const *words, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		buf_addf(to, "%s'%s'", i ? " | " : "", words[i]);
}

static int
choose(struct valid *valid, struct span value, const char *const *words, size_t n)
{
	struct buf text = BUF_INIT, choices = BUF_INIT;
	int found = -1;
	size_t i;

	add_choices(&choices, words, n);
	if (!jtext_string(value, &text))
		valid_issue(valid, "Expected %s, received %s", choices.s, valid_type(value));
	else {
		for (i = 0; i < n && found < 0; i++)
			if (text.len == strlen(words[i]) && !memcmp(text.s, words[i], text.len))
				found = (int)i;
		if (found < 0)
			valid_issue(valid, "Invalid enum value. Expected %s, received '%s'", choices.s, text.s);
	}
	buf_release(&text);
	buf_release(&choices);
	return found;
}

int
valid_enum(struct valid *valid, const char *key, unsigned flags, const char *const *words, size_t n)
{
	struct span value;

	return member(valid, key, flags, &value) ? choose(valid, value, words, n) : -1;
}

bool
valid_bool(struct valid *valid, const char *key, bool *ret)
{
	struct span value;

	if (!member(valid, key, 0, &value))
		return false;
	if (jtext_type(value) != JTEXT_TRUE && jtext_type(value) != JTEXT_FALSE) {
		valid_issue(valid, "Expected boolean, received %s", valid_type(value));
		return false;
	}
	*ret = jtext_type(value) == JTEXT_TRUE;
	return true;
}

bool
valid_array(struct valid *valid, const char *key, struct span *ret)
{
	if (!member(valid, key, VALID_REQUIRED, ret))
		return false;
	if (jtext_type(*ret) != JTEXT_ARRAY)
		valid_issue(valid, "Expected array, received %s", valid_type(*ret));
	return !valid->message.len;
}

void
valid_query(struct valid *valid, const struct request *request, const char *key, int64_t min, int64_t max, int64_t *ret)
{
	struct buf text = BUF_INIT;
	double number;

	if (valid->message.len || !request_query(request, key, &text)) {
		buf_release(&text);
		return;
	}
	number = request_query_count(request, key) > 1 ? NAN : js_number(text.s, text.len);
	buf_release(&text);
	if (isnan(number))
		valid_issue(valid, "Expected number, received nan");
	else if (isinf(number) || floor(number) != number)
		valid_issue(valid, "Expected integer, received float");
	else if (number < (double)min)
		valid_issue(valid, "Number must be greater than or equal to %lld", (long long)min);
	else if (max && number > (double)max)
		valid_issue(valid, "Number must be less than or equal to %lld", (long long)max);
	else
		*ret = number >= 9223372036854775807.0 ? INT64_MAX : (int64_t)number;
}

int
valid_query_enum(struct valid *valid, const struct request *request, const char *key, const char *const *words, size_t n)
{
	struct buf text = BUF_INIT, quoted = BUF_INIT, choices = BUF_INIT;
	int found = -1;

	if (!valid->message.len && request_query(request, key, &text)) {
		if (request_query_count(request, key) > 1) {
			add_choices(&choices, words, n);
			valid_issue(valid, "Expected %s, received array", choices.s);
		} else {
			jtext_quote(&quoted, text.s, text.len);
			found = choose(valid, span_of(&quoted), words, n);
		}
	}
	buf_release(&text);
	buf_release(&quoted);
	buf_release(&choices);
	return found;
}

bool
valid_failed(struct valid *valid, struct call *call)
{
	bool failed = valid->message.len > 0;

	if (failed)
		call_fail_text(call, 400, "INVALID_REQUEST", valid->message.s, NULL);
	buf_release(&valid->message);
	return failed;
}
