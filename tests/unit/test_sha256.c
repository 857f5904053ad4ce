/* test_sha256.c - the vectors of FIPS 180-4 */
#include "compat.h"

#include "buf.h"
#include "sha256.h"
#include "tap.h"

static void
digest(const char *text, size_t n, const char *want, const char *name)
{
	unsigned char bytes[SHA256_BYTES];
	struct buf hex = BUF_INIT;
	size_t i;

	sha256(text, n, bytes);
	for (i = 0; i < sizeof bytes; i++)
		buf_addf(&hex, "%02x", bytes[i]);
	is_buf(&hex, want, name);
	buf_release(&hex);
}

int
main(void)
{
	struct buf million = BUF_INIT;

	digest("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "nothing");
	digest("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "one block");
	digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1", "two blocks");
	while (million.len < 1000000)
		buf_addch(&million, 'a');
	digest(million.s, million.len, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", "a million");
	buf_release(&million);
	return done();
}
