/* fuzz_shake.c - any head as a WebSocket's handshake: what is granted has all that RFC 6455 asks for, and gives back nothing odd */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "http/parse.h"
#include "http/shake.h"
#include "wspeer.h"
#include "xalloc.h"

#define HEADERS 20

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct span names[HEADERS], values[HEADERS];
	struct parse_head head = { .names = names, .values = values, .max_headers = HEADERS };
	struct shake_fields fields;
	struct shake shake;
	char *texts[2 * HEADERS], *method;
	struct buf accept = BUF_INIT;
	size_t i;

	if (parse_head((const char *)bytes, n, 0, &head) != PARSE_DONE)
		return 0;
	for (i = 0; i < head.n_headers; i++) {
		texts[i] = xmemdup0(names[i].s, names[i].n);
		texts[HEADERS + i] = xmemdup0(values[i].s, values[i].n);
	}
	method = xmemdup0(head.method.s, head.method.n);
	fields = (struct shake_fields){ method, texts, texts + HEADERS, head.n_headers, head.http10 };
	if (shake_check(&fields, &shake)) {
		if (strcmp(method, "GET") || head.http10 || shake.key.n != WSPEER_KEY_LEN)
			abort();
		for (i = 0; i < shake.protocol.n; i++)
			if ((unsigned char)shake.protocol.s[i] <= ' ' || (unsigned char)shake.protocol.s[i] >= 0x7f)
				abort();
		wspeer_add_accept(&accept, shake.key.s, shake.key.n);
		if (accept.len != WSPEER_ACCEPT_LEN)
			abort();
	} else if (!shake.wrong || (shake.status != 400 && shake.status != 405))
		abort();
	buf_release(&accept);
	free(method);
	for (i = 0; i < head.n_headers; i++) {
		free(texts[i]);
		free(texts[HEADERS + i]);
	}
	return 0;
}
