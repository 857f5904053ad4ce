/*
 * agent-show - records in, text for people out
 *
 * reads   NDJSON from standard input: events, registry items, runs
 * writes  text; the only command that does, and the only one with colour
 */
#include "compat.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "die.h"
#include "err.h"
#include "jtext.h"
#include "line.h"
#include "opt.h"
#include "out.h"
#include "show.h"

#define RECORD_MAX (128u * 1024 * 1024) /* bytes of one line */

enum { OPT_FORMAT = OPT_OWN, OPT_COLOR, OPT_TIME, OPT_RAW };

static const struct opt opts[] = {
	{ OPT_FORMAT, "format", "FORM",
	    "text (default), line (each event folded to one line), plain (shorter, without times) or table (registry items)" },
	{ OPT_KEY_AGENT, "agent", "NAME", "who speaks when an event does not say (default agent)" },
	{ OPT_TIME, "time", "ZONE", "utc (default), local or none" },
	{ OPT_COLOR, "color", "WHEN", "auto (default: on a terminal, unless NO_COLOR is set), always or never" },
	{ OPT_RAW, "raw", NULL, "show control characters as they are: they can drive your terminal" },
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-show",
	.synopsis = "[options]",
	.about = "events in, text for people out",
	.example = "  agent-watch run_1 | agent-show",
	.opts = opts,
};

static bool
want_color(const char *when)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (strcmp(when, "auto"))
		return !strcmp(when, "always");
	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

static void
flush_text(struct buf *text)
{
	out_write(text->s, text->len);
	buf_reset(text);
}

static int
show_all(struct show *show, struct show_table *table)
{
	struct line in;
	struct span record;
	struct buf text = BUF_INIT;
	int status = STATUS_OK;
	bool more = true;
	char *s;
	size_t n;

	line_init(&in, STDIN_FILENO, RECORD_MAX);
	while (more) {
		flush_text(&text);
		if (!line_ready(&in))
			out_flush();
		switch (line_next(&in, &s, &n)) {
		case LINE_OK:
			if (!s[strspn(s, " \t\r")] && strlen(s) == n)
				break;
			if (!jtext_check(s, n, false, &record, NULL) || jtext_type(record) != JTEXT_OBJECT) {
				show_other(show, s, n, &text);
				status = STATUS_INPUT;
			} else if (table)
				show_table_add(table, record);
			else
				show_record(show, record, &text);
			break;
		case LINE_LONG:
			warn("unable to show line %llu: it has %zu bytes, more than %u", (unsigned long long)in.count, n, RECORD_MAX);
			status = STATUS_INPUT;
			break;
		case LINE_ERROR:
			die_errno(STATUS_IO, "unable to read standard input");
		case LINE_AGAIN:
		case LINE_EOF:
			more = false;
		}
	}
	show_end(show, &text);
	if (table)
		show_table_print(table, &text);
	flush_text(&text);
	buf_release(&text);
	line_release(&in);
	return status;
}

static bool
is_one_of(const char *text, const char *const *words)
{
	while (*words && strcmp(text, *words) != 0)
		words++;
	return *words != NULL;
}
#define IS_ONE_OF(text, ...) is_one_of(text, (const char *const[]){ __VA_ARGS__, NULL })

int
main(int argc, char *argv[])
{
	const char *format = "text", *color = "auto", *zone = "utc";
	struct show_table *table = NULL;
	struct show show;
	int key, status;

	cmd_init(&cmd);
	show_init(&show);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case OPT_FORMAT:
			format = opt_arg;
			break;
		case OPT_KEY_AGENT:
			show.agent = opt_arg;
			break;
		case OPT_TIME:
			zone = opt_arg;
			break;
		case OPT_COLOR:
			color = opt_arg;
			break;
		case OPT_RAW:
			show.raw = true;
			break;
		default:
			break;
		}
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);
	if (!IS_ONE_OF(format, "text", "line", "plain", "table"))
		die_usage("unable to use --format '%s': expected text, line, plain or table", format);
	if (!IS_ONE_OF(zone, "utc", "local", "none"))
		die_usage("unable to use --time '%s': expected utc, local or none", zone);
	if (!IS_ONE_OF(color, "auto", "always", "never"))
		die_usage("unable to use --color '%s': expected auto, always or never", color);
	show.plain = !strcmp(format, "plain");
	show.fold = !strcmp(format, "line");
	show.time = !strcmp(zone, "local") ? SHOW_LOCAL : !strcmp(zone, "none") ? SHOW_NO_TIME : SHOW_UTC;
	show.color = want_color(color);
	if (show.raw && isatty(STDOUT_FILENO))
		warn("what agents write can now drive this terminal");
	if (!strcmp(format, "table"))
		table = show_table_new();

	status = show_all(&show, table);

	show_table_free(table);
	show_release(&show);
	return status_worse(status, out_close());
}
