/* test_hash.c - FNV-1a: the values that are published for it, and any cut of the same bytes */
#include "compat.h"

#include "hash.h"
#include "tap.h"

static void
is(const char *text, uint64_t want)
{
	ok(hash(text, strlen(text)) == want, "the hash of '%s'", text);
}

int
main(void)
{
	static const char bytes[] = "a\0b\xff\x80";
	size_t n = sizeof bytes - 1, cut, good = 0;

	is("", UINT64_C(0xcbf29ce484222325));
	is("a", UINT64_C(0xaf63dc4c8601ec8c));
	is("foobar", UINT64_C(0x85944171f73967e8));
	for (cut = 0; cut <= n; cut++)
		good += hash_add(hash(bytes, cut), bytes + cut, n - cut) == hash(bytes, n);
	ok(good == n + 1, "in two pieces it is the same, wherever it is cut");
	ok(hash("a", 2) != hash("a", 1), "a NUL counts");
	ok(hash("\xff", 1) == (HASH_INIT ^ 0xff) * UINT64_C(1099511628211), "a byte over 127 is no negative number");
	return done();
}
