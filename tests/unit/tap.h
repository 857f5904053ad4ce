/* tap.h - the smallest TAP writer: ok(), is_*(), done()
 *
 * A failed check says where it stands and what was seen. done() prints the plan and gives main's status.
 */
#ifndef TAP_H
#define TAP_H

#include "compat.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

static inline bool PRINTF(4, 5) tap_ok(bool good, const char *file, int line, const char *fmt, ...)
{
	va_list args;

	printf("%sok %d - ", good ? "" : "not ", ++tap_count);
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	if (!good) {
		tap_failed++;
		printf("# at %s:%d\n", file, line);
	}
	fflush(stdout);
	return good;
}

static inline bool
tap_is_bytes(const char *got, size_t n, const char *want, size_t want_n, const char *file, int line, const char *name)
{
	bool good = n == want_n && !memcmp(got, want, n);

	tap_ok(good, file, line, "%s", name);
	if (!good)
		printf("# got  %zu: %.*s\n# want %zu: %.*s\n", n, (int)n, got, want_n, (int)want_n, want);
	return good;
}

static inline bool
tap_is_int(long long got, long long want, const char *file, int line, const char *name)
{
	tap_ok(got == want, file, line, "%s", name);
	if (got != want)
		printf("# got %lld, want %lld\n", got, want);
	return got == want;
}

#define ok(good, ...) tap_ok((good), __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, name) tap_is_int((long long)(got), (long long)(want), __FILE__, __LINE__, name)
#define is_str(got, want, name) tap_is_bytes((got), strlen(got), (want), strlen(want), __FILE__, __LINE__, name)
#define is_buf(buf, want, name) tap_is_bytes((buf)->s, (buf)->len, (want), strlen(want), __FILE__, __LINE__, name)
#define is_bytes(got, n, want, want_n, name) tap_is_bytes((got), (n), (want), (want_n), __FILE__, __LINE__, name)

static inline int
done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}

#endif
