/*
 * agent-account-limits - say how much of its limits the account has used
 *
 * reads   its options
 * writes  the limits as the server knows them, one line
 */
#include "compat.h"

#include "compass.h"
#include "die.h"
#include "err.h"
#include "filter.h"
#include "opt.h"
#include "out.h"

static const struct opt opts[] = {
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-account-limits",
	.synopsis = "[options]",
	.about = "say how much of its limits the account has used",
	.example = "  agent-account-limits --jq '.rateLimits.primary.usedPercent'",
	.opts = opts,
};

int
main(int argc, char *argv[])
{
	struct api api = API_INIT;
	struct err err = ERR_INIT;
	struct buf url = BUF_INIT, line = BUF_INIT;
	struct compass_answer answer;
	const char *program = NULL;
	struct filter *filter;
	int key;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		if (key == OPT_KEY_JQ)
			program = opt_arg;
		else if (!api_opt(&api, key, opt_arg, &err))
			die_usage("%s", err.text);
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);
	filter = filter_new(program, &err);
	if (!filter || !api_open(&api, &err))
		die_err(&err);

	COMPASS_PATH(&api, &url, "runtime", "account", "rate-limits", "read");
	if (!compass_call(&api, "POST", url.s, NULL, NULL, "read the limits", &answer, &err))
		die_err(&err);
	jtext_compact(&line, answer.object);
	if (!filter_run(filter, line.s, line.len, filter_print, NULL, &err))
		die_err(&err);

	compass_release(&answer);
	buf_release(&url);
	buf_release(&line);
	filter_free(filter);
	api_release(&api);
	return out_close();
}
