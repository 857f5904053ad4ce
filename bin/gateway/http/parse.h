/* parse.h - HTTP/1.1 request heads and chunked bodies (RFC 9112): pure parsers
 *
 * Strict where two readers could understand differently: a bare LF or CR, a blank before the colon, folded lines, two hosts, two lengths, a
 * length beside chunks, a signed or empty length, a transfer coding other than chunked, control characters anywhere, are refused. Private
 * to http/.
 */
#ifndef HTTP_PARSE_H
#define HTTP_PARSE_H

#include "compat.h"
#include "jtext.h"

enum parse_result { PARSE_MORE, PARSE_DONE, PARSE_BAD, PARSE_TOO_LARGE, PARSE_VERSION };

struct parse_head {
	struct span method, path, query; /* query without '?', SPAN_NONE when there is none; all point into the bytes given */
	struct span *names, *values;	 /* the caller's arrays of max_headers each */
	size_t n_headers, max_headers;
	bool http10, keep_alive, chunked, has_length, has_host, expect_continue;
	uint64_t length;
	size_t size;	   /* bytes of the head, final empty line included */
	const char *wrong; /* PARSE_BAD: what is wrong; static */
};

/* Looks at n bytes from the start of a request. PARSE_MORE: the head is not complete. `scanned` speeds that up: pass the n of the last
 * PARSE_MORE (0 at first). Empty lines before the request are skipped, as RFC 9112 2.2 allows. */
enum parse_result parse_head(const char *bytes, size_t n, size_t scanned, struct parse_head *head);

struct parse_chunks {
	int state;
	uint64_t left; /* of the present chunk */
	size_t line;   /* bytes of the present size or trailer line */
	bool blank_line;
};

#define PARSE_CHUNK_LINE_MAX 4096 /* bytes of a size line with extensions, or of all trailers */

/* Takes n bytes of a chunked body (first a zeroed struct); gives body pieces to `out`. *ret_used: bytes taken (all, unless done). */
struct buf;
enum parse_result parse_chunks(struct parse_chunks *chunks, const char *bytes, size_t n, struct buf *out, size_t *ret_used);

#endif
