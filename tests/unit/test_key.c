/* test_key.c - fresh ids, and what has their form */
#include "compat.h"

#include <stdlib.h>

#include "buf.h"
#include "err.h"
#include "key.h"
#include "status.h"
#include "tap.h"
#include "xalloc.h"

static void
key(size_t n, bool want)
{
	struct err err = ERR_INIT;
	char *text = xcalloc(1, n + 1);

	memset(text, 'k', n);
	ok(key_check(text, &err) == want && (want || err.status == STATUS_USAGE), "a key of %zu characters is %s", n,
	    want ? "taken" : "refused");
	free(text);
}

static void
uuid(void)
{
	static const unsigned char bytes[16] = { 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0xf6, 0x77, 0xf8, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee,
		0xff };
	struct buf text = BUF_INIT;
	char one[KEY_UUID], two[KEY_UUID];

	key_uuid(one);
	key_uuid(two);
	ok(key_is_uuid(one) && key_is_uuid(two) && strcmp(one, two) != 0, "two fresh UUIDs, and they differ");
	ok(one[14] == '4' && strchr("89ab", one[19]), "of version 4 and the common variant");
	key_add_uuid(&text);
	ok(text.len == KEY_UUID - 1 && key_is_uuid(text.s), "appended, it is of the same form");
	buf_reset(&text);
	key_add_uuid_of(&text, bytes, 5);
	is_buf(&text, "00112233-4455-5677-b899-aabbccddeeff", "version and variant go over the bytes that are given");
	ok(key_is_uuid("00112233-4455-5677-B899-AABBCCDDEEFF"), "capitals are of the form too");
	ok(!key_is_uuid("") && !key_is_uuid("00112233-4455-5677-b899-aabbccddeef") && !key_is_uuid("00112233-4455-5677-b899-aabbccddeefff"),
	    "one digit less or more is not");
	ok(!key_is_uuid("001122334455-5677-b899-aabbccddeeff0") && !key_is_uuid("../112233-4455-5677-b899-aabbccddeef"),
	    "nor what has other characters in its places");
	buf_release(&text);
}

int
main(void)
{
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	key_add(&text);
	ok(text.len == 32 && strspn(text.s, "0123456789abcdef") == 32, "a key is 32 hexadecimal digits");
	key(0, false);
	key(1, true);
	key(KEY_GIVEN_MAX, true);
	key(KEY_GIVEN_MAX + 1, false);
	ok(!key_check("a b", &err) && !key_check("a\nb", &err) && !key_check("a\x7f", &err), "a key has no blank and no control character");
	uuid();
	buf_release(&text);
	return done();
}
