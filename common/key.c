/* key.c - fresh ids and idempotency keys */
#include "compat.h"

#include <fcntl.h>
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

void
key_add_hex(struct buf *to, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char bytes[KEY_BYTES_MAX];
	size_t i;

	if (n > sizeof bytes)
		abort();
	key_random(bytes, n);
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

void
key_add_uuid(struct buf *to)
{
	unsigned char bytes[16];
	size_t i;

	key_random(bytes, sizeof bytes);
	bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
	for (i = 0; i < sizeof bytes; i++)
		buf_addf(to, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", bytes[i]);
}
