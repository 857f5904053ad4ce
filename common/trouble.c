/* trouble.c - what went wrong, from the words of a runtime */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "buf.h"
#include "clock.h"
#include "trouble.h"
#include "utf8.h"

#define STATUS_TEXT "unexpected status "

static bool
is_any(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(word, *words))
			return true;
	return false;
}

static bool
says_any(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcasestr(text, *words))
			return true;
	return false;
}

void
trouble_add_text(struct buf *to, struct span text)
{
	struct buf raw = BUF_INIT;

	if (jtext_string(text, &raw)) {
		if (raw.len > TROUBLE_TEXT_MAX)
			buf_cut(&raw, TROUBLE_TEXT_MAX);
		utf8_safe(to, raw.s, raw.len, UTF8_SAFE_LINE);
	}
	buf_release(&raw);
}

void
trouble_read(struct span error, struct buf *text, struct buf *info, int64_t *http, int64_t *retry_at_ms)
{
	struct span value, key, inner;
	struct buf at = BUF_INIT;
	size_t pos = 0;
	int64_t ms;

	if (jtext_type(error) != JTEXT_OBJECT)
		return;
	if (jtext_get(error, "message", &value))
		trouble_add_text(text, value);
	if (jtext_get_string(error, "retryAt", &at) && clock_parse_iso(at.s, at.len, &ms))
		*retry_at_ms = ms;
	buf_release(&at);
	if (!jtext_get(error, "codexErrorInfo", &value))
		return;
	if (jtext_type(value) == JTEXT_STRING)
		trouble_add_text(info, value);
	else if (jtext_type(value) == JTEXT_OBJECT && jtext_each(value, &pos, &key, &inner)) {
		trouble_add_text(info, key);
		jtext_get_i64(inner, "httpStatusCode", http);
	}
}

enum runtime_fault
trouble_of_turn(const char *message, const char *info, int64_t http)
{
	static const char *const limits[] = { "usageLimitExceeded", "rateLimitExceeded", NULL },
				 *const models[] = { "serverOverloaded", "internalServerError", "httpConnectionFailed",
					 "responseStreamConnectionFailed", "responseStreamDisconnected", NULL },
				 *const said_limit[] = { "usage limit", "rate limit", NULL },
				 *const said_model[] = { "stream disconnected", "error sending request", "idle timeout", NULL };
	const char *status = strstr(message, STATUS_TEXT);

	if (!http && status)
		http = strtol(status + strlen(STATUS_TEXT), NULL, 10);
	if (!strcmp(info, "unauthorized") || http == 401)
		return RUNTIME_FAULT_AUTH;
	if (is_any(info, limits) || http == 429)
		return RUNTIME_FAULT_LIMIT;
	if (!strcmp(info, "contextWindowExceeded") || !strcmp(info, "badRequest") || !strcmp(info, "sandboxError"))
		return RUNTIME_FAULT_TURN;
	if (says_any(message, said_limit))
		return RUNTIME_FAULT_LIMIT;
	if (http >= 500 || (is_any(info, models) && http < 400) || says_any(message, said_model))
		return RUNTIME_FAULT_MODEL;
	return RUNTIME_FAULT_TURN;
}

enum runtime_fault
trouble_of_refusal(const char *message)
{
	static const char *const auth[] = { "authentication required", "not logged in", "authenticated account", NULL },
				 *const config[] = { "deriving config", "failed to load config", "config.toml", NULL };

	return says_any(message, auth) ? RUNTIME_FAULT_AUTH : says_any(message, config) ? RUNTIME_FAULT_CONFIG : RUNTIME_FAULT_REFUSED;
}

enum runtime_fault
trouble_of_start(int exit_status, const char *said)
{
	static const char *const old[] = { "unrecognized subcommand", "unexpected argument", "unknown command", NULL };

	/* 127 and 126 are the shell's */
	if (exit_status == 127 || exit_status == 126)
		return RUNTIME_FAULT_MISSING;
	return exit_status > 0 && says_any(said, old) ? RUNTIME_FAULT_VERSION : RUNTIME_FAULT_START;
}

/* ---- times */

static const char *
skip(const char *s)
{
	while (*s == ' ')
		s++;
	return s;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A unit's milliseconds; its letters are passed over. */
static int64_t
read_unit(const char **at)
{
	static const struct {
		const char *word;
		int64_t ms;
	} units[] = { { "milliseconds", 1 }, { "millisecond", 1 }, { "ms", 1 }, { "seconds", 1000 }, { "second", 1000 }, { "secs", 1000 },
		{ "sec", 1000 }, { "s", 1000 }, { "minutes", 60000 }, { "minute", 60000 }, { "mins", 60000 }, { "min", 60000 },
		{ "m", 60000 }, { "hours", 3600000 }, { "hour", 3600000 }, { "h", 3600000 }, { "days", 86400000 }, { "day", 86400000 },
		{ "d", 86400000 } };
	size_t n = strspn(*at, "abcdefghijklmnopqrstuvwxyz"), i;

	for (i = 0; i < ARRAY_LEN(units); i++)
		if (strlen(units[i].word) == n && !strncmp(*at, units[i].word, n)) {
			*at += n;
			return units[i].ms;
		}
	return 0;
}

/* "1.5s", "6m0s", "2 hours 5 minutes"; -1: none. */
static int64_t
read_span(const char *s)
{
	int64_t ms = -1, unit;

	for (s = skip(s); is_digit(*s); s = skip(s)) {
		int64_t whole = 0, thousandths = 0, place = 100;

		for (; is_digit(*s); s++)
			whole = whole < 1000000000 ? whole * 10 + (*s - '0') : whole;
		if (*s == '.' && is_digit(s[1]))
			for (s++; is_digit(*s); s++, place /= 10)
				thousandths += place * (*s - '0');
		s = skip(s);
		unit = read_unit(&s);
		if (!unit)
			break;
		ms = (ms < 0 ? 0 : ms) + whole * unit + thousandths * unit / 1000;
		if (ms > TROUBLE_WAIT_MAX_MS)
			return -1;
		if (*s == ',')
			s++;
	}
	return ms;
}

/* "11:15 AM" into hours and minutes. */
static bool
read_clock(const char *s, struct tm *tm)
{
	char *end;
	long hour = strtol(s, &end, 10), minute;

	if (end == s || *end != ':' || !is_digit(end[1]))
		return false;
	minute = strtol(end + 1, &end, 10);
	s = skip(end);
	if (hour < 1 || hour > 12 || minute > 59 || (strncasecmp(s, "AM", 2) != 0 && strncasecmp(s, "PM", 2) != 0))
		return false;
	tm->tm_hour = (int)(hour % 12 + (*s == 'P' || *s == 'p' ? 12 : 0));
	tm->tm_min = (int)minute;
	tm->tm_sec = 60; /* the end of that minute: the seconds are not said */
	tm->tm_isdst = -1;
	return true;
}

/* "Nov 22nd, 2026 " into a day; where it ends, NULL: it is none. */
static const char *
read_day(const char *s, struct tm *tm)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char *end;
	long day, year;
	int month;

	for (month = 0; month < 12 && strncmp(s, months + (size_t)month * 3, 3) != 0; month++)
		;
	if (month == 12 || s[3] != ' ')
		return NULL;
	day = strtol(s + 4, &end, 10);
	s = end + strspn(end, "stndrh");
	if (day < 1 || day > 31 || s[0] != ',')
		return NULL;
	year = strtol(s + 1, &end, 10);
	if (year < 2000 || year > 9999)
		return NULL;
	tm->tm_year = (int)year - 1900;
	tm->tm_mon = month;
	tm->tm_mday = (int)day;
	return skip(end);
}

static int64_t
read_time(const char *s, int64_t now_ms)
{
	time_t now = (time_t)(now_ms / 1000), at;
	const char *after;
	struct tm tm;

	if (!localtime_r(&now, &tm))
		return 0;
	after = read_day(s, &tm);
	if (!read_clock(after ? after : s, &tm))
		return 0;
	at = mktime(&tm);
	if (at == (time_t)-1)
		return 0;
	/* a time of the day that has been is that of tomorrow */
	if (!after && (int64_t)at * 1000 < now_ms) {
		tm.tm_mday++;
		tm.tm_isdst = -1;
		at = mktime(&tm);
	}
	/* a day that has been says nothing of when */
	return (int64_t)at * 1000 < now_ms || (int64_t)at * 1000 > now_ms + TROUBLE_WAIT_MAX_MS ? 0 : (int64_t)at * 1000;
}

int64_t
trouble_retry_at(const char *message, int64_t now_ms)
{
	const char *s = strcasestr(message, "try again ");
	int64_t ms;

	if (!s)
		return 0;
	s += strlen("try again ");
	if (!strncasecmp(s, "at ", 3))
		return read_time(skip(s + 3), now_ms);
	if (strncasecmp(s, "in ", 3) != 0)
		return 0;
	ms = read_span(s + 3);
	return ms < 0 ? 0 : now_ms + ms;
}

static int64_t
window_reset(struct span limits, const char *name)
{
	struct span window;
	int64_t used = 0, at = 0;

	if (jtext_get(limits, name, &window) && jtext_type(window) == JTEXT_OBJECT && jtext_get_i64(window, "usedPercent", &used) &&
	    used >= 100 && jtext_get_i64(window, "resetsAt", &at) && at > 0 && at < INT64_C(253402300800))
		return at * 1000;
	return 0;
}

int64_t
trouble_reset_at(struct span limits)
{
	int64_t primary, secondary;

	if (jtext_type(limits) != JTEXT_OBJECT)
		return 0;
	primary = window_reset(limits, "primary");
	secondary = window_reset(limits, "secondary");
	return primary > secondary ? primary : secondary;
}

int64_t
trouble_until(int64_t said_ms, const char *message, int64_t reset_at_ms, int64_t now_ms)
{
	int64_t at;

	if (said_ms > now_ms && said_ms <= now_ms + TROUBLE_WAIT_MAX_MS)
		return said_ms;
	at = trouble_retry_at(message, now_ms);
	return at ? at : reset_at_ms > now_ms ? reset_at_ms : 0;
}

/* ---- versions */

static bool
read_version(const char *s, long *parts)
{
	char *end;
	int i;

	for (i = 0; i < 3; i++) {
		if (!is_digit(*s))
			return false;
		parts[i] = strtol(s, &end, 10);
		if (i < 2 && *end != '.')
			return false;
		s = end + 1;
	}
	return true;
}

bool
trouble_is_older(const char *agent, const char *version)
{
	const char *slash = strchr(agent, '/');
	long is[3], wants[3];
	int i;

	if (!slash || !read_version(slash + 1, is) || !read_version(version, wants))
		return false;
	for (i = 0; i < 3; i++)
		if (is[i] != wants[i])
			return is[i] < wants[i];
	return false;
}
