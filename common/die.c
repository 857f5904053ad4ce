/* die.c - messages on standard error, and the end */
#include "compat.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "die.h"
#include "err.h"
#include "jtext.h"
#include "out.h"
#include "utf8.h"

const char *die_program = "agent";
bool die_quiet;
bool die_verbose;
bool die_json;

/* One write, so that lines of several programs do not mix; nobody can be told when even that fails. */
static void
emit(struct buf *line)
{
	buf_addch(line, '\n');
	if (write(STDERR_FILENO, line->s, line->len) < 0)
		return;
}

static void
say_text(const char *level, const char *text, const char *hint)
{
	struct buf line = BUF_INIT;

	buf_addf(&line, "%s: %s", die_program, level);
	utf8_safe(&line, text, strlen(text), UTF8_SAFE_LINE);
	emit(&line);
	if (hint && *hint) {
		buf_reset(&line);
		buf_addf(&line, "%s: hint: ", die_program);
		utf8_safe(&line, hint, strlen(hint), UTF8_SAFE_LINE);
		emit(&line);
	}
	buf_release(&line);
}

static void
say_json(const char *member, const struct err *err)
{
	struct buf line = BUF_INIT;

	buf_addf(&line, "{\"%s\":{\"code\":\"%s\",\"status\":%d,\"message\":", member, status_word(err->status), err->status);
	jtext_quote(&line, err->text, strlen(err->text));
	if (*err->hint) {
		buf_addstr(&line, ",\"hint\":");
		jtext_quote(&line, err->hint, strlen(err->hint));
	}
	if (err->http)
		buf_addf(&line, ",\"http\":%d", err->http);
	buf_addf(&line, ",\"retryable\":%s",
	    err->status == STATUS_RETRY || err->status == STATUS_UNREACHABLE || err->status == STATUS_TIMEOUT ? "true" : "false");
	if (err->retry_at_ms) {
		buf_addstr(&line, ",\"retry_at\":\"");
		clock_add_iso(&line, err->retry_at_ms);
		buf_addch(&line, '"');
	}
	buf_addf(&line, ",\"program\":\"%s\"}}", die_program);
	emit(&line);
	buf_release(&line);
}

static void
say(const char *level, const char *member, const struct err *err)
{
	if (die_json)
		say_json(member, err);
	else
		say_text(level, err->text, err->hint);
}

void
die_err(const struct err *err)
{
	/* What has been said on standard output goes out before the bad news; its own failure matters less. */
	out_flush_quietly();
	say("fatal: ", "error", err);
	_exit(err->status ? err->status : STATUS_BUG);
}

void
die(int status, const char *fmt, ...)
{
	struct err err = ERR_INIT;
	va_list args;

	va_start(args, fmt);
	err_vset(&err, status, fmt, args);
	va_end(args);
	die_err(&err);
}

void
die_errno(int status, const char *fmt, ...)
{
	struct err err = ERR_INIT;
	int saved = errno;
	va_list args;
	size_t n;

	va_start(args, fmt);
	err_vset(&err, status, fmt, args);
	va_end(args);
	n = strlen(err.text);
	snprintf(err.text + n, sizeof err.text - n, ": %s", strerror(saved));
	die_err(&err);
}

void
die_usage(const char *fmt, ...)
{
	struct err err = ERR_INIT;
	va_list args;

	va_start(args, fmt);
	err_vset(&err, STATUS_USAGE, fmt, args);
	va_end(args);
	if (die_json) {
		err_hint(&err, "try '%s --help'", die_program);
		die_err(&err);
	}
	out_flush_quietly();
	say_text("", err.text, NULL);
	err_set(&err, STATUS_USAGE, "Try '%s --help'.", die_program);
	say_text("", err.text, NULL);
	_exit(STATUS_USAGE);
}

void
warn(const char *fmt, ...)
{
	struct err err = ERR_INIT;
	va_list args;

	va_start(args, fmt);
	err_vset(&err, STATUS_OK, fmt, args);
	va_end(args);
	say("warning: ", "warning", &err);
}

void
warn_err(const struct err *err)
{
	say("error: ", "error", err);
}

static void PRINTF(3, 0) say_if(bool wanted, const char *level, const char *fmt, va_list args)
{
	struct err err = ERR_INIT;

	if (!wanted)
		return;
	err_vset(&err, STATUS_OK, fmt, args);
	say_text(level, err.text, NULL);
}

void
info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say_if(!die_quiet, "", fmt, args);
	va_end(args);
}

void
debug(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say_if(die_verbose, "debug: ", fmt, args);
	va_end(args);
}

int
status_worse(int a, int b)
{
	if (a == STATUS_OK || (a == STATUS_NO && b != STATUS_OK))
		return b;
	return a;
}
