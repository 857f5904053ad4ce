/* fuzz_num.c - numbers, durations, sizes and times: refused and untouched, or accepted and inside their ranges */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "num.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
expect(bool good)
{
	if (!good)
		abort();
}

static void
whole_numbers(const char *s, size_t n)
{
	uint64_t u = 7;
	int64_t i = 7;

	if (num_u64(s, n, &u))
		expect(n > 0 && s[0] >= '0' && s[0] <= '9');
	else
		expect(u == 7);
	if (num_i64(s, n, &i))
		expect(i <= 0 || num_u64(s, n, &u));
	else
		expect(i == 7);
}

static void
settings(const char *text)
{
	struct err err = ERR_INIT;
	int64_t i = 7;
	uint64_t u = 7;

	if (num_in_range(text, -5, 1000, "--count", &i, &err))
		expect(i >= -5 && i <= 1000);
	else
		expect(i == 7 && err.status);
	i = 7;
	err = (struct err)ERR_INIT;
	if (num_duration(text, "--timeout", &i, &err))
		expect(i >= 0 && i <= NUM_DURATION_MAX_MS);
	else
		expect(i == 7 && err.status);
	err = (struct err)ERR_INIT;
	if (!num_size(text, "--size", &u, &err))
		expect(u == 7 && err.status);
	err = (struct err)ERR_INIT;
}

/* A time that was read is written as one that reads as the same; only years outside 0000 to 9999 are drawn in. */
static void
times(const char *s, size_t n)
{
	struct buf text = BUF_INIT;
	int64_t ms = 7, again = 7;

	if (!clock_parse_iso(s, n, &ms)) {
		expect(ms == 7);
		return;
	}
	clock_add_iso(&text, ms);
	expect(text.len == CLOCK_ISO_LEN && clock_parse_iso(text.s, text.len, &again));
	expect(again == ms || ms < INT64_C(-62167219200000) || ms > INT64_C(253402300799999));
	buf_release(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char *text = malloc(n + 1);

	if (!text)
		return 0;
	memcpy(text, data, n);
	text[n] = '\0';
	whole_numbers(text, n);
	times(text, n);
	settings(text);
	free(text);
	return 0;
}
