/* run_corpus.c - feeds files to a fuzz target, one test each: what once broke a parser stays a test */
#include "compat.h"

#include "buf.h"
#include "err.h"
#include "../unit/tap.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
main(int argc, char *argv[])
{
	int i;

	for (i = 1; i < argc; i++) {
		struct buf bytes = BUF_INIT;
		struct err err = ERR_INIT;
		bool read = buf_read_file(&bytes, argv[i], 1 << 24, &err);
		size_t n;

		/* every prefix too: cheap, and where parsers break */
		for (n = 0; read && n <= bytes.len; n += bytes.len > 4096 ? 97 : 1)
			LLVMFuzzerTestOneInput((const uint8_t *)bytes.s, n);
		ok(read, "%s", argv[i]);
		buf_release(&bytes);
	}
	return done();
}
