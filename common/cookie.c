/* cookie.c - the session cookie of a Compass API, out of a file */
#include "compat.h"

#include <string.h>

#include "buf.h"
#include "cookie.h"

#define JAR_FIELDS 7

struct piece {
	const char *s;
	size_t n;
};

static void
trim(struct piece *piece)
{
	while (piece->n && (piece->s[0] == ' ' || piece->s[0] == '\t' || piece->s[0] == '\r')) {
		piece->s++;
		piece->n--;
	}
	while (piece->n && (piece->s[piece->n - 1] == ' ' || piece->s[piece->n - 1] == '\t' || piece->s[piece->n - 1] == '\r'))
		piece->n--;
}

/* Cuts the first piece up to `end` off rest; false when rest is used up. */
static bool
next(struct piece *rest, char end, struct piece *ret)
{
	const char *stop;

	if (!rest->s)
		return false;
	stop = memchr(rest->s, end, rest->n);
	ret->s = rest->s;
	ret->n = stop ? (size_t)(stop - rest->s) : rest->n;
	rest->n -= stop ? ret->n + 1 : rest->n;
	rest->s = stop ? stop + 1 : NULL;
	return true;
}

static bool
is_name(struct piece name)
{
	return name.n == strlen(COOKIE_NAME) && !memcmp(name.s, COOKIE_NAME, name.n);
}

/* RFC 6265: visible ASCII without quotes, commas, semicolons and backslashes. */
static bool
is_value(struct piece value)
{
	size_t i;

	for (i = 0; i < value.n; i++)
		if ((unsigned char)value.s[i] <= ' ' || (unsigned char)value.s[i] >= 0x7f || strchr("\",;\\", value.s[i]))
			return false;
	return value.n > 0;
}

/* A line of a jar: host, subdomains, path, secure, expiry, name, value. */
static bool
from_jar(struct piece line, struct piece *ret)
{
	struct piece field, name = { NULL, 0 };
	unsigned i;

	for (i = 0; i < JAR_FIELDS && next(&line, '\t', &field); i++)
		if (i == JAR_FIELDS - 2)
			name = field;
	trim(&field);
	*ret = field;
	return i == JAR_FIELDS && is_name(name);
}

/* NAME=VALUE somewhere in a header, with "Cookie:" before it or without. */
static bool
from_header(struct piece line, struct piece *ret)
{
	static const char head[] = "cookie:";
	struct piece pair, name;

	if (line.n >= sizeof head - 1 && (line.s[0] == 'c' || line.s[0] == 'C') && !memcmp(line.s + 1, head + 1, sizeof head - 2)) {
		line.s += sizeof head - 1;
		line.n -= sizeof head - 1;
	}
	while (next(&line, ';', &pair)) {
		trim(&pair);
		if (!next(&pair, '=', &name) || !pair.s || !is_name(name))
			continue;
		*ret = pair;
		return true;
	}
	return false;
}

bool
cookie_find(const char *text, size_t n, struct buf *to)
{
	struct piece rest = { text, n }, line, value = { NULL, 0 }, only = { NULL, 0 };
	unsigned lines = 0;

	while (next(&rest, '\n', &line)) {
		if (from_jar(line, &value))
			goto found; /* what a jar says last field by field may begin with '#': see above */
		trim(&line);
		if (!line.n || line.s[0] == '#')
			continue;
		if (from_header(line, &value))
			goto found;
		only = line;
		lines++;
	}
	/* base64url needs no '=' inside: another cookie's NAME=VALUE is no value */
	if (lines != 1 || memchr(only.s, '=', only.n))
		return false;
	value = only;
found:
	if (!is_value(value))
		return false;
	buf_addstr(to, COOKIE_NAME "=");
	buf_add(to, value.s, value.n);
	return true;
}
