/* shake.c - the check of a WebSocket's opening handshake */
#include "compat.h"

#include <string.h>
#include <strings.h>

#include "http/shake.h"
#include "wspeer.h"

/* The words of a list header, without blanks around them. False: no more. */
static bool
next_word(const char **at, struct span *ret)
{
	const char *s = *at + strspn(*at, " \t,"), *end = s + strcspn(s, ",");

	*at = end;
	while (end > s && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*ret = (struct span){ s, (size_t)(end - s) };
	return ret->n > 0;
}

static bool
has_word(const struct shake_fields *fields, const char *name, const char *word)
{
	struct span got;
	const char *at;
	size_t i;

	for (i = 0; i < fields->n; i++)
		if (!strcasecmp(fields->names[i], name))
			for (at = fields->values[i]; next_word(&at, &got);)
				if (got.n == strlen(word) && !strncasecmp(got.s, word, got.n))
					return true;
	return false;
}

/* The value of a header that must stand there exactly once; else NULL. */
static const char *
only(const struct shake_fields *fields, const char *name)
{
	const char *value = NULL;
	size_t i;

	for (i = 0; i < fields->n; i++)
		if (!strcasecmp(fields->names[i], name)) {
			if (value)
				return NULL;
			value = fields->values[i];
		}
	return value;
}

/* RFC 9110 5.6.2; a word that is none must not come back in a header of ours. */
static bool
is_token(struct span word)
{
	size_t i;

	for (i = 0; i < word.n; i++) {
		unsigned char c = (unsigned char)word.s[i];

		if (c <= ' ' || c >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", c))
			return false;
	}
	return word.n > 0;
}

static bool
wrong(struct shake *shake, int status, const char *text)
{
	shake->status = status;
	shake->wrong = text;
	return false;
}

bool
shake_check(const struct shake_fields *fields, struct shake *ret)
{
	const char *key = only(fields, "sec-websocket-key"), *version = only(fields, "sec-websocket-version"), *at;
	size_t i;

	memset(ret, 0, sizeof *ret);
	if (strcmp(fields->method, "GET"))
		return wrong(ret, 405, "Invalid HTTP method");
	if (fields->http10)
		return wrong(ret, 400, "Invalid HTTP version");
	if (!has_word(fields, "upgrade", "websocket"))
		return wrong(ret, 400, "Invalid Upgrade header");
	if (!has_word(fields, "connection", "upgrade"))
		return wrong(ret, 400, "Invalid Connection header");
	if (!key || !wspeer_key_valid(key, strlen(key)))
		return wrong(ret, 400, "Missing or invalid Sec-WebSocket-Key header");
	if (!version || (strcmp(version, "13") && strcmp(version, "8"))) {
		ret->tell_version = true;
		return wrong(ret, 400, "Missing or invalid Sec-WebSocket-Version header");
	}
	for (i = 0; i < fields->n && !ret->protocol.s; i++)
		if (!strcasecmp(fields->names[i], "sec-websocket-protocol")) {
			at = fields->values[i];
			if (!next_word(&at, &ret->protocol) || !is_token(ret->protocol))
				return wrong(ret, 400, "Invalid Sec-WebSocket-Protocol header");
		}
	ret->key = (struct span){ key, strlen(key) };
	return true;
}
