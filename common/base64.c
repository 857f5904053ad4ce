/* base64.c - base64 */
#include "compat.h"

#include <string.h>

#include "base64.h"
#include "buf.h"

static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void
add(struct buf *to, const unsigned char *p, size_t n, const char *alphabet, bool padding)
{
	size_t i;
	int k;

	for (i = 0; i < n; i += 3) {
		size_t here = n - i < 3 ? n - i : 3;
		uint32_t bits = (uint32_t)p[i] << 16 | (here > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (here > 2 ? p[i + 2] : 0);

		for (k = 0; k < 4; k++)
			if ((size_t)k <= here)
				buf_addch(to, alphabet[bits >> (18 - 6 * k) & 63]);
			else if (padding)
				buf_addch(to, '=');
	}
}

void
base64_add(struct buf *to, const void *bytes, size_t n)
{
	add(to, bytes, n, plain, true);
}

void
base64_add_url(struct buf *to, const void *bytes, size_t n)
{
	add(to, bytes, n, url, false);
}

bool
base64_read(const char *s, size_t n, struct buf *to)
{
	size_t start = to->len, i, pad = 0;

	if (n % 4)
		return false;
	while (pad < 2 && pad < n && s[n - 1 - pad] == '=')
		pad++;
	for (i = 0; i < n; i += 4) {
		uint32_t bits = 0;
		size_t k, here = i + 4 == n ? 4 - pad : 4;

		for (k = 0; k < 4; k++) {
			const char *at = k < here && s[i + k] ? strchr(plain, s[i + k]) : NULL;

			if (k < here && !at)
				goto bad;
			bits = bits << 6 | (at ? (uint32_t)(at - plain) : 0);
		}
		if ((here == 2 && (bits & 0xffff)) || (here == 3 && (bits & 0xff)))
			goto bad;
		buf_addch(to, (char)(bits >> 16));
		if (here > 2)
			buf_addch(to, (char)(bits >> 8 & 255));
		if (here > 3)
			buf_addch(to, (char)(bits & 255));
	}
	return true;
bad:
	buf_cut(to, start);
	return false;
}
