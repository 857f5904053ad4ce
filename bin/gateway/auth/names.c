/* names.c - the names that a browser brings: Host, Origin, Referer */
#include "compat.h"

#include <string.h>
#include <strings.h>

#include "auth/internal.h"
#include "http/server.h"

/* Host of "host:port", "[::1]:80" or a bare one. */
static struct span
host_of(const char *s)
{
	const char *end = *s == '[' ? strchr(s, ']') : strchr(s, ':');

	if (*s == '[' && end)
		return (struct span){ s + 1, (size_t)(end - s) - 1 };
	return (struct span){ s, end ? (size_t)(end - s) : strlen(s) };
}

static bool
is_host(struct span host, const char *name)
{
	return host.n == strlen(name) && !strncasecmp(host.s, name, host.n);
}

static bool
is_allowed(const struct auth *auth, struct span host)
{
	const char *const *allowed;

	for (allowed = auth->settings.allow_hosts; allowed && *allowed; allowed++)
		if (is_host(host, *allowed))
			return true;
	return false;
}

static bool
host_allowed(const struct auth *auth, const char *header)
{
	struct span host = host_of(header);
	size_t i, digits = 0;

	if (is_host(host, "localhost") || is_host(host, "::1"))
		return true;
	/* 127.0.0.0/8, in the usual spelling only */
	if (host.n >= 7 && !strncmp(host.s, "127.", 4)) {
		for (i = 0; i < host.n; i++)
			digits += (host.s[i] >= '0' && host.s[i] <= '9') || host.s[i] == '.';
		if (digits == host.n)
			return true;
	}
	return is_allowed(auth, host);
}

bool
names_host(const struct auth *auth, const struct request *request)
{
	const char *host = request_header(request, "host");

	return auth_needs_token(auth) || !host || request_peer(request) == PEER_UNIX || host_allowed(auth, host);
}

/* The origin of an address: up to the path. */
static struct span
origin_of(const char *s)
{
	const char *rest = strstr(s, "://");

	if (!rest)
		return SPAN_NONE; /* "null" too */
	return (struct span){ s, (size_t)(rest + 3 - s) + strcspn(rest + 3, "/?#") };
}

/* Two origins are the same with or without the port that their scheme has anyway. */
static bool
same_origin(struct span a, struct span b)
{
	static const char *const implied[][2] = { { "http://", ":80" }, { "https://", ":443" } };
	struct span *both[] = { &a, &b };
	size_t i, k;

	for (k = 0; k < 2; k++)
		for (i = 0; i < ARRAY_LEN(implied); i++) {
			size_t scheme = strlen(implied[i][0]), port = strlen(implied[i][1]);

			if (both[k]->n > scheme + port && !strncasecmp(both[k]->s, implied[i][0], scheme) &&
			    !memcmp(both[k]->s + both[k]->n - port, implied[i][1], port))
				both[k]->n -= port;
		}
	return a.n == b.n && !strncasecmp(a.s, b.s, a.n);
}

/* An Origin is the page's own address: it must be the one that the request goes to, or one that the operator allows. known: the caller
 * brings something that says who it is, so that the web that the contract names by default may ask too. */
static bool
origin_allowed(const struct auth *auth, struct span origin, const struct request *request, bool known)
{
	const char *host = request_header(request, "host"), *rest, *web = auth->settings.web_origin;
	struct span authority;

	if (!origin.s)
		return false;
	rest = strstr(origin.s, "://") + 3;
	authority = (struct span){ rest, origin.n - (size_t)(rest - origin.s) };
	if (host && is_host(authority, host))
		return true;
	if (is_allowed(auth, host_of(rest).n <= authority.n ? host_of(rest) : authority))
		return true;
	if (!web && known)
		web = AUTH_WEB_ORIGIN;
	return web && same_origin(origin, origin_of(web));
}

bool
names_origin(const struct auth *auth, const struct request *request, bool by_token)
{
	const char *origin = request_header(request, "origin");

	return !origin || origin_allowed(auth, origin_of(origin), request, by_token);
}

enum names_origin
names_own_origin(const struct auth *auth, const struct request *request)
{
	const char *text = request_header(request, "origin");
	struct span origin;

	if (!text || !*text)
		text = request_header(request, "referer");
	origin = text ? origin_of(text) : SPAN_NONE;
	if (!origin.s)
		return ORIGIN_MISSING; /* the contract says the same of one that cannot be read */
	return origin_allowed(auth, origin, request, true) ? ORIGIN_GOOD : ORIGIN_WRONG;
}
