/* secrets.c - secrets out of texts */
#include "compat.h"

#include <ctype.h>
#include <pthread.h>
#include <string.h>

#include "buf.h"
#include "secrets_internal.h"

/* ---- a quick look: most texts have nothing that any rule could begin with */

static unsigned
pair_at(const char *s)
{
	uint16_t pair;

	memcpy(&pair, s, sizeof pair);
	return pair;
}

static unsigned
three_at(const char *s)
{
	return (s[0] & 31u) << 10 | (s[1] & 31u) << 5 | (s[2] & 31u);
}

static void
add_pair(struct beginnings *beginnings, const char *two, unsigned char which)
{
	unsigned k;

	for (k = 0; k < 4; k++) {
		const char pair[] = { (char)(k & 1 ? toupper((unsigned char)two[0]) : tolower((unsigned char)two[0])),
			(char)(k & 2 ? toupper((unsigned char)two[1]) : tolower((unsigned char)two[1])) };

		beginnings->pairs[pair_at(pair)] |= which;
	}
}

static void
add_beginning(struct beginnings *beginnings, const char *three)
{
	unsigned i = three_at(three);

	beginnings->bits[i >> 3] |= (unsigned char)(1u << (i & 7));
	add_pair(beginnings, three, PAIR_FIRST);
	add_pair(beginnings, three + 1, PAIR_LAST);
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

static struct beginnings known_beginnings;

static void
make_beginnings(void)
{
	beginnings_know(&known_beginnings);
}

static bool
begins_at(const struct text *t, const struct beginnings *beginnings, size_t i)
{
	unsigned three;

	if (i + 3 > t->n)
		return false;
	three = three_at(t->s + i);
	return (beginnings->bits[three >> 3] >> (three & 7) & 1) && secrets_may_begin(t, i);
}

/* False: no rule matches anywhere. In a document an escape may hide a letter: then it is looked at closely. */
bool
secrets_may_hold(const struct text *t, bool document)
{
	static pthread_once_t made = PTHREAD_ONCE_INIT;
	const struct beginnings *beginnings = t->secrets && t->secrets->n_names ? &t->secrets->beginnings : &known_beginnings;
	const char *end = t->s + t->n, *at;
	size_t i;

	if (t->secrets && t->secrets->n_shapes)
		return true;
	pthread_once(&made, make_beginnings);
	if (document && t->n)
		for (at = t->s; (at = memchr(at, '\\', (size_t)(end - at))) && at + 1 < end; at += 2)
			if (at[1] == 'u' || at[1] == '/')
				return true;
	/* of any three characters the first two or the last two stand at an even place */
	for (i = 0; i + 2 <= t->n; i += 2) {
		unsigned char pair = beginnings->pairs[pair_at(t->s + i)];

		if (pair &&
		    (((pair & PAIR_LAST) && i && begins_at(t, beginnings, i - 1)) || ((pair & PAIR_FIRST) && begins_at(t, beginnings, i))))
			return true;
	}
	return false;
}

bool
secrets_look(const struct secrets *secrets, struct span text, bool document)
{
	return secrets_may_hold(&(struct text){ .s = text.s, .n = text.n, .secrets = secrets }, document);
}

/* ---- texts */

/* One rule all over the text. Nothing is copied before the first match. */
static bool
apply(const struct rule *rule, const struct text *t, struct buf *to)
{
	bool found = false;
	struct buf stand_in = BUF_INIT;
	size_t i = 0, kept = 0, end;

	while (i < t->n) {
		if (!(secrets_firsts[(unsigned char)t->s[i]] & rule->bit) && rule->bit != SECRETS_FOR_ANY) {
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

/* Has the rule anything to look for? */
static bool
serves(const struct rule *rule, const struct secrets *secrets)
{
	switch (rule->needs) {
	case SECRETS_NEED_NAMES:
		return secrets && secrets->n_names;
	case SECRETS_NEED_SHAPES:
		return secrets && secrets->n_shapes;
	case SECRETS_NEED_NOTHING:
		break;
	}
	return true;
}

static bool
once(const struct secrets *secrets, const char *s, size_t n, struct buf *ret)
{
	struct text t = { .s = s, .n = n, .secrets = secrets };
	struct buf next = BUF_INIT;
	bool found = false;
	size_t i;

	if (!secrets_may_hold(&t, false))
		return false;
	for (i = 0; i < SECRETS_RULES; i++) {
		if (!serves(&secrets_rules[i], secrets))
			continue;
		buf_reset(&next);
		if (!apply(&secrets_rules[i], &t, &next))
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

bool
secrets_clean(const struct secrets *secrets, const char *s, size_t n, struct buf *text)
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
	bool found = secrets_clean(secrets, s, n, &text);

	buf_add(to, found ? text.s : s, found ? text.len : n);
	buf_release(&text);
	return found;
}
