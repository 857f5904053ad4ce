/* test_base64.c - the vectors of RFC 4648, and those of FIPS 180-4 for the other noun of the WebSocket handshake */
#include "compat.h"

#include "base64.h"
#include "buf.h"
#include "sha1.h"
#include "tap.h"

static void
pair(const char *bytes, const char *text)
{
	struct buf made = BUF_INIT, read = BUF_INIT;

	base64_add(&made, bytes, strlen(bytes));
	is_buf(&made, text, text);
	ok(base64_read(text, strlen(text), &read) && !strcmp(read.s, bytes), "and back");
	buf_release(&made);
	buf_release(&read);
}

static void
refused(const char *text)
{
	struct buf read = BUF_INIT;

	ok(!base64_read(text, strlen(text), &read) && !read.len, "refused: %s", text);
	buf_release(&read);
}

static void
digest(const char *text, size_t n, const char *want)
{
	unsigned char bytes[SHA1_BYTES];
	struct buf hex = BUF_INIT;
	size_t i;

	sha1(text, n, bytes);
	for (i = 0; i < sizeof bytes; i++)
		buf_addf(&hex, "%02x", bytes[i]);
	is_buf(&hex, want, "SHA-1");
	buf_release(&hex);
}

int
main(void)
{
	struct buf url = BUF_INIT, million = BUF_INIT;

	pair("", "");
	pair("f", "Zg==");
	pair("fo", "Zm8=");
	pair("foo", "Zm9v");
	pair("foob", "Zm9vYg==");
	pair("fooba", "Zm9vYmE=");
	pair("foobar", "Zm9vYmFy");
	base64_add_url(&url, "\xfb\xff\xfe?", 4);
	is_buf(&url, "-__-Pw", "the other alphabet, without padding");
	refused("Zg");
	refused("Zg=");
	refused("Zh==");
	refused("Zm9=");
	refused("Z===");
	refused("=Zg=");
	refused("Zg==Zg==");
	refused("Zm 9");
	refused("Zm-_");
	digest("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
	digest("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
	digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
	while (million.len < 1000000)
		buf_addch(&million, 'a');
	digest(million.s, million.len, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
	buf_release(&url);
	buf_release(&million);
	return done();
}
