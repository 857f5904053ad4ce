/* test_http_parse.c - request heads: what is taken, and what two readers could take differently and is refused */
#include "compat.h"

#include <stdlib.h>

#include "buf.h"
#include "http/parse.h"
#include "tap.h"

#define HEADERS 10

static enum parse_result
parse(const char *text, size_t n, struct parse_head *head)
{
	static struct span names[HEADERS], values[HEADERS];

	memset(head, 0, sizeof *head);
	head->names = names;
	head->values = values;
	head->max_headers = HEADERS;
	return parse_head(text, n, 0, head);
}

static void
bad(const char *text, const char *why)
{
	struct parse_head head;
	enum parse_result result = parse(text, strlen(text), &head);

	ok(result == PARSE_BAD && !strcmp(head.wrong, why), "%s", why);
	if (result != PARSE_BAD || strcmp(head.wrong, why))
		printf("# result %d, wrong %s\n", (int)result, head.wrong ? head.wrong : "-");
}

static void
test_chunks(void)
{
	static const char body[] = "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: 1\r\n\r\nGET";
	struct parse_chunks chunks;
	struct buf out = BUF_INIT;
	size_t n = strlen(body), i, used, more;
	bool same = true;

	for (i = 0; i < n - 3 && same; i++) {
		enum parse_result result;

		memset(&chunks, 0, sizeof chunks);
		buf_reset(&out);
		same = parse_chunks(&chunks, body, i, &out, &used) == PARSE_MORE && used == i;
		result = parse_chunks(&chunks, body + i, n - i, &out, &more);
		same = same && result == PARSE_DONE && i + more == n - 3 && !strcmp(out.s, "hello world");
	}
	ok(same, "chunks give the same body however they are cut, and leave what follows");
	memset(&chunks, 0, sizeof chunks);
	ok(parse_chunks(&chunks, "zz\r\n", 4, &out, &used) == PARSE_BAD, "a size that is no number is refused");
	memset(&chunks, 0, sizeof chunks);
	ok(parse_chunks(&chunks, "1\nx", 3, &out, &used) == PARSE_BAD, "so is a bare LF");
	memset(&chunks, 0, sizeof chunks);
	ok(parse_chunks(&chunks, "fffffffffffffffff\r\n", 19, &out, &used) == PARSE_BAD, "and a size beyond 64 bits");
	buf_release(&out);
}

int
main(void)
{
	static const char text[] = "\r\nPOST /a%20b?x=1&y HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nX-Y:  v \t\r\n\r\nhello";
	struct parse_head head;
	size_t n = strlen(text) - 5, i;
	bool more = true;

	ok(parse(text, strlen(text), &head) == PARSE_DONE && head.size == n, "a head is complete at its empty line");
	ok(head.method.n == 4 && !memcmp(head.path.s, "/a%20b", head.path.n) && head.path.n == 6 && head.query.n == 5,
	    "method, path and query");
	ok(head.n_headers == 3 && head.values[2].n == 1 && head.has_length && head.length == 5 && head.keep_alive,
	    "headers are trimmed and understood");
	for (i = 0; i < n && more; i++)
		more = parse(text, i, &head) == PARSE_MORE;
	ok(more, "every part of it asks for more");
	bad("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "two lengths");
	bad("GET / HTTP/1.1\r\nHost: localhost\r\nhost: evil\r\n\r\n", "two hosts");
	bad("GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n", "a length that is no number");
	bad("GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "a length beside chunks");
	bad("GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "a transfer coding other than chunked");
	bad("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "chunks in HTTP/1.0");
	bad("GET / HTTP/1.1\r\nA : b\r\n\r\n", "a header name that is no word");
	bad("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "a folded header");
	bad("GET /a b HTTP/1.1\r\n\r\n", "a blank, control or non-ASCII character in the target");
	bad("GET a HTTP/1.1\r\n\r\n", "a target that is no path");
	bad("GET /\r\n\r\n", "no version in the request line");
	bad("GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", "a line that does not end in CR LF");
	bad("\x16\x03\x01\x02", "no request line");
	bad("GET / HTTP/1.1\r\nExpect: 200-ok\r\n\r\n", "an expectation that is not known");
	ok(parse("PRI * HTTP/2.0\r\n\r\n", 18, &head) == PARSE_VERSION, "HTTP/2 is another version");
	ok(parse("GET // HTTP/1.1\r\n\r\n", 19, &head) == PARSE_DONE && head.path.n == 2, "two slashes are a path");
	ok(parse("GET http://h:1/x HTTP/1.1\r\n\r\n", 29, &head) == PARSE_DONE && !memcmp(head.path.s, "/x ", 3),
	    "a proxy's form gives its path");
	ok(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive, x\r\n\r\n", 46, &head) == PARSE_DONE && head.keep_alive,
	    "HTTP/1.0 may ask to be kept");
	ok(parse("GET / HTTP/1.1\r\nConnection: x, close\r\n\r\n", 41, &head) == PARSE_DONE && !head.keep_alive,
	    "and HTTP/1.1 to be closed");
	ok(parse("GET / HTTP/1.1\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\n\r\n", 58, &head) == PARSE_DONE,
	    "as many headers as may be");
	ok(parse("GET / HTTP/1.1\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\na:\r\n\r\n", 62, &head) == PARSE_TOO_LARGE,
	    "one more is too many");
	test_chunks();
	return done();
}
