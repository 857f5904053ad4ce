/* clock.c - time: monotonic for deadlines, wall clock for records */
#include "compat.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "buf.h"
#include "clock.h"

static int64_t
now_ms(clockid_t which)
{
	struct timespec t;

	clock_gettime(which, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_monotonic_ms(void)
{
	return now_ms(CLOCK_MONOTONIC);
}

int64_t
clock_wall_ms(void)
{
	return now_ms(CLOCK_REALTIME);
}

int64_t
clock_monotonic_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t
deadline_in(int64_t ms)
{
	int64_t now = clock_monotonic_ms();

	if (ms < 0 || ms >= DEADLINE_NONE - now)
		return DEADLINE_NONE;
	return now + ms;
}

int64_t
deadline_left(int64_t deadline)
{
	int64_t left;

	if (deadline == DEADLINE_NONE)
		return DEADLINE_NONE;
	left = deadline - clock_monotonic_ms();
	return left > 0 ? left : 0;
}

int
deadline_poll(int64_t deadline)
{
	int64_t left = deadline_left(deadline);

	if (left == DEADLINE_NONE)
		return -1;
	return left > INT_MAX ? INT_MAX : (int)left;
}

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back: eras of 400 years, years from March. */
static int64_t
days_of(int64_t year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year, era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400, of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void
date_of(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = yoe + era * 400 + (*month <= 2);
}

static void
put_digits(char *to, int64_t n, int width)
{
	while (width--) {
		to[width] = (char)('0' + n % 10);
		n /= 10;
	}
}

void
clock_add_iso(struct buf *buf, int64_t wall_ms)
{
	static const int64_t day_ms = 86400000, first = INT64_C(-62167219200000), last = INT64_C(253402300799999);
	char text[] = "0000-00-00T00:00:00.000Z";
	int64_t days, rest, year;
	int month, day;

	if (wall_ms < first)
		wall_ms = first;
	if (wall_ms > last)
		wall_ms = last;
	days = wall_ms / day_ms;
	rest = wall_ms % day_ms;
	if (rest < 0) {
		rest += day_ms;
		days--;
	}
	date_of(days, &year, &month, &day);
	put_digits(text, year, 4);
	put_digits(text + 5, month, 2);
	put_digits(text + 8, day, 2);
	put_digits(text + 11, rest / 3600000, 2);
	put_digits(text + 14, rest / 60000 % 60, 2);
	put_digits(text + 17, rest / 1000 % 60, 2);
	put_digits(text + 20, rest % 1000, 3);
	buf_add(buf, text, CLOCK_ISO_LEN);
}

/* Exactly `width` digits at *s; false when there are fewer. */
static bool
take_digits(const char **s, const char *end, int width, int *ret)
{
	int n = 0;

	if (end - *s < width)
		return false;
	for (; width; width--, (*s)++) {
		if (**s < '0' || **s > '9')
			return false;
		n = n * 10 + (**s - '0');
	}
	*ret = n;
	return true;
}

static bool
take_char(const char **s, const char *end, const char *any)
{
	if (*s == end || !**s || !strchr(any, **s))
		return false;
	(*s)++;
	return true;
}

static bool
take_zone(const char **s, const char *end, int *ret_minutes)
{
	int hours, minutes, sign;

	*ret_minutes = 0;
	if (take_char(s, end, "Zz"))
		return true;
	sign = *s != end && **s == '-' ? -1 : 1;
	if (!take_char(s, end, "+-") || !take_digits(s, end, 2, &hours) || !take_char(s, end, ":") || !take_digits(s, end, 2, &minutes))
		return false;
	if (hours > 23 || minutes > 59)
		return false;
	*ret_minutes = sign * (hours * 60 + minutes);
	return true;
}

static bool
date_exists(int year, int month, int day)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

bool
clock_parse_iso(const char *s, size_t n, int64_t *ret_wall_ms)
{
	const char *end = s + n;
	int year, month, day, hour, minute, second, zone, ms = 0, scale = 100;

	if (!take_digits(&s, end, 4, &year) || !take_char(&s, end, "-") || !take_digits(&s, end, 2, &month) || !take_char(&s, end, "-") ||
	    !take_digits(&s, end, 2, &day))
		return false;
	if (!take_char(&s, end, "Tt ") || !take_digits(&s, end, 2, &hour) || !take_char(&s, end, ":") ||
	    !take_digits(&s, end, 2, &minute) || !take_char(&s, end, ":") || !take_digits(&s, end, 2, &second))
		return false;
	if (take_char(&s, end, ".")) {
		const char *first = s;

		for (; s < end && *s >= '0' && *s <= '9'; s++) {
			ms += scale * (*s - '0');
			scale /= 10;
		}
		if (s == first)
			return false;
	}
	if (!take_zone(&s, end, &zone) || s != end)
		return false;
	if (!date_exists(year, month, day) || hour > 23 || minute > 59 || second > 60)
		return false;
	*ret_wall_ms = (days_of(year, month, day) * 86400 + hour * 3600 + (minute - zone) * 60 + second) * 1000 + ms;
	return true;
}
