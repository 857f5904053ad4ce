/* test_num.c - strict numbers; times */
#include "compat.h"

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "num.h"
#include "status.h"
#include "tap.h"

static void
duration(const char *text, int64_t want)
{
	struct err err = ERR_INIT;
	int64_t ms = -1;
	bool good = num_duration(text, "--timeout", &ms, &err);

	ok(good == (want >= 0) && (want < 0 || ms == want), "duration '%s'", text);
	if (good && ms != want)
		printf("# got %lld\n", (long long)ms);
}

static void
iso(const char *text, const char *want)
{
	struct buf out = BUF_INIT;
	int64_t ms;

	if (clock_parse_iso(text, strlen(text), &ms))
		clock_add_iso(&out, ms);
	is_buf(&out, want, text);
	buf_release(&out);
}

int
main(void)
{
	struct err err = ERR_INIT;
	uint64_t u = 7;
	int64_t i = 7;

	ok(num_u64("18446744073709551615", 20, &u) && u == UINT64_MAX, "the largest number");
	ok(!num_u64("18446744073709551616", 20, &u) && u == UINT64_MAX, "one more is refused and changes nothing");
	ok(!num_u64("", 0, &u) && !num_u64("+1", 2, &u) && !num_u64(" 1", 2, &u) && !num_u64("1x", 2, &u) && !num_u64("0x1", 3, &u),
	    "nothing around a number");
	ok(num_i64("-9223372036854775808", 20, &i) && i == INT64_MIN, "the smallest signed number");
	ok(!num_i64("-9223372036854775809", 20, &i) && !num_i64("9223372036854775808", 19, &i), "beyond either end is refused");
	ok(!num_in_range("11", 1, 10, "--count", &i, &err) && err.status == STATUS_USAGE, "out of range is a usage error");
	is_str(err.text, "unable to use --count '11': expected a whole number from 1 to 10", "that says the range");
	duration("30", 30000);
	duration("30s", 30000);
	duration("500ms", 500);
	duration("1.5s", 1500);
	duration("2m", 120000);
	duration("1h", 3600000);
	duration("365d", INT64_C(31536000000));
	duration("366d", -1);
	duration("", -1);
	duration("s", -1);
	duration("-1", -1);
	duration("1.", -1);
	duration("1w", -1);
	duration("99999999999999999999", -1);
	ok(num_size("64K", "--size", &u, &err) && u == 65536, "sizes count in 1024");
	iso("2026-11-21T01:46:30.977Z", "2026-11-21T01:46:30.977Z");
	iso("2026-11-21T01:46:30Z", "2026-11-21T01:46:30.000Z");
	iso("2026-11-21T01:46:30.9779+01:30", "2026-11-21T00:16:30.977Z");
	iso("2024-02-29T23:59:59-00:01", "2024-03-01T00:00:59.000Z");
	iso("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z");
	iso("2026-02-29T00:00:00Z", "");
	iso("2026-11-21", "");
	iso("2026-11-21T24:00:00Z", "");
	ok(deadline_in(-1) == DEADLINE_NONE && deadline_poll(DEADLINE_NONE) == -1, "no deadline waits for ever");
	ok(deadline_left(clock_monotonic_ms() - 5) == 0, "a deadline that has passed leaves nothing");
	return done();
}
