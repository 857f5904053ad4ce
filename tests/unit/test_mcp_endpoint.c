/* test_mcp_endpoint.c - where a server of the older transport wants its messages */
#include "compat.h"

#include <string.h>

#include "mcp/endpoint.h"
#include "tap.h"

static void
says(const char *stream, const char *text, const char *want)
{
	struct buf got = BUF_INIT;
	bool taken = mcp_endpoint(stream, text, strlen(text), &got);

	ok(taken == (want != NULL) && !strcmp(got.s, want ? want : ""), "%s: %.*s", stream, (int)strcspn(text, "\r\n"), text);
	if (want && strcmp(got.s, want) != 0)
		printf("# it says %s\n", got.s);
	buf_release(&got);
}

int
main(void)
{
	static const char at[] = "https://a.example:8443/mcp/sse?key=1";
	char text[MCP_ENDPOINT_MAX + 2];

	says(at, "/messages?session=7", "https://a.example:8443/messages?session=7");
	says(at, "messages", "https://a.example:8443/mcp/messages");
	says(at, "?session=7", "https://a.example:8443/mcp/sse?session=7");
	says(at, " /m\r\n", "https://a.example:8443/m");
	says("http://h", "m", "http://h/m");
	says("http://h", "?a", "http://h?a");
	says("http://h?x/y", "m", "http://h/m");
	says(at, "https://a.example:8443/m", "https://a.example:8443/m");
	says(at, "HTTPS://A.EXAMPLE:8443/m", "HTTPS://A.EXAMPLE:8443/m");
	says(at, "/m?back=http://elsewhere/", "https://a.example:8443/m?back=http://elsewhere/");
	says(at, "https://a.example:8443", "https://a.example:8443");
	says(at, "http://a.example:8443/m", NULL);
	says(at, "https://a.example/m", NULL);
	says(at, "https://a.example:84433/m", NULL);
	says(at, "https://a.example:8443@evil.example/m", NULL);
	says(at, "https://a.example:8443.evil.example/m", NULL);
	says(at, "//evil.example/m", NULL);
	says(at, "file:/etc/passwd", NULL);
	says(at, "mailto:x", NULL);
	says(at, "", NULL);
	says(at, "   ", NULL);
	says(at, "#", NULL);
	says(at, "/a b", NULL);
	says(at, "/\303\251", NULL);
	says(at, "/a\r\nx: y", NULL);
	says("nonsense", "/m", NULL);
	memset(text, 'a', sizeof text);
	text[0] = '/';
	text[MCP_ENDPOINT_MAX - 27] = '\0';
	says("http://hostname.example.org", text, NULL);
	text[MCP_ENDPOINT_MAX - 28] = '\0';
	{
		struct buf got = BUF_INIT;

		ok(mcp_endpoint("http://hostname.example.org", text, strlen(text), &got) && got.len <= MCP_ENDPOINT_MAX,
		    "as long as it may be");
		buf_release(&got);
	}
	return done();
}
