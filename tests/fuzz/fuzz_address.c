/* fuzz_address.c - an address that is accepted holds no password, no control character and no slash at its end */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "address.h"
#include "err.h"
#include "status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
expect(bool good)
{
	if (!good)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct address address = ADDRESS_INIT, again = ADDRESS_INIT;
	struct err err = ERR_INIT;
	char *text = malloc(n + 1);
	size_t i;

	expect(text != NULL);
	memcpy(text, data, n);
	text[n] = '\0';
	if (address_parse(text, &address, &err)) {
		for (i = 0; i < address.given.len; i++)
			expect((unsigned char)address.given.s[i] > ' ' && address.given.s[i] != 0x7f);
		expect(!strncasecmp(address.base.s, "http", 4));
		if (address.unix_path.len)
			expect(address.unix_path.s[0] == '/');
		else {
			expect(address.base.s[address.base.len - 1] != '/');
			/* what it is called is an address too, and the same */
			expect(address_parse(address.given.s, &again, &err) && !strcmp(again.base.s, address.base.s));
		}
	} else
		expect(err.status == STATUS_USAGE && err.text[0]);
	address_release(&address);
	address_release(&again);
	free(text);
	return 0;
}
