/* key.c - fresh ids and idempotency keys */
#include "compat.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_GETRANDOM
#include <sys/random.h>
#endif

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "key.h"
#include "status.h"

#define KEY_BYTES_MAX 64
#define POOL 512 /* bytes */

static const char hex[] = "0123456789abcdef";

static bool
random_bytes(unsigned char *to, size_t n)
{
	int fd;
	ssize_t got;

#ifdef HAVE_GETRANDOM
	if (getrandom(to, n, 0) == (ssize_t)n)
		return true;
#endif
	fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = read(fd, to, n);
	close(fd);
	return got == (ssize_t)n;
}

void
key_random(void *to, size_t n)
{
	if (n > KEY_BYTES_MAX || !random_bytes(to, n))
		abort(); /* a key that is not random would make two different requests one, or a token a guess */
}

/* For ids, of which a busy daemon makes thousands a second: the kernel is asked for POOL bytes at a time. None is given out twice; a
 * process that forks and goes on making ids in both would do just that, and none does. */
static void
pooled(unsigned char *to, size_t n)
{
	static _Thread_local unsigned char pool[POOL];
	static _Thread_local size_t left;
	size_t i;

	if (left < n) {
		for (i = 0; i < POOL; i += KEY_BYTES_MAX)
			key_random(pool + i, KEY_BYTES_MAX);
		left = POOL;
	}
	left -= n;
	memcpy(to, pool + left, n);
	memset(pool + left, 0, n);
}

void
key_add_hex(struct buf *to, size_t n)
{
	unsigned char bytes[KEY_BYTES_MAX];
	size_t i;

	if (n > sizeof bytes)
		abort();
	pooled(bytes, n);
	for (i = 0; i < n; i++) {
		buf_addch(to, hex[bytes[i] >> 4]);
		buf_addch(to, hex[bytes[i] & 15]);
	}
}

void
key_add(struct buf *to)
{
	key_add_hex(to, 16);
}

void
key_add_run(struct buf *to)
{
	buf_addf(to, "run_cli_%lld_", (long long)clock_wall_ms());
	key_add_hex(to, 4);
}

bool
key_check(const char *key, struct err *err)
{
	const char *at;

	/* a line break would end the header and begin another one */
	for (at = key; *at > ' ' && *at < 0x7f; at++)
		;
	if (*at || at == key || at - key > KEY_GIVEN_MAX)
		return err_set(
		    err, STATUS_USAGE, "unable to use --idempotency-key: expected 1 to %d visible ASCII characters", KEY_GIVEN_MAX);
	return true;
}

static void
write_uuid(char ret[KEY_UUID], const unsigned char bytes[16], unsigned version)
{
	unsigned char byte;
	char *at = ret;
	size_t i;

	for (i = 0; i < 16; i++) {
		byte = bytes[i];
		if (i == 6)
			byte = (unsigned char)((byte & 0x0f) | version << 4);
		else if (i == 8)
			byte = (unsigned char)((byte & 0x3f) | 0x80);
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = hex[byte >> 4];
		*at++ = hex[byte & 15];
	}
	*at = '\0';
}

void
key_uuid(char ret[KEY_UUID])
{
	unsigned char bytes[16];

	pooled(bytes, sizeof bytes);
	write_uuid(ret, bytes, 4);
}

void
key_add_uuid(struct buf *to)
{
	char text[KEY_UUID];

	key_uuid(text);
	buf_add(to, text, sizeof text - 1);
}

void
key_add_uuid_of(struct buf *to, const unsigned char bytes[16], unsigned version)
{
	char text[KEY_UUID];

	write_uuid(text, bytes, version);
	buf_add(to, text, sizeof text - 1);
}

bool
key_is_uuid(const char *s)
{
	size_t i;

	for (i = 0; s[i]; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? s[i] != '-' : !strchr("0123456789abcdefABCDEF", s[i]))
			return false;
	return i == KEY_UUID - 1;
}
