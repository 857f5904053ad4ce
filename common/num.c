/* num.c - strict numbers */
#include "compat.h"

#include <string.h>

#include "err.h"
#include "num.h"
#include "status.h"

bool
num_u64(const char *s, size_t n, uint64_t *ret)
{
	uint64_t sum = 0;
	size_t i;

	if (!n)
		return false;
	for (i = 0; i < n; i++) {
		unsigned digit = (unsigned)((unsigned char)s[i] - '0');

		if (digit > 9 || sum > (UINT64_MAX - digit) / 10)
			return false;
		sum = sum * 10 + digit;
	}
	*ret = sum;
	return true;
}

bool
num_i64(const char *s, size_t n, int64_t *ret)
{
	bool negative = n && *s == '-';
	uint64_t u;

	if (!num_u64(s + negative, n - negative, &u) || u > (uint64_t)INT64_MAX + negative)
		return false;
	*ret = negative ? (int64_t)(0 - u) : (int64_t)u;
	return true;
}

bool
num_in_range(const char *text, int64_t min, int64_t max, const char *what, int64_t *ret, struct err *err)
{
	int64_t n;

	if (!num_i64(text, strlen(text), &n) || n < min || n > max)
		return err_set(err, STATUS_USAGE, "unable to use %s '%s': expected a whole number from %lld to %lld", what, text,
		    (long long)min, (long long)max);
	*ret = n;
	return true;
}

struct unit {
	const char *name;
	int64_t factor;
};

/* The number "digits[.digits]" times its unit; the unit "" comes first in the table. False: not one, or more than max. */
static bool
scaled(const char *text, const struct unit *units, size_t n_units, bool fractions, int64_t max, int64_t *ret)
{
	size_t whole = strspn(text, "0123456789"), part = 0, i;
	const char *unit = text + whole;
	uint64_t sum, tenth;
	int64_t factor = 0, below;

	if (!num_u64(text, whole, &sum))
		return false;
	if (fractions && *unit == '.') {
		part = strspn(unit + 1, "0123456789");
		if (!part)
			return false;
		unit += 1 + part;
	}
	for (i = 0; i < n_units; i++)
		if (!strcmp(unit, units[i].name))
			factor = units[i].factor;
	if (!factor || sum > (uint64_t)(max / factor))
		return false;
	below = factor;
	sum *= (uint64_t)factor;
	for (i = 0; i < part; i++) {
		tenth = (uint64_t)(text[whole + 1 + i] - '0');
		sum += tenth * (uint64_t)below / 10;
		below /= 10;
	}
	if (sum > (uint64_t)max)
		return false;
	*ret = (int64_t)sum;
	return true;
}

bool
num_duration(const char *text, const char *what, int64_t *ret_ms, struct err *err)
{
	static const struct unit units[] = { { "", 1000 }, { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 },
		{ "d", 86400000 } };

	if (!scaled(text, units, ARRAY_LEN(units), true, NUM_DURATION_MAX_MS, ret_ms))
		return err_set(err, STATUS_USAGE,
		    "unable to use %s '%s': expected a duration as 30, 500ms, 1.5s, 2m, 1h or 1d, at most 365d", what, text);
	return true;
}

bool
num_size(const char *text, const char *what, uint64_t *ret, struct err *err)
{
	static const struct unit units[] = { { "", 1 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 } };
	int64_t n;

	if (!scaled(text, units, ARRAY_LEN(units), false, INT64_MAX, &n))
		return err_set(err, STATUS_USAGE, "unable to use %s '%s': expected a size as 4096, 64K, 10M or 1G", what, text);
	*ret = (uint64_t)n;
	return true;
}
