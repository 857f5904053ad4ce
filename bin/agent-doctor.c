/*
 * agent-doctor - check a setup, and say what is wrong and what to do
 *
 * writes  a line for each check; with --json {"check","result":"ok"|"warn"|"fail"|"skip","message","advice"?,"status"?}
 *
 * It looks and asks, and changes nothing. The checks of the server come first, in the order in which one needs the one before.
 */
#include "compat.h"

#include <stdarg.h>

#include "api.h"
#include "die.h"
#include "doctor/doctor.h"
#include "err.h"
#include "jtext.h"
#include "opt.h"
#include "out.h"
#include "utf8.h"

enum { OPT_JSON = OPT_OWN, OPT_STATE, OPT_LOCAL };

static const struct opt opts[] = {
	{ OPT_JSON, "json", NULL, "records instead of text" },
	{ OPT_STATE, "state", "DIR", "the gateway's state directory (default as agent-gateway)" },
	{ OPT_LOCAL, "local", NULL, "look at this machine only, ask no server" },
	OPT_API,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-doctor",
	.synopsis = "[options]",
	.about = "check a setup, and say what is wrong and what to do",
	.example = "  agent-doctor --json | jq -r '.advice // empty'",
	.opts = opts,
};

static bool json;
static int failed; /* status of the first check that failed */
static bool warned;

/* ---- findings */

void
report(const char *check, enum result result, int status, const char *advice, const char *fmt, ...)
{
	static const char *const words[] = { "ok", "warn", "fail", "skip" };
	struct buf message = BUF_INIT, safe = BUF_INIT, line = BUF_INIT;
	va_list args;

	va_start(args, fmt);
	buf_vaddf(&message, fmt, args);
	va_end(args);
	utf8_safe(&safe, message.s, message.len, UTF8_SAFE_LINE);
	if (result == RESULT_FAIL && !failed)
		failed = status;
	warned = warned || result == RESULT_WARN;
	if (result == RESULT_OK || (advice && !*advice))
		advice = NULL;
	if (json) {
		buf_addch(&line, '{');
		jtext_add_text(&line, "check", check);
		jtext_add_text(&line, "result", words[result]);
		jtext_add_text(&line, "message", safe.s);
		jtext_add_given(&line, "advice", advice);
		if (result == RESULT_FAIL)
			jtext_add_i64(&line, "status", status);
		buf_addch(&line, '}');
	} else {
		buf_addf(&line, "%-4s  %-12s  %s", words[result], check, safe.s);
		if (advice)
			buf_addf(&line, "\n%20s%s", "", advice);
	}
	out_line(line.s, line.len);
	out_flush();
	buf_release(&message);
	buf_release(&safe);
	buf_release(&line);
}

void
report_err(const char *check, const struct err *err, const char *advice)
{
	report(check, RESULT_FAIL, err->status, *err->hint ? err->hint : advice, "%s", err->text);
}

int
main(int argc, char *argv[])
{
	struct api api = API_INIT;
	struct err err = ERR_INIT;
	const char *state = NULL;
	bool local = false;
	int key;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		if (key == OPT_JSON)
			json = true;
		else if (key == OPT_STATE)
			state = opt_arg;
		else if (key == OPT_LOCAL)
			local = true;
		else if (!api_opt(&api, key, opt_arg, &err) && err.status)
			die_usage("%s", err.text);
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);

	if (!local)
		check_server(&api);
	check_machine(state);
	api_release(&api);
	return status_worse(failed ? failed : warned ? STATUS_NO : STATUS_OK, out_close());
}
