/* sanitize.c - secrets out of what people type */
#include "compat.h"

#include <string.h>
#include <strings.h>

#include "chat/sanitize.h"
#include "utf8.h"

/* Bytes of the blank (as \s has it) at s, 0 when there is none. */
static size_t
blank_at(const char *s, size_t n)
{
	size_t len;
	uint32_t c;

	if (!n)
		return 0;
	c = utf8_next(s, n, &len);
	if (c == ' ' || (c >= 0x09 && c <= 0x0d) || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
	    c == 0x205f || c == 0x3000 || c == 0xfeff)
		return len;
	return 0;
}

static size_t
skip_blanks(const char *s, size_t n, size_t i)
{
	size_t len;

	while ((len = blank_at(s + i, n - i)))
		i += len;
	return i;
}

void
sanitize_trim(const char **s, size_t *n)
{
	size_t start = skip_blanks(*s, *n, 0), end = *n, i;

	*s += start;
	end -= start;
	/* back over blanks: a character begins at most three bytes before its last one */
	for (i = end; i;) {
		size_t back = 1;

		while (back < 3 && back < i && ((unsigned char)(*s)[i - back] & 0xc0) == 0x80)
			back++;
		if (blank_at(*s + i - back, back) != back)
			break;
		i -= back;
	}
	*n = i;
}

static bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool
is_alnum(char c)
{
	return is_word(c) && c != '_';
}

static bool
starts_with(const char *s, size_t n, const char *word)
{
	return n >= strlen(word) && !strncasecmp(s, word, strlen(word));
}

/* Each rule: does it match at s[i], where a word may begin? Then the end of the match, and what stands for it is appended. 0: no. */

static size_t
rule_bearer(const char *s, size_t n, size_t i, struct buf *to)
{
	size_t value, end;

	if (!starts_with(s + i, n - i, "bearer"))
		return 0;
	value = skip_blanks(s, n, i + 6);
	for (end = value; end < n && (is_alnum(s[end]) || strchr("._-", s[end])) && s[end]; end++)
		;
	if (value == i + 6 || end == value)
		return 0;
	buf_add(to, s + i, 6);
	buf_addstr(to, " [REDACTED]");
	return end;
}

static size_t
rule_named(const char *s, size_t n, size_t i, struct buf *to)
{
	static const char *const names[] = { "api_key", "api-key", "apikey", "token", "password", "secret" };
	size_t k, at, value, end;

	for (k = 0; k < ARRAY_LEN(names); k++) {
		if (!starts_with(s + i, n - i, names[k]))
			continue;
		at = skip_blanks(s, n, i + strlen(names[k]));
		if (at >= n || (s[at] != ':' && s[at] != '='))
			continue;
		value = skip_blanks(s, n, at + 1);
		for (end = value; end < n && s[end] != ',' && s[end] != ';' && !blank_at(s + end, n - end); end++)
			;
		if (end == value)
			continue;
		buf_add(to, s + i, strlen(names[k]));
		buf_addstr(to, "=[REDACTED]");
		return end;
	}
	return 0;
}

static size_t
rule_sk(const char *s, size_t n, size_t i, struct buf *to)
{
	size_t end;

	if (n - i < 11 || memcmp(s + i, "sk-", 3))
		return 0;
	for (end = i + 3; end < n && is_alnum(s[end]); end++)
		;
	if (end - i < 11 || (end < n && is_word(s[end])))
		return 0;
	buf_addstr(to, "sk-[REDACTED]");
	return end;
}

typedef size_t rule_fn(const char *s, size_t n, size_t i, struct buf *to);

static void
apply(rule_fn *rule, struct buf *text)
{
	struct buf out = BUF_INIT;
	size_t i = 0, end;

	while (i < text->len) {
		end = i && is_word(text->s[i - 1]) ? 0 : rule(text->s, text->len, i, &out);
		if (end) {
			i = end;
			continue;
		}
		buf_addch(&out, text->s[i++]);
	}
	buf_release(text);
	*text = out;
}

void
sanitize(const char *s, size_t n, size_t max_units, struct sanitized *ret)
{
	static rule_fn *const rules[] = { rule_bearer, rule_named, rule_sk };
	size_t i;

	memset(ret, 0, sizeof *ret);
	buf_init(&ret->text);
	sanitize_trim(&s, &n);
	buf_add(&ret->text, s, n);
	ret->original_length = utf8_utf16_len(s, n);
	for (i = 0; i < ARRAY_LEN(rules); i++)
		apply(rules[i], &ret->text);
	ret->redacted = ret->text.len != n || memcmp(ret->text.s, s, n) != 0;
	ret->stored_length = utf8_utf16_len(ret->text.s, ret->text.len);
	if (ret->stored_length > max_units) {
		buf_cut(&ret->text, utf8_utf16_prefix(ret->text.s, ret->text.len, max_units));
		ret->stored_length = utf8_utf16_len(ret->text.s, ret->text.len);
		ret->truncated = true;
	}
}
