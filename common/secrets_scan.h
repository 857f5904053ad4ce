/* secrets_scan.h - the characters of a text that is looked at: what stands at i? Private to secrets*.c.
 *
 * i is at most t->n. Inline: every rule asks them at every character that it may begin with.
 */
#ifndef SECRETS_SCAN_H
#define SECRETS_SCAN_H

#include "compat.h"

#include <string.h>
#include <strings.h>

#include "blank.h"
#include "secrets_internal.h"

#define QUOTED_MAX 4096 /* bytes in which a quote must close, on its line */

/* Bytes of the blank at i, as JavaScript's \s has it; 0: none is there. */
static inline size_t
blank_here(const struct text *t, size_t i)
{
	return blank_at(t->s + i, t->n - i, BLANK_JS);
}

/* Past the blanks at i. */
static inline size_t
skip_blanks(const struct text *t, size_t i)
{
	size_t len;

	while ((len = blank_here(t, i)))
		i += len;
	return i;
}

static inline bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static inline bool
is_word(char c)
{
	return is_alnum(c) || c == '_';
}

static inline bool
is_token(char c)
{
	return is_word(c) || c == '-';
}

static inline bool
is_bearer(char c)
{
	return is_token(c) || c == '.' || c == '~' || c == '+' || c == '/' || c == '=';
}

static inline bool
is_upper_or_digit(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static inline size_t
run_end(const struct text *t, size_t i, bool (*is)(char))
{
	while (i < t->n && is(t->s[i]))
		i++;
	return i;
}

static inline bool
has(const struct text *t, size_t i, const char *word)
{
	size_t n;

	if (i >= t->n || t->s[i] != *word)
		return false;
	n = strlen(word);
	return t->n - i >= n && !memcmp(t->s + i, word, n);
}

static inline bool
has_case(const struct text *t, size_t i, const char *word)
{
	size_t n = strlen(word);

	return t->n - i >= n && !strncasecmp(t->s + i, word, n);
}

/* Does a word begin at i? */
static inline bool
begins(const struct text *t, size_t i)
{
	return !i || !is_word(t->s[i - 1]);
}

/* The quote at i, with the backslashes that JSON in JSON puts before it; its length, 0: none. */
static inline size_t
quote_at(const struct text *t, size_t i)
{
	size_t at = i;

	while (at < t->n && t->s[at] == '\\' && at - i < 8)
		at++;
	return at < t->n && (t->s[at] == '"' || t->s[at] == '\'') ? at - i + 1 : 0;
}

/* Where the quote of `len` bytes at i closes: the first byte of that. 0: not on this line. */
static inline size_t
quote_end(const struct text *t, size_t i, size_t len)
{
	size_t at, end = t->n - i > QUOTED_MAX ? i + QUOTED_MAX : t->n;

	for (at = i + len; at + len <= end && t->s[at] != '\n'; at++) {
		size_t slashes = 0;

		while (at + slashes < end && t->s[at + slashes] == '\\')
			slashes++;
		if (at + slashes < end && t->s[at + slashes] == t->s[i + len - 1] && slashes < len)
			return at + slashes - (slashes < len - 1 ? slashes : len - 1);
		at += slashes;
	}
	return 0;
}

#endif
