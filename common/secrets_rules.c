/* secrets_rules.c - what a secret looks like in a text, rule by rule */
#include "compat.h"

#include "buf.h"
#include "secrets_internal.h"
#include "secrets_scan.h"

#define USERINFO_MAX 512 /* bytes of user:password in an address */
#define SK_LOOK_MAX 256	 /* bytes of sk-… that decide whether it is a key */
#define PEM_HEAD_MAX 64	 /* bytes of what kind of key it is */

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
	for (end = value; end < t->n && !strchr(",;{}[]", t->s[end]) && !blank_here(t, end); end++)
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
	while (i < t->n && t->s[i] != ',' && t->s[i] != ';' && !blank_here(t, i))
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
		for (end = at + 1; end < t->n && t->s[end] != '<' && !blank_here(t, end); end++)
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
	for (end = value; end < t->n && !blank_here(t, end); end++)
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
	{ "agt_", is_token, 40, 0 },	       /* our own: token.h */
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

	for (at = i + 3; at < end && !strchr("/?#\"'<>\\", t->s[at]) && !blank_here(t, at); at++) {
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

/* In the order of the contract; and what the matches of each begin with. */
#define FOR_BEARER 1
#define FOR_NAMED 2
#define FOR_SK 4
#define FOR_OTHER 8
const struct rule secrets_rules[SECRETS_RULES] = {
	{ rule_bearer, FOR_BEARER, SECRETS_NEED_NOTHING },
	{ rule_named, FOR_NAMED, SECRETS_NEED_NOTHING },
	{ rule_sk, FOR_SK, SECRETS_NEED_NOTHING },
	{ rule_other, FOR_OTHER, SECRETS_NEED_NOTHING },
	{ rule_named_by_file, SECRETS_FOR_ANY, SECRETS_NEED_NAMES },
	{ rule_shape, SECRETS_FOR_ANY, SECRETS_NEED_SHAPES },
};
const unsigned char secrets_firsts[256] = {
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

/* ---- where any of them may begin */

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

/* Three characters are right: are the others? */
bool
secrets_may_begin(const struct text *t, size_t i)
{
	size_t k;

	for (k = 0; k < ARRAY_LEN(names); k++)
		if (may_begin(t, i, names[k]) && match_name(t, i, names[k]))
			return true;
	for (k = 0; k < ARRAY_LEN(more_names); k++)
		if (may_begin(t, i, more_names[k]) && match_name(t, i, more_names[k]))
			return true;
	for (k = 0; k < ARRAY_LEN(marks); k++)
		if (may_begin(t, i, marks[k]) && has_case(t, i, marks[k]))
			return t->s[i] != ':' || has_password(t, i, &(size_t){ 0 }, &(size_t){ 0 });
	for (k = 0; k < ARRAY_LEN(families); k++)
		if (has(t, i, families[k].prefix))
			return true;
	for (k = 0; t->secrets && k < t->secrets->n_names; k++)
		if (match_name(t, i, t->secrets->names[k]))
			return true;
	return false;
}

/* ---- names in documents */

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

bool
secrets_is_name(const struct secrets *secrets, const struct buf *key)
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
