/* test_inflate.c - bodies that came compressed: what they hold, the limit and one past it, and what is broken */
#include "compat.h"

#include "buf.h"
#include "http/inflate.h"
#include "tap.h"

#define MAX 1000

/* {"a":1} */
#define GZIP "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\x56\x4a\x54\xb2\x32\xac\x05\x00\xaf\xac\x1b\x56\x07\x00\x00\x00"
#define ZLIB "\x78\x9c\xab\x56\x4a\x54\xb2\x32\xac\x05\x00\x08\x2a\x02\x09"
#define RAW "\xab\x56\x4a\x54\xb2\x32\xac\x05\x00"
#define BROTLI "\x0b\x03\x80\x7b\x22\x61\x22\x3a\x31\x7d\x03"
#define GZIP_OF_NOTHING "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"
/* 1000 and 1001 times "x" */
#define GZIP_AT "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\xa8\x18\x05\xa3\x60\x14\x0c\x77\x00\x00\xe6\xc9\x41\x3b\xe8\x03\x00\x00"
#define GZIP_PAST "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\xa8\x18\x05\xa3\x60\x14\x0c\x7b\x00\x00\x07\x10\x8e\xc5\xe9\x03\x00\x00"
#define ZLIB_AT "\x78\xda\xab\xa8\x18\x05\xa3\x60\x14\x0c\x77\x00\x00\xaa\xf4\xd4\xd0"
#define ZLIB_PAST "\x78\xda\xab\xa8\x18\x05\xa3\x60\x14\x0c\x7b\x00\x00\x80\x4b\xd5\x48"
#define BROTLI_AT "\x1b\xe7\x03\xf8\x25\xf0\xa2\xb1\x40\x20\x34"
#define BROTLI_PAST "\x1b\xe8\x03\xf8\x25\xf0\xa2\xb1\x40\x40\x34"
/* 16 MiB of "x" in 27 bytes */
#define BROTLI_BOMB "\xcb\xff\xff\x3f\xf8\x25\xf0\xe2\xb1\x40\x20\xf7\xfe\x2f\xff\xff\xff\xf0\x4b\x00\xc4\x61\x11\x80\xee\xfd\x1f"

static void
take(const char *coding, const char *bytes, size_t n, enum request_inflated want, size_t want_n, const char *name)
{
	struct buf to = BUF_INIT;
	enum request_inflated result;

	buf_addstr(&to, "before");
	result = inflate_body(coding, (struct span){ bytes, n }, MAX, &to);
	ok(result == want && to.len == 6 + want_n && strlen(to.s) == to.len && !strncmp(to.s, "before", 6), "%s", name);
	if (result != want || to.len != 6 + want_n)
		printf("# result %d, %zu bytes\n", (int)result, to.len);
	if (want == REQUEST_INFLATED && want_n == 7)
		is_str(to.s + 6, "{\"a\":1}", "and it is the text");
	buf_release(&to);
}
#define TAKE(coding, bytes, want, n, name) take(coding, bytes, sizeof(bytes) - 1, want, n, name)

int
main(void)
{
	char cut[] = GZIP;
	size_t i;

	TAKE("gzip", GZIP, REQUEST_INFLATED, 7, "gzip");
	TAKE("X-GZIP", GZIP, REQUEST_INFLATED, 7, "x-gzip is the same, in any letters");
	TAKE("deflate", ZLIB, REQUEST_INFLATED, 7, "deflate is the zlib format");
	TAKE("gzip", GZIP_OF_NOTHING, REQUEST_INFLATED, 0, "nothing, compressed");
	TAKE("gzip", GZIP_AT GZIP_OF_NOTHING, REQUEST_INFLATED, MAX, "members one after another");
	TAKE("gzip", GZIP_AT, REQUEST_INFLATED, MAX, "gzip: as much as may be");
	TAKE("gzip", GZIP_PAST, REQUEST_INFLATED_TOO_LARGE, 0, "and a byte more");
	TAKE("gzip", GZIP_AT GZIP, REQUEST_INFLATED_TOO_LARGE, 0, "the limit is that of all members together");
	TAKE("deflate", ZLIB_AT, REQUEST_INFLATED, MAX, "deflate: as much as may be");
	TAKE("deflate", ZLIB_PAST, REQUEST_INFLATED_TOO_LARGE, 0, "and a byte more");
#ifdef HAVE_BROTLI_DECODE_H
	TAKE("br", BROTLI, REQUEST_INFLATED, 7, "br");
	TAKE("br", BROTLI_AT, REQUEST_INFLATED, MAX, "br: as much as may be");
	TAKE("br", BROTLI_PAST, REQUEST_INFLATED_TOO_LARGE, 0, "and a byte more");
	TAKE("br", BROTLI_BOMB, REQUEST_INFLATED_TOO_LARGE, 0, "what would be 16 MiB ends at the limit");
	TAKE("br", BROTLI "x", REQUEST_BROKEN, 0, "br: something after it");
	TAKE("br", "", REQUEST_BROKEN, 0, "br: nothing at all");
	take("br", BROTLI, 8, REQUEST_BROKEN, 0, "br: half of it");
#else
	TAKE("br", BROTLI, REQUEST_UNKNOWN_CODING, 0, "br, built without it");
#endif
	TAKE("gzip", "", REQUEST_BROKEN, 0, "nothing at all is not gzip");
	TAKE("gzip", "{\"a\":1}", REQUEST_BROKEN, 0, "text that is not compressed");
	TAKE("gzip", ZLIB, REQUEST_BROKEN, 0, "deflate under the name of gzip");
	TAKE("deflate", GZIP, REQUEST_BROKEN, 0, "gzip under the name of deflate");
	TAKE("deflate", RAW, REQUEST_BROKEN, 0, "deflate without its frame");
	TAKE("gzip", GZIP "x", REQUEST_BROKEN, 0, "gzip: something after it");
	TAKE("deflate", ZLIB "x", REQUEST_BROKEN, 0, "deflate: something after it");
	for (i = 0; i < sizeof cut - 1; i++)
		take("gzip", cut, i, REQUEST_BROKEN, 0, "a beginning of it");
	cut[20] ^= 1;
	take("gzip", cut, sizeof cut - 1, REQUEST_BROKEN, 0, "a sum that is wrong");
	TAKE("zstd", "x", REQUEST_UNKNOWN_CODING, 0, "another coding");
	TAKE("gzip, gzip", GZIP, REQUEST_UNKNOWN_CODING, 0, "two of them");
	return done();
}
