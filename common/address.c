/* address.c - a server's address as people give it */
#include "compat.h"

#include <string.h>
#include <strings.h>

#include "address.h"
#include "err.h"
#include "num.h"
#include "status.h"

#define BLANKS " \t\r\n"

static bool
bad_url(const char *url, const char *why, struct err *err)
{
	const char *at = strrchr(url, '@'), *scheme = strstr(url, "://");

	/* never show what may be a password, with a scheme or without one */
	if (at) {
		int n = scheme && scheme < at ? (int)(scheme - url) + 3 : 0;

		return err_set(err, STATUS_USAGE, "unable to use the address '%.*s...@%s': %s", n, url, at + 1, why);
	}
	return err_set(err, STATUS_USAGE, "unable to use the address '%s': %s", url, why);
}

static bool
check_authority(const char *url, const char *s, size_t n, struct err *err)
{
	const char *colon = memrchr(s, ':', n), *bracket = memchr(s, ']', n);
	uint64_t port;

	if (memchr(s, '@', n))
		return bad_url(url, "a name and password do not belong there; use --token-file", err);
	if (colon && (!bracket || colon > bracket)) {
		if (!num_u64(colon + 1, (size_t)(s + n - colon) - 1, &port) || port < 1 || port > 65535)
			return bad_url(url, "its port is no number from 1 to 65535", err);
		n = (size_t)(colon - s);
	}
	if (!n)
		return bad_url(url, "it names no host", err);
	return true;
}

static bool
parse_unix(const char *url, struct address *ret, struct err *err)
{
	const char *path = url + 5;

	while (path[0] == '/' && path[1] == '/')
		path++;
	if (path[0] != '/')
		return bad_url(url, "a socket's path begins with '/'", err);
	buf_addstr(&ret->unix_path, path);
	buf_addstr(&ret->base, "http://localhost");
	buf_addstr(&ret->given, url);
	return true;
}

static bool
parse_http(const char *url, struct address *ret, struct err *err)
{
	const char *rest = strstr(url, "://");

	if (!rest)
		rest = url;
	else if (strncasecmp(url, "http://", 7) && strncasecmp(url, "https://", 8))
		return bad_url(url, "expected http, https or unix", err);
	else
		rest += 3;
	if (!check_authority(url, rest, strcspn(rest, "/?#"), err))
		return false;
	if (strpbrk(rest, "?#"))
		return bad_url(url, "a query or fragment does not belong there", err);
	if (rest == url)
		buf_addstr(&ret->base, "http://");
	buf_addstr(&ret->base, url);
	while (ret->base.s[ret->base.len - 1] == '/')
		buf_cut(&ret->base, ret->base.len - 1);
	buf_add(&ret->given, ret->base.s, ret->base.len);
	return true;
}

bool
address_parse(const char *text, struct address *ret, struct err *err)
{
	struct buf url = BUF_INIT;
	bool ok;
	size_t i;

	buf_reset(&ret->given);
	buf_reset(&ret->base);
	buf_reset(&ret->unix_path);
	text += strspn(text, BLANKS);
	buf_addstr(&url, text);
	while (url.len && strchr(BLANKS, url.s[url.len - 1]))
		buf_cut(&url, url.len - 1);
	for (i = 0; i < url.len && (unsigned char)url.s[i] > ' ' && url.s[i] != 0x7f; i++)
		;
	if (i < url.len)
		ok = bad_url(url.s, "it holds a blank or a control character", err);
	else if (!url.len)
		ok = bad_url(text, "it is empty", err);
	else if (!strncmp(url.s, "unix:", 5))
		ok = parse_unix(url.s, ret, err);
	else
		ok = parse_http(url.s, ret, err);
	buf_release(&url);
	return ok;
}

void
address_release(struct address *address)
{
	buf_release(&address->base);
	buf_release(&address->given);
	buf_release(&address->unix_path);
}
