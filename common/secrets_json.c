/* secrets_json.c - secrets out of JSON documents, which stay documents */
#include "compat.h"

#include <string.h>
#include <strings.h>

#include "buf.h"
#include "jtext.h"
#include "secrets_internal.h"

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
		walk->secret = secrets_is_name(walk->secrets, &walk->key);
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
		plain = span_of(&walk->text);
	}
	if (secrets_clean(walk->secrets, plain.s, plain.n, &walk->clean)) {
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

	if (!secrets_may_hold(&(struct text){ .s = value.s, .n = value.n, .secrets = secrets }, true)) {
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
