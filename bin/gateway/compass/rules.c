/* rules.c - who answers an approval without a person: the rules of a thread
 *
 * {"rules":[{"kind":"command","command":"git *","decision":"accept"},…],"timeoutSeconds":60,"default":"decline"}: the first rule that fits
 * decides. A rule without kind fits every kind; `command` is a pattern for the whole command line ('*' any text, '?' one character) and
 * fits commands only.
 */
#include "compat.h"

#include <string.h>

#include "compass/internal.h"

static const char *const decisions[] = { [RUNTIME_ACCEPT] = "accept",
	[RUNTIME_ACCEPT_SESSION] = "acceptForSession",
	[RUNTIME_DECLINE] = "decline",
	[RUNTIME_CANCEL] = "cancel" };
static const char *const kinds[] = { [RUNTIME_APPROVE_COMMAND] = "command",
	[RUNTIME_APPROVE_FILE] = "file",
	[RUNTIME_APPROVE_PERMISSIONS] = "permissions",
	[RUNTIME_APPROVE_QUESTION] = "question",
	[RUNTIME_APPROVE_OTHER] = "other" };

const char *
decision_text(enum runtime_decision decision)
{
	return decisions[decision];
}

/* What is no decision declines. */
enum runtime_decision
decision_of(const char *text)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(decisions); i++)
		if (!strcmp(decisions[i], text))
			return (enum runtime_decision)i;
	return RUNTIME_DECLINE;
}

const char *
approval_kind_text(enum runtime_approval_kind kind)
{
	return kinds[kind];
}

/* '*' and '?'; linear but for going back to the last star. */
static bool
fits(const char *pattern, const char *text)
{
	const char *star = NULL, *from = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			from = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++from;
		} else
			return false;
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

/* The command as one line: a text, or an array of words. */
static bool
command_of(struct span params, struct buf *to)
{
	struct span value, key, word;
	size_t pos = 0;

	if (!jtext_get(params, "command", &value))
		return false;
	if (jtext_type(value) == JTEXT_STRING)
		return jtext_string(value, to);
	if (jtext_type(value) != JTEXT_ARRAY)
		return false;
	while (jtext_each(value, &pos, &key, &word)) {
		if (to->len)
			buf_addch(to, ' ');
		if (!jtext_string(word, to))
			return false;
	}
	return true;
}

static bool
rule_fits(struct span rule, const char *kind, struct span params)
{
	struct buf want = BUF_INIT, command = BUF_INIT;
	bool good = true;

	if (jtext_get_string(rule, "kind", &want))
		good = !strcmp(want.s, kind);
	buf_reset(&want);
	/* a NUL in either would hide the rest of it */
	if (good && jtext_get_string(rule, "command", &want))
		good = !strcmp(kind, kinds[RUNTIME_APPROVE_COMMAND]) && command_of(params, &command) && strlen(want.s) == want.len &&
		    strlen(command.s) == command.len && fits(want.s, command.s);
	buf_release(&want);
	buf_release(&command);
	return good;
}

bool
rules_decide(struct span rules, const char *kind, struct span params, enum runtime_decision *ret)
{
	struct span list, rule, key;
	struct buf decision = BUF_INIT;
	size_t pos = 0;
	bool decided = false;

	if (!rules.n || !jtext_get(rules, "rules", &list) || jtext_type(list) != JTEXT_ARRAY)
		return false;
	while (!decided && jtext_each(list, &pos, &key, &rule)) {
		buf_reset(&decision);
		if (rule_fits(rule, kind, params) && jtext_get_string(rule, "decision", &decision)) {
			*ret = decision_of(decision.s);
			decided = true;
		}
	}
	buf_release(&decision);
	return decided;
}

void
rules_timeout(struct span rules, int64_t fallback_ms, int64_t *ret_ms, enum runtime_decision *ret_decision)
{
	struct buf decision = BUF_INIT;
	int64_t seconds;

	*ret_ms = rules.n && jtext_get_i64(rules, "timeoutSeconds", &seconds) ? seconds * 1000 : fallback_ms;
	*ret_decision = rules.n && jtext_get_string(rules, "default", &decision) ? decision_of(decision.s) : RUNTIME_DECLINE;
	buf_release(&decision);
}
