/* err.c - fill a struct err */
#include "compat.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "err.h"

/* vsnprintf that marks a cut with "..." */
static void PRINTF(3, 0) print_cut(char *to, size_t size, const char *fmt, va_list args)
{
	int n = vsnprintf(to, size, fmt, args);

	if (n < 0)
		to[0] = '\0';
	else if ((size_t)n >= size)
		memcpy(to + size - 4, "...", 4);
}

bool
err_vset(struct err *err, int status, const char *fmt, va_list args)
{
	if (!err)
		return false;
	memset(err, 0, offsetof(struct err, text));
	err->status = status;
	err->hint[0] = '\0';
	print_cut(err->text, sizeof err->text, fmt, args);
	return false;
}

bool
err_set(struct err *err, int status, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	err_vset(err, status, fmt, args);
	va_end(args);
	return false;
}

bool
err_errno(struct err *err, int status, const char *fmt, ...)
{
	int saved = errno;
	va_list args;
	size_t n;

	va_start(args, fmt);
	err_vset(err, status, fmt, args);
	va_end(args);
	if (!err)
		return false;
	n = strlen(err->text);
	snprintf(err->text + n, sizeof err->text - n, ": %s", strerror(saved));
	errno = saved;
	return false;
}

void
err_hint(struct err *err, const char *fmt, ...)
{
	va_list args;

	if (!err)
		return;
	va_start(args, fmt);
	print_cut(err->hint, sizeof err->hint, fmt, args);
	va_end(args);
}

bool
err_prefix(struct err *err, const char *fmt, ...)
{
	char old[ERR_TEXT_MAX];
	va_list args;
	size_t n;

	if (!err)
		return false;
	memcpy(old, err->text, sizeof old);
	va_start(args, fmt);
	print_cut(err->text, sizeof err->text, fmt, args);
	va_end(args);
	n = strlen(err->text);
	if ((size_t)snprintf(err->text + n, sizeof err->text - n, ": %s", old) >= sizeof err->text - n)
		memcpy(err->text + sizeof err->text - 4, "...", 4);
	return false;
}
