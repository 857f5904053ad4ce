/* secrets.c - secrets out of texts and JSON documents */
#include "compat.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "secrets.h"
#include "secrets_internal.h"
#include "utf8.h"

#define REDACTED "[REDACTED]"
#define QUOTED_MAX 4096	 /* bytes in which a quote must close, on its line */
#define USERINFO_MAX 512 /* bytes of user:password in an address */
#define SK_LOOK_MAX 256	 /* bytes of sk-… that decide whether it is a key */
#define PEM_HEAD_MAX 64	 /* bytes of what kind of key it is */

/* A text that is looked at. */
struct text {
	const char *s;
	size_t n;
	const struct secrets *secrets;
};

/* ---- characters */

/* Bytes of the blank (as JavaScript's \s has it) at i, 0 when there is none. */
static size_t
blank_at(const struct text *t, size_t i)
{
	size_t len;
	uint32_t c;

	if (i >= t->n)
		return 0;
	if ((unsigned char)t->s[i] < 0x80)
		return t->s[i] == ' ' || (t->s[i] >= 0x09 && t->s[i] <= 0x0d);
	c = utf8_next(t->s + i, t->n - i, &len);
	if (c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
	    c == 0x3000 || c == 0xfeff)
		return len;
	return 0;
}

static size_t
skip_blanks(const struct text *t, size_t i)
{
	size_t len;

	while ((len = blank_at(t, i)))
		i += len;
	return i;
}

static bool
is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool
is_word(char c)
{
	return is_alnum(c) || c == '_';
}

static bool
is_token(char c)
{
	return is_word(c) || c == '-';
}

static bool
is_bearer(char c)
{
	return is_token(c) || c == '.' || c == '~' || c == '+' || c == '/' || c == '=';
}

static bool
is_upper_or_digit(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static size_t
run_end(const struct text *t, size_t i, bool (*is)(char))
{
	while (i < t->n && is(t->s[i]))
		i++;
	return i;
}

static bool
has(const struct text *t, size_t i, const char *word)
{
	size_t n;

	if (i >= t->n || t->s[i] != *word)
		return false;
	n = strlen(word);
	return t->n - i >= n && !memcmp(t->s + i, word, n);
}

static bool
has_case(const struct text *t, size_t i, const char *word)
{
	size_t n = strlen(word);

	return t->n - i >= n && !strncasecmp(t->s + i, word, n);
}

/* Does a word begin at i? */
static bool
begins(const struct text *t, size_t i)
{
	return !i || !is_word(t->s[i - 1]);
}

/* The quote at i, with the backslashes that JSON in JSON puts before it; its length, 0: none. */
static size_t
quote_at(const struct text *t, size_t i)
{
	size_t at = i;

	while (at < t->n && t->s[at] == '\\' && at - i < 8)
		at++;
	return at < t->n && (t->s[at] == '"' || t->s[at] == '\'') ? at - i + 1 : 0;
}

/* Where the quote of `len` bytes at i closes: the first byte of that. 0: not on this line. */
static size_t
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

/* ---- the rules: does one match at i? Then the end of the match, and what stands for it is appended. 0: no. */

/* \bbearer\s+[A-Za-z0-9._-]+ of the contract; the value goes on to where it really ends. */
static size_t
rule_bearer(const struct text *t, size_t i, struct buf *to)
{
	size_t value, end, quote;

	if (!has_case(t, i, "bearer") || !begins(t, i))
		return 0;
	value = skip_blanks(t, i + 6);
	if (value == i + 6)
		return 0;
	end = run_end(t, value, is_bearer);
	if (end == value || !(is_token(t->s[value]) || t->s[value] == '.'))
		return 0;
	if (t->s[end - 1] == '=' && (quote = quote_at(t, end)) && quote_end(t, end, quote))
		end = quote_end(t, end, quote) + quote;
	buf_add(to, t->s + i, 6);
	buf_addstr(to, " " REDACTED);
	return end;
}

/* '~' stands for '_', '-' or nothing. The first six are the contract's. */
static const char *const names[] = { "api~key", "token", "password", "secret", "secret~key", "access~key", "private~key", "account~key",
	"signing~key", "encryption~key", "auth~key", "passwd", "pass~phrase", "pass~word", "pwd" };

/* Names of members only: in a text they say too little. */
static const char *const more_names[] = { "authorization", "cookie", "credential", "credentials" };

/* What the other rules look for first. */
static const char *const marks[] = { "bearer", "sk-", "eyj", "://", "-----begin", "authorization" };

/* The end of the name at i, 0 when it does not stand there. */
static size_t
match_name(const struct text *t, size_t i, const char *name)
{
	for (; *name; name++) {
		if (*name == '~') {
			i += i < t->n && (t->s[i] == '_' || t->s[i] == '-');
			continue;
		}
		if (i >= t->n || (t->s[i] | (is_alnum(t->s[i]) ? 0x20 : 0)) != (*name | (is_alnum(*name) ? 0x20 : 0)))
			return 0;
		i++;
	}
	return i;
}

static bool
is_literal(const struct text *t, size_t i, size_t end)
{
	static const char *const words[] = { "null", "true", "false" };
	size_t k;

	for (k = 0; k < ARRAY_LEN(words); k++)
		if (end - i == strlen(words[k]) && has(t, i, words[k]))
			return true;
	return false;
}

static bool
is_number(const struct text *t, size_t i, size_t end)
{
	for (; i < end; i++)
		if (!strchr("0123456789.+-eE", t->s[i]) || !t->s[i])
			return false;
	return true;
}

/* "name": value. What stands there stays JSON. */
static size_t
quoted_value(const struct text *t, size_t i, size_t name_end, size_t quote, size_t value, struct buf *to)
{
	size_t open = quote_at(t, value), end;

	if (open && (end = quote_end(t, value, open))) {
		if (end == value + open)
			return 0; /* nothing in it */
		buf_add(to, t->s + i, value + open - i);
		buf_addstr(to, REDACTED);
		return end;
	}
	for (end = value; end < t->n && !strchr(",;{}[]", t->s[end]) && !blank_at(t, end); end++)
		;
	if (end == value || is_literal(t, value, end) || (is_number(t, value, end) && t->s[name_end - 1] == 'n'))
		return 0;
	if (is_number(t, value, end)) {
		buf_add(to, t->s + i, value - i);
		buf_add(to, t->s + name_end, quote);
		buf_addstr(to, REDACTED);
		buf_add(to, t->s + name_end, quote);
	} else {
		buf_add(to, t->s + i, value - i);
		buf_addstr(to, REDACTED);
	}
	return end;
}

static size_t
value_end(const struct text *t, size_t i)
{
	while (i < t->n && t->s[i] != ',' && t->s[i] != ';' && !blank_at(t, i))
		i++;
	return i;
}

/* name = value, name: value. The contract's value ends at a blank, a comma, a semicolon; one in quotes where they close. */
static size_t
plain_value(const struct text *t, size_t i, size_t name_end, size_t value, struct buf *to)
{
	size_t end, open = quote_at(t, value), close;

	end = value_end(t, value);
	/* nothing, or what was put here before and then cut */
	if (end == value || (end == t->n && end - value < sizeof REDACTED - 1 && !memcmp(t->s + value, REDACTED, end - value)))
		return 0;
	if (open && (close = quote_end(t, value, open)) && close + open > end)
		end = value_end(t, close + open);
	buf_add(to, t->s + i, name_end - i);
	buf_addstr(to, "=" REDACTED);
	return end;
}

static size_t
after_name(const struct text *t, size_t i, size_t name_end, struct buf *to)
{
	size_t quote = quote_at(t, name_end), at = skip_blanks(t, name_end + quote), value, end;

	if (at < t->n && (t->s[at] == ':' || t->s[at] == '=')) {
		at += at + 1 < t->n && t->s[at] == '=' && t->s[at + 1] == '>';
		value = skip_blanks(t, at + 1);
		/* where the shell is, is no secret */
		if (name_end - i == 3 && value < t->n && (t->s[value] == '/' || t->s[value] == '~'))
			return 0;
		return quote ? quoted_value(t, i, name_end, quote, value, to) : plain_value(t, i, name_end, value, to);
	}
	if (quote)
		return 0;
	if (at == name_end && at < t->n && t->s[at] == '>') { /* <password>x< */
		for (end = at + 1; end < t->n && t->s[end] != '<' && !blank_at(t, end); end++)
			;
		if (end == at + 1)
			return 0;
		buf_add(to, t->s + i, at + 1 - i);
		buf_addstr(to, REDACTED);
		return end;
	}
	return 0;
}

/* --db-password x */
static size_t
after_option(const struct text *t, size_t i, size_t name_end, struct buf *to)
{
	size_t start = i, value, end;

	while (start && is_token(t->s[start - 1]) && i - start < 32)
		start--;
	value = skip_blanks(t, name_end);
	if (!has(t, start, "--") || value == name_end || value >= t->n || t->s[value] == '-')
		return 0;
	for (end = value; end < t->n && !blank_at(t, end); end++)
		;
	buf_add(to, t->s + i, name_end - i);
	buf_addstr(to, " " REDACTED);
	return end;
}

/* Two characters tell most of them apart. No name has '~' there. */
static bool
may_begin(const struct text *t, size_t i, const char *name)
{
	return i + 1 < t->n && (t->s[i] | 0x20) == name[0] && (t->s[i + 1] | 0x20) == name[1];
}

static size_t
try_name(const struct text *t, size_t i, const char *name, struct buf *to)
{
	size_t name_end = match_name(t, i, name), end;

	if (!name_end)
		return 0;
	end = after_name(t, i, name_end, to);
	return end ? end : after_option(t, i, name_end, to);
}

static size_t
rule_named(const struct text *t, size_t i, struct buf *to)
{
	size_t k, end;

	for (k = 0; k < ARRAY_LEN(names); k++)
		if (may_begin(t, i, names[k]) && (end = try_name(t, i, names[k], to)))
			return end;
	return 0;
}

static size_t
rule_named_by_file(const struct text *t, size_t i, struct buf *to)
{
	size_t k, end;

	for (k = 0; k < t->secrets->n_names; k++)
		if ((end = try_name(t, i, t->secrets->names[k], to)))
			return end;
	return 0;
}

/* \bsk-[A-Za-z0-9]{8,}\b of the contract; sk-proj-… and the like; others only when they look random. */
static size_t
rule_sk(const struct text *t, size_t i, struct buf *to)
{
	static const char *const kinds[] = { "proj-", "ant-", "svcacct-", "admin-", "or-" };
	size_t short_end, long_end, k;
	bool digit = false, known = false;

	if (!has(t, i, "sk-") || !begins(t, i))
		return 0;
	short_end = run_end(t, i + 3, is_alnum);
	for (long_end = i + 3; long_end < t->n && long_end - i < SK_LOOK_MAX && is_token(t->s[long_end]); long_end++)
		;
	for (k = 0; k < ARRAY_LEN(kinds); k++)
		known = known || (has(t, i + 3, kinds[k]) && long_end - i - 3 >= strlen(kinds[k]) + 8);
	for (k = i + 3; k < long_end && !digit; k++)
		digit = t->s[k] >= '0' && t->s[k] <= '9';
	if (known || (digit && long_end - i - 3 >= 20 && long_end - short_end >= 8))
		short_end = run_end(t, long_end, is_token);
	else if (short_end - i < 11 || (short_end < t->n && is_word(t->s[short_end])))
		return 0;
	buf_addstr(to, "sk-" REDACTED);
	return short_end;
}

/* Keys that can be told by their beginning. */
static const struct family {
	const char *prefix;
	bool (*is)(char);
	size_t min, max; /* characters after the prefix; max 0: as many as there are */
} families[] = {
	{ "AKIA", is_upper_or_digit, 16, 16 }, /* Amazon */
	{ "ASIA", is_upper_or_digit, 16, 16 },
	{ "ABIA", is_upper_or_digit, 16, 16 },
	{ "ACCA", is_upper_or_digit, 16, 16 },
	{ "AIza", is_token, 30, 0 }, /* Google */
	{ "ya29.", is_token, 20, 0 },
	{ "GOCSPX-", is_token, 20, 0 },
	{ "ghp_", is_word, 20, 0 }, /* GitHub */
	{ "gho_", is_word, 20, 0 },
	{ "ghu_", is_word, 20, 0 },
	{ "ghs_", is_word, 20, 0 },
	{ "ghr_", is_word, 20, 0 },
	{ "github_pat_", is_word, 20, 0 },
	{ "glpat-", is_token, 16, 0 }, /* GitLab */
	{ "xoxa-", is_token, 8, 0 },   /* Slack */
	{ "xoxb-", is_token, 8, 0 },
	{ "xoxc-", is_token, 8, 0 },
	{ "xoxd-", is_token, 8, 0 },
	{ "xoxe-", is_token, 8, 0 },
	{ "xoxo-", is_token, 8, 0 },
	{ "xoxp-", is_token, 8, 0 },
	{ "xoxr-", is_token, 8, 0 },
	{ "xoxs-", is_token, 8, 0 },
	{ "xapp-", is_token, 16, 0 },
	{ "sk_live_", is_word, 10, 0 }, /* Stripe */
	{ "sk_test_", is_word, 10, 0 },
	{ "rk_live_", is_word, 10, 0 },
	{ "rk_test_", is_word, 10, 0 },
	{ "whsec_", is_word, 16, 0 },
	{ "npm_", is_alnum, 30, 0 },
	{ "pypi-Ag", is_token, 20, 0 },
	{ "hf_", is_alnum, 24, 0 },
	{ "dop_v1_", is_alnum, 32, 0 },
	{ "shpat_", is_alnum, 24, 0 },
	{ "SG.", is_bearer, 32, 0 },
};

static size_t
rule_family(const struct text *t, size_t i, struct buf *to)
{
	size_t k, start, end;

	if (i + 2 >= t->n || !begins(t, i))
		return 0;
	for (k = 0; k < ARRAY_LEN(families); k++) {
		const struct family *family = &families[k];

		if (t->s[i] != family->prefix[0] || t->s[i + 1] != family->prefix[1] || !has(t, i, family->prefix))
			continue;
		start = i + strlen(family->prefix);
		end = run_end(t, start, family->is);
		if (end - start < family->min || (family->max && end - start > family->max) ||
		    (family->max && end < t->n && is_word(t->s[end])))
			continue;
		buf_addstr(to, family->prefix);
		buf_addstr(to, REDACTED);
		return end;
	}
	return 0;
}

/* eyJ….eyJ….…: a JSON web token */
static size_t
rule_jwt(const struct text *t, size_t i, struct buf *to)
{
	size_t first, second, third;

	if (!has(t, i, "eyJ") || (i && is_token(t->s[i - 1])))
		return 0;
	first = run_end(t, i, is_token);
	if (first - i < 10 || !has(t, first, ".eyJ"))
		return 0;
	second = run_end(t, first + 1, is_token);
	if (second - first < 10 || !has(t, second, "."))
		return 0;
	third = run_end(t, second + 1, is_token);
	buf_addstr(to, "eyJ" REDACTED);
	return third;
}

/* scheme://user:password@ */
static bool
has_password(const struct text *t, size_t i, size_t *ret_colon, size_t *ret_at)
{
	size_t at, colon = 0, end = t->n - i > USERINFO_MAX ? i + USERINFO_MAX : t->n, last = 0;

	for (at = i + 3; at < end && !strchr("/?#\"'<>\\", t->s[at]) && !blank_at(t, at); at++) {
		if (t->s[at] == ':' && !colon)
			colon = at;
		if (t->s[at] == '@')
			last = at;
	}
	*ret_colon = colon;
	*ret_at = last;
	return colon && last > colon + 1;
}

static size_t
rule_address(const struct text *t, size_t i, struct buf *to)
{
	size_t colon, last;

	if (!has(t, i, "://") || !has_password(t, i, &colon, &last))
		return 0;
	buf_add(to, t->s + i, colon + 1 - i);
	buf_addstr(to, REDACTED);
	return last;
}

/* -----BEGIN … PRIVATE KEY-----, to its end, or that of the text */
static size_t
rule_pem(const struct text *t, size_t i, struct buf *to)
{
	static const char begin[] = "-----BEGIN ", kind[] = "PRIVATE KEY-----", stop[] = "-----END ";
	size_t at, end = i + sizeof begin - 1 + PEM_HEAD_MAX;

	if (!has(t, i, begin))
		return 0;
	for (at = i + sizeof begin - 1; at < t->n && at < end && !has(t, at, kind) && t->s[at] != '\n'; at++)
		;
	if (at >= t->n || !has(t, at, kind))
		return 0;
	at += sizeof kind - 1;
	buf_add(to, t->s + i, at - i);
	buf_addstr(to, REDACTED);
	for (; at < t->n && !has(t, at, stop); at++)
		;
	return at;
}

/* Authorization: SCHEME value, for the schemes that rule_bearer does not know */
static size_t
rule_authorization(const struct text *t, size_t i, struct buf *to)
{
	size_t at, scheme, value, end, quote;

	if (!has_case(t, i, "authorization"))
		return 0;
	at = i + 13;
	quote = quote_at(t, at);
	at = skip_blanks(t, at + quote);
	if (at >= t->n || (t->s[at] != ':' && t->s[at] != '='))
		return 0;
	at = skip_blanks(t, at + 1);
	at += quote_at(t, at);
	scheme = at;
	end = run_end(t, scheme, is_bearer);
	value = skip_blanks(t, end);
	if (has(t, value, REDACTED))
		return 0; /* done before */
	if (end > scheme && value > end && value < t->n && is_bearer(t->s[value])) {
		end = run_end(t, value, is_bearer);
		buf_add(to, t->s + i, value - i);
	} else if (end - scheme >= 8)
		buf_add(to, t->s + i, scheme - i);
	else
		return 0;
	buf_addstr(to, REDACTED);
	return end;
}

static size_t
rule_other(const struct text *t, size_t i, struct buf *to)
{
	size_t end;

	switch (t->s[i]) {
	case ':':
		return rule_address(t, i, to);
	case '-':
		return rule_pem(t, i, to);
	case 'e':
		return rule_jwt(t, i, to);
	case 'a':
	case 'A':
		if ((end = rule_authorization(t, i, to)))
			return end;
		return rule_family(t, i, to);
	default:
		return rule_family(t, i, to);
	}
}

static size_t
rule_shape(const struct text *t, size_t i, struct buf *to)
{
	size_t k, end;

	for (k = 0; k < t->secrets->n_shapes; k++)
		if ((end = shape_match(&t->secrets->shapes[k], t->s, t->n, i))) {
			buf_addstr(to, REDACTED);
			return end;
		}
	return 0;
}

/* ---- a quick look: most texts have nothing that any rule could begin with */

static void
add_beginning(struct beginnings *beginnings, const char *three)
{
	unsigned h = (three[0] & 31u) << 10 | (three[1] & 31u) << 5 | (three[2] & 31u);

	beginnings->bits[h >> 3] |= (unsigned char)(1u << (h & 7));
}

void
beginnings_add(struct beginnings *beginnings, const char *word)
{
	static const char joins[] = "_-";
	const char *tilde = memchr(word, '~', strlen(word) < 3 ? strlen(word) : 3);
	struct buf other = BUF_INIT;
	size_t i;

	if (!tilde) {
		add_beginning(beginnings, word);
		return;
	}
	for (i = 0; i < sizeof joins; i++) {
		buf_reset(&other);
		buf_add(&other, word, (size_t)(tilde - word));
		if (joins[i])
			buf_addch(&other, joins[i]);
		buf_addstr(&other, tilde + 1);
		beginnings_add(beginnings, other.s);
	}
	buf_release(&other);
}

void
beginnings_know(struct beginnings *beginnings)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		beginnings_add(beginnings, names[i]);
	for (i = 0; i < ARRAY_LEN(more_names); i++)
		beginnings_add(beginnings, more_names[i]);
	for (i = 0; i < ARRAY_LEN(marks); i++)
		beginnings_add(beginnings, marks[i]);
	for (i = 0; i < ARRAY_LEN(families); i++)
		beginnings_add(beginnings, families[i].prefix);
}

static struct beginnings known_beginnings;

static void
make_beginnings(void)
{
	beginnings_know(&known_beginnings);
}

static bool
has_bit(const struct beginnings *beginnings, unsigned h)
{
	return beginnings->bits[h >> 3] >> (h & 7) & 1;
}

/* Three characters are right: are the others? */
static bool
may_begin_here(const struct text *t, size_t i)
{
	size_t k;

	for (k = 0; k < ARRAY_LEN(names); k++)
		if (may_begin(t, i, names[k]) && match_name(t, i, names[k]))
			return true;
	for (k = 0; k < ARRAY_LEN(more_names); k++)
		if (may_begin(t, i, more_names[k]) && match_name(t, i, more_names[k]))
			return true;
	for (k = 0; k < ARRAY_LEN(marks); k++)
		if (has_case(t, i, marks[k]))
			return t->s[i] != ':' || has_password(t, i, &(size_t){ 0 }, &(size_t){ 0 });
	for (k = 0; k < ARRAY_LEN(families); k++)
		if (has(t, i, families[k].prefix))
			return true;
	for (k = 0; t->secrets && k < t->secrets->n_names; k++)
		if (match_name(t, i, t->secrets->names[k]))
			return true;
	return false;
}

/* False: no rule matches anywhere. In a document an escape may hide a letter: then it is looked at closely. */
static bool
may_hold(const struct text *t, bool document)
{
	static pthread_once_t made = PTHREAD_ONCE_INIT;
	const struct beginnings *beginnings = t->secrets && t->secrets->n_names ? &t->secrets->beginnings : &known_beginnings;
	const char *end = t->s + t->n, *at;
	unsigned h = 0;
	size_t i;

	if (t->secrets && t->secrets->n_shapes)
		return true;
	pthread_once(&made, make_beginnings);
	if (document && t->n)
		for (at = t->s; (at = memchr(at, '\\', (size_t)(end - at))) && at + 1 < end; at += 2)
			if (at[1] == 'u' || at[1] == '/')
				return true;
	for (i = 0; i < t->n; i++) {
		h = (h << 5 | ((unsigned char)t->s[i] & 31u)) & (BEGINNINGS - 1);
		if (has_bit(beginnings, h) && i >= 2 && may_begin_here(t, i - 2))
			return true;
	}
	return false;
}

/* ---- texts */

/* In the order of the contract; and what the matches of each begin with. */
#define FOR_BEARER 1
#define FOR_NAMED 2
#define FOR_SK 4
#define FOR_OTHER 8
#define FOR_ANY 16 /* any character */
static const struct rule {
	size_t (*match)(const struct text *t, size_t i, struct buf *to);
	unsigned char bit;
} rules[] = {
	{ rule_bearer, FOR_BEARER },
	{ rule_named, FOR_NAMED },
	{ rule_sk, FOR_SK },
	{ rule_other, FOR_OTHER },
	{ rule_named_by_file, FOR_ANY },
	{ rule_shape, FOR_ANY },
};
static const unsigned char firsts[256] = {
	['b'] = FOR_BEARER,
	['B'] = FOR_BEARER,
	['a'] = FOR_NAMED | FOR_OTHER,
	['A'] = FOR_NAMED | FOR_OTHER,
	['t'] = FOR_NAMED,
	['T'] = FOR_NAMED,
	['p'] = FOR_NAMED | FOR_OTHER,
	['P'] = FOR_NAMED,
	['s'] = FOR_NAMED | FOR_SK | FOR_OTHER,
	['S'] = FOR_NAMED | FOR_OTHER,
	['e'] = FOR_NAMED | FOR_OTHER,
	['E'] = FOR_NAMED,
	[':'] = FOR_OTHER,
	['-'] = FOR_OTHER,
	['d'] = FOR_OTHER,
	['g'] = FOR_OTHER,
	['G'] = FOR_OTHER,
	['h'] = FOR_OTHER,
	['n'] = FOR_OTHER,
	['r'] = FOR_OTHER,
	['w'] = FOR_OTHER,
	['x'] = FOR_OTHER,
	['y'] = FOR_OTHER,
};

/* One rule all over the text. Nothing is copied before the first match. */
static bool
apply(const struct rule *rule, const struct text *t, struct buf *to)
{
	bool found = false;
	struct buf stand_in = BUF_INIT;
	size_t i = 0, kept = 0, end;

	while (i < t->n) {
		if (!(firsts[(unsigned char)t->s[i]] & rule->bit) && rule->bit != FOR_ANY) {
			i++;
			continue;
		}
		buf_reset(&stand_in);
		end = rule->match(t, i, &stand_in);
		if (!end) {
			i++;
			continue;
		}
		found = true;
		buf_add(to, t->s + kept, i - kept);
		buf_add(to, stand_in.s, stand_in.len);
		kept = i = end;
	}
	if (found)
		buf_add(to, t->s + kept, t->n - kept);
	buf_release(&stand_in);
	return found;
}

static bool
once(const struct secrets *secrets, const char *s, size_t n, struct buf *ret)
{
	struct text t = { .s = s, .n = n, .secrets = secrets };
	struct buf next = BUF_INIT;
	bool found = false;
	size_t i;

	if (!may_hold(&t, false))
		return false;
	for (i = 0; i < ARRAY_LEN(rules); i++) {
		if ((rules[i].match == rule_shape && (!secrets || !secrets->n_shapes)) ||
		    (rules[i].match == rule_named_by_file && (!secrets || !secrets->n_names)))
			continue;
		buf_reset(&next);
		if (!apply(&rules[i], &t, &next))
			continue;
		found = true;
		buf_release(ret);
		*ret = next;
		buf_init(&next);
		t.s = ret->s;
		t.n = ret->len;
	}
	buf_release(&next);
	return found;
}

/* Into `text`, which is empty; false: there is nothing to take out, and it stays so. */
static bool
clean(const struct secrets *secrets, const char *s, size_t n, struct buf *text)
{
	if (n && once(secrets, s, n, text) && (text->len != n || memcmp(text->s, s, n) != 0))
		return true;
	buf_reset(text);
	return false;
}

bool
secrets_text(const struct secrets *secrets, const char *s, size_t n, struct buf *to)
{
	struct buf text = BUF_INIT;
	bool found = clean(secrets, s, n, &text);

	buf_add(to, found ? text.s : s, found ? text.len : n);
	buf_release(&text);
	return found;
}

/* ---- documents */

/* What an event belongs to must stay what it is. */
static bool
is_identity(const struct buf *key)
{
	static const char *const kept[] = { "runId", "run_id", "parentRunId", "parent_run_id", "serviceId", "service_id", "agent",
		"agentId", "agent_id", "stepId", "step_id", "messageId", "message_id", "correlationId", "correlation_id", "causationId",
		"causation_id", "fromAgentId", "from_agent_id", "sessionId" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(kept); i++)
		if (key->len == strlen(kept[i]) && !memcmp(key->s, kept[i], key->len))
			return true;
	return false;
}

/* Does the key end in the name? */
static bool
ends_in(const struct text *key, const char *name)
{
	size_t i;

	for (i = 0; i + 3 <= key->n; i++)
		if (match_name(key, i, name) == key->n)
			return true;
	return false;
}

static bool
is_secret_name(const struct secrets *secrets, const struct buf *key)
{
	struct text t = { .s = key->s, .n = key->len };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		if (ends_in(&t, names[i]))
			return true;
	for (i = 0; i < ARRAY_LEN(more_names); i++)
		if (ends_in(&t, more_names[i]))
			return true;
	for (i = 0; secrets && i < secrets->n_names; i++)
		if (ends_in(&t, secrets->names[i]))
			return true;
	return false;
}

/* A walk over the tokens of a document. */
struct walk {
	const struct secrets *secrets;
	struct buf *to;
	struct buf key, text, clean;
	size_t depth, secret_depth; /* secret_depth: everything deeper than this is under a secret name; 0: nothing is */
	bool secret;		    /* the next value is one */
	bool found;
};

static void
walk_string(struct walk *walk, struct span token, bool is_key)
{
	bool secret = walk->secret || (walk->secret_depth && walk->depth >= walk->secret_depth);
	struct span plain = { token.s + 1, token.n - 2 };

	if (is_key) {
		buf_reset(&walk->key);
		jtext_string(token, &walk->key);
		walk->secret = is_secret_name(walk->secrets, &walk->key);
	} else
		walk->secret = false;
	if (!is_key && secret && token.n > 2 && !jtext_is_string(token, REDACTED)) {
		buf_addstr(walk->to, "\"" REDACTED "\"");
		walk->found = true;
		return;
	}
	if (!is_key && (secret || is_identity(&walk->key))) {
		buf_add(walk->to, token.s, token.n);
		return;
	}
	buf_reset(&walk->text);
	buf_reset(&walk->clean);
	/* without escapes the text is what stands there */
	if (memchr(token.s, '\\', token.n)) {
		jtext_string(token, &walk->text);
		plain = (struct span){ walk->text.s, walk->text.len };
	}
	if (clean(walk->secrets, plain.s, plain.n, &walk->clean)) {
		jtext_quote(walk->to, walk->clean.s, walk->clean.len);
		walk->found = true;
	} else
		buf_add(walk->to, token.s, token.n);
}

static size_t
string_end(const char *s, size_t n, size_t i)
{
	for (i++; i < n && s[i] != '"'; i++)
		i += s[i] == '\\';
	return i < n ? i + 1 : n;
}

static void
walk_number(struct walk *walk, struct span token)
{
	bool under = walk->secret_depth && walk->depth >= walk->secret_depth;

	if ((walk->secret || under) && !(walk->key.len >= 5 && !strncasecmp(walk->key.s + walk->key.len - 5, "token", 5))) {
		buf_addstr(walk->to, "\"" REDACTED "\"");
		walk->found = true;
	} else
		buf_add(walk->to, token.s, token.n);
	walk->secret = false;
}

static void
walk_bracket(struct walk *walk, char c)
{
	if (c == '{' || c == '[') {
		walk->depth++;
		if (walk->secret && !walk->secret_depth)
			walk->secret_depth = walk->depth;
		walk->secret = false;
	} else {
		if (walk->secret_depth == walk->depth)
			walk->secret_depth = 0;
		walk->depth--;
	}
	buf_reset(&walk->key); /* the strings of a list have no name of their own */
	buf_addch(walk->to, c);
}

bool
secrets_json(const struct secrets *secrets, struct span value, struct buf *to)
{
	struct walk walk = { .secrets = secrets, .to = to, .key = BUF_INIT, .text = BUF_INIT, .clean = BUF_INIT };
	size_t i = 0, end;

	if (!may_hold(&(struct text){ .s = value.s, .n = value.n, .secrets = secrets }, true)) {
		buf_add(to, value.s, value.n);
		return false;
	}
	while (i < value.n) {
		char c = value.s[i];

		if (c == '"') {
			size_t next;

			end = string_end(value.s, value.n, i);
			for (next = end; next < value.n && strchr(" \t\r\n", value.s[next]); next++)
				;
			walk_string(&walk, (struct span){ value.s + i, end - i }, next < value.n && value.s[next] == ':');
			i = end;
		} else if (c == '-' || (c >= '0' && c <= '9')) {
			for (end = i + 1; end < value.n && strchr("0123456789.+-eE", value.s[end]); end++)
				;
			walk_number(&walk, (struct span){ value.s + i, end - i });
			i = end;
		} else if (strchr("{}[]", c) && c) {
			walk_bracket(&walk, c);
			i++;
		} else {
			if (c == 't' || c == 'f' || c == 'n')
				walk.secret = false;
			buf_addch(to, c);
			i++;
		}
	}
	buf_release(&walk.key);
	buf_release(&walk.text);
	buf_release(&walk.clean);
	return walk.found;
}
