/* jsplit.c - take the items of a long JSON answer apart while it arrives
 *
 * A value is collected, compacted, until the comma or bracket behind it; then it is checked as a whole and given away.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "blank.h"
#include "buf.h"
#include "err.h"
#include "jsplit.h"
#include "status.h"
#include "xalloc.h"

enum state {
	START,	   /* nothing but blanks so far */
	KEY,	   /* in the object, before or inside a member's name */
	KEY_FIRST, /* the same, directly behind the opening brace */
	VALUE,	   /* before or inside a member's value */
	AFTER_VALUE,
	ITEM,	    /* before or inside an item */
	ITEM_FIRST, /* the same, directly behind the opening bracket */
	AFTER_ITEM,
	END, /* the answer is complete; only blanks may follow */
	STOPPED,
};

struct jsplit {
	enum state state;
	char *member;
	size_t item_max;
	jsplit_item_cb *cb;
	void *payload;
	bool bare;	  /* the answer is the array itself */
	bool seen;	  /* the array was there */
	struct buf value; /* what is being collected, compact */
	unsigned depth;	  /* of brackets in it */
	bool string, escape, blank;
	struct buf key; /* quoted */
	struct buf rest;
	uint64_t offset;
};

struct jsplit *
jsplit_new(const char *member, size_t item_max, jsplit_item_cb *cb, void *payload)
{
	struct jsplit *split = xcalloc(1, sizeof *split);

	split->member = xstrdup(member);
	split->item_max = item_max;
	split->cb = cb;
	split->payload = payload;
	buf_init(&split->value);
	buf_init(&split->key);
	buf_init(&split->rest);
	buf_addch(&split->rest, '{');
	return split;
}

void
jsplit_free(struct jsplit *split)
{
	if (!split)
		return;
	free(split->member);
	buf_release(&split->value);
	buf_release(&split->key);
	buf_release(&split->rest);
	free(split);
}

struct span
jsplit_rest(const struct jsplit *split)
{
	return span_of(&split->rest);
}

static bool
broken(const struct jsplit *split, size_t i, const char *wrong, struct err *err)
{
	return err_set(err, STATUS_PROTOCOL, "not the JSON expected: %s at byte %llu", wrong, (unsigned long long)(split->offset + i + 1));
}

/* Inside a string: up to its end or to the end of the bytes. */
static size_t
collect_string(struct jsplit *split, const char *s, size_t n, size_t i)
{
	size_t start = i;

	while (i < n) {
		const char *quote, *slash;

		if (split->escape) {
			split->escape = false;
			i++;
			continue;
		}
		quote = memchr(s + i, '"', n - i);
		slash = memchr(s + i, '\\', quote ? (size_t)(quote - s) - i : n - i);
		if (slash) {
			split->escape = true;
			i = (size_t)(slash - s) + 1;
			continue;
		}
		i = quote ? (size_t)(quote - s) + 1 : n;
		split->string = !quote;
		if (quote)
			break;
	}
	buf_add(&split->value, s + start, i - start);
	return i;
}

/* A blank between two values that nothing separates must not make one of them: it is kept, so that the check finds it. */
static void
keep_separation(struct jsplit *split, char next)
{
	if (split->blank && split->value.len && !strchr("{[,:", split->value.s[split->value.len - 1]) && !strchr("}],:", next))
		buf_addch(&split->value, ' ');
	split->blank = false;
}

/* Collects from s[i]; stops at the comma or bracket behind the value (not consumed), or at the end of the bytes. */
static size_t
collect(struct jsplit *split, const char *s, size_t n, size_t i, bool *ret_done)
{
	*ret_done = false;
	while (i < n) {
		size_t start = i;

		if (split->string) {
			i = collect_string(split, s, n, i);
			continue;
		}
		if (blank_json(s[i])) {
			split->blank = true;
			while (i < n && blank_json(s[i]))
				i++;
			continue;
		}
		if (!split->depth && (s[i] == ',' || s[i] == ']' || s[i] == '}')) {
			*ret_done = true;
			split->blank = false;
			return i;
		}
		keep_separation(split, s[i]);
		for (; i < n && !split->string; i++) {
			char c = s[i];

			if (blank_json(c) || (!split->depth && (c == ',' || c == ']' || c == '}')))
				break;
			if (c == '{' || c == '[')
				split->depth++;
			else if (c == '}' || c == ']')
				split->depth--;
			else if (c == '"')
				split->string = true;
		}
		buf_add(&split->value, s + start, i - start);
	}
	return i;
}

static bool
take_item(struct jsplit *split, size_t i, struct err *err)
{
	struct span value;
	struct err why = ERR_INIT;

	if (!jtext_check(split->value.s, split->value.len, false, &value, &why))
		return broken(split, i, why.text, err);
	if (!split->cb(value.s, value.n, split->payload))
		split->state = STOPPED;
	buf_reset(&split->value);
	return true;
}

static bool
take_member(struct jsplit *split, size_t i, struct err *err)
{
	struct span value;
	struct err why = ERR_INIT;

	if (!jtext_check(split->value.s, split->value.len, false, &value, &why))
		return broken(split, i, why.text, err);
	if (split->rest.len > 1)
		buf_addch(&split->rest, ',');
	buf_add(&split->rest, split->key.s, split->key.len);
	buf_addch(&split->rest, ':');
	buf_add(&split->rest, value.s, value.n);
	buf_reset(&split->value);
	return true;
}

static bool
too_long(const struct jsplit *split, size_t i, struct err *err)
{
	size_t max = split->state == ITEM || split->state == ITEM_FIRST
	    ? split->item_max
	    : JSPLIT_REST_MAX - (split->rest.len < JSPLIT_REST_MAX ? split->rest.len : JSPLIT_REST_MAX);

	if (split->value.len <= max)
		return false;
	(void)broken(split, i, "a value is too long", err);
	return true;
}

/* The name before a colon. */
static bool
take_key(struct jsplit *split, size_t i, struct err *err)
{
	struct span key;

	if (!jtext_check(split->value.s, split->value.len, false, &key, NULL) || jtext_type(key) != JTEXT_STRING)
		return broken(split, i, "expected a name", err);
	buf_reset(&split->key);
	buf_add(&split->key, key.s, key.n);
	buf_reset(&split->value);
	split->state = VALUE;
	return true;
}

/* One byte (or run) in a state that is not inside a value; moves *i on. */
static bool
step(struct jsplit *split, const char *s, size_t n, size_t *i, struct err *err)
{
	bool done;
	char c = s[*i];

	switch (split->state) {
	case START:
		if (c != '{' && c != '[')
			return broken(split, *i, "expected an object or an array", err);
		split->bare = split->seen = c == '[';
		split->state = c == '[' ? ITEM_FIRST : KEY_FIRST;
		++*i;
		return true;
	case KEY_FIRST:
		if (c == '}' && !split->value.len) {
			split->state = END;
			++*i;
			return true;
		}
		split->state = KEY;
		return true;
	case KEY:
		if (!split->string && split->value.len) {
			if (c != ':')
				return broken(split, *i, "expected ':'", err);
			++*i;
			return take_key(split, *i, err);
		}
		if (!split->value.len) {
			if (c != '"')
				return broken(split, *i, "expected a name", err);
			buf_addch(&split->value, '"');
			split->string = true;
			++*i;
			return true;
		}
		*i = collect_string(split, s, n, *i);
		return !too_long(split, *i, err);
	case VALUE:
		if (!split->value.len && c == '[' && jtext_is_string(span_of(&split->key), split->member) && !split->seen) {
			split->seen = true;
			split->state = ITEM_FIRST;
			++*i;
			return true;
		}
		*i = collect(split, s, n, *i, &done);
		if (too_long(split, *i, err))
			return false;
		if (done && !take_member(split, *i, err))
			return false;
		if (done)
			split->state = AFTER_VALUE;
		return true;
	case ITEM_FIRST:
		if (c == ']') {
			split->state = split->bare ? END : AFTER_VALUE;
			++*i;
			return true;
		}
		split->state = ITEM;
		return true;
	case ITEM:
		*i = collect(split, s, n, *i, &done);
		if (too_long(split, *i, err))
			return false;
		if (!done)
			return true;
		split->state = AFTER_ITEM;
		return take_item(split, *i, err);
	case AFTER_ITEM:
		if (c == ',')
			split->state = ITEM;
		else if (c == ']')
			split->state = split->bare ? END : AFTER_VALUE;
		else
			return broken(split, *i, "expected ',' or ']'", err);
		++*i;
		return true;
	case AFTER_VALUE:
		if (c == ',')
			split->state = KEY;
		else if (c == '}')
			split->state = END;
		else
			return broken(split, *i, "expected ',' or '}'", err);
		++*i;
		return true;
	case END:
	case STOPPED:
		break;
	}
	return broken(split, *i, "more text after the end", err);
}

bool
jsplit_feed(struct jsplit *split, const char *bytes, size_t n, struct err *err)
{
	size_t i = 0;

	while (i < n) {
		if (split->state == STOPPED)
			break;
		/* blanks mean something only inside a value that has begun */
		if (!split->string && !split->value.len && blank_json(bytes[i])) {
			i++;
			continue;
		}
		if (split->state == KEY && !split->string && blank_json(bytes[i])) {
			i++;
			continue;
		}
		if (!step(split, bytes, n, &i, err))
			return false;
	}
	split->offset += n;
	return true;
}

bool
jsplit_end(struct jsplit *split, struct err *err)
{
	if (split->state == STOPPED)
		return true;
	if (split->state != END)
		return err_set(err, STATUS_PROTOCOL, "the answer was cut off after %llu bytes", (unsigned long long)split->offset);
	if (!split->seen)
		return err_set(err, STATUS_PROTOCOL, "the answer holds no array '%s'", split->member);
	buf_addch(&split->rest, '}');
	return true;
}
