/* endpoint.c - where a server of the older HTTP+SSE transport wants its messages */
#include "compat.h"

#include <string.h>
#include <strings.h>

#include "mcp/endpoint.h"

/* Bytes before the first that is one of these. */
static size_t
span_before(const char *text, size_t n, const char *these)
{
	size_t at;

	for (at = 0; at < n && !strchr(these, text[at]); at++)
		;
	return at;
}

/* How many bytes "scheme://host:port" is; 0 when it does not begin so. */
static size_t
origin_len(const char *url, size_t n)
{
	size_t colon = span_before(url, n, ":/?#");

	if (!colon || n - colon < 4 || strncmp(url + colon, "://", 3) != 0)
		return 0;
	return colon + 3 + span_before(url + colon + 3, n - colon - 3, "/?#");
}

static bool
is_visible(const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (text[i] < '!' || text[i] > '~')
			return false;
	return n > 0;
}

/* How much of the address a relative one keeps: up to its directory, or its path. */
static size_t
kept_len(const char *stream, size_t origin, char first)
{
	size_t path = origin + strcspn(stream + origin, "?#");

	if (first == '/')
		return origin;
	if (first == '?')
		return path;
	while (path > origin && stream[path - 1] != '/')
		path--;
	return path;
}

bool
mcp_endpoint(const char *stream, const char *text, size_t n, struct buf *to)
{
	size_t origin = origin_len(stream, strlen(stream)), first, kept;

	while (n && strchr(" \t\r\n", text[n - 1]))
		n--;
	while (n && strchr(" \t\r\n", *text)) {
		text++;
		n--;
	}
	if (!origin || !is_visible(text, n) || n > MCP_ENDPOINT_MAX || *text == '#')
		return false;
	first = span_before(text, n, ":/?#");
	if (first < n && text[first] == ':') {
		/* whole: of ours, or of somebody else */
		if (origin_len(text, n) != origin || strncasecmp(text, stream, origin) != 0)
			return false;
		buf_add(to, text, n);
		return true;
	}
	if (n > 1 && text[0] == '/' && text[1] == '/')
		return false; /* another host */
	kept = kept_len(stream, origin, *text);
	if (kept + n + 1 > MCP_ENDPOINT_MAX)
		return false;
	buf_add(to, stream, kept);
	if (kept == origin && *text != '/' && *text != '?')
		buf_addch(to, '/');
	buf_add(to, text, n);
	return true;
}
