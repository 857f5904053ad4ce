/*
 * agent-account-read - say who the runtime is logged in as
 *
 * reads   its options
 * writes  the account as the server knows it, one line
 */
#include "compat.h"

#include "compass.h"
#include "die.h"
#include "err.h"
#include "filter.h"
#include "opt.h"
#include "out.h"

enum { OPT_REFRESH = OPT_OWN };

static const struct opt opts[] = {
	{ OPT_REFRESH, "refresh", NULL, "let the runtime renew its token first" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-account-read",
	.synopsis = "[options]",
	.about = "say who the runtime is logged in as",
	.example = "  agent-account-read --jq .account.type",
	.opts = opts,
};

/* A runtime that wants a login and has none: the answer is no. */
static bool
is_missing(struct span answer)
{
	struct span needed, account;

	return jtext_get(answer, "requiresOpenaiAuth", &needed) && jtext_type(needed) == JTEXT_TRUE &&
	    (!jtext_get(answer, "account", &account) || jtext_type(account) == JTEXT_NULL);
}

int
main(int argc, char *argv[])
{
	struct api api = API_INIT;
	struct err err = ERR_INIT;
	struct buf url = BUF_INIT, line = BUF_INIT, body = BUF_INIT;
	struct compass_answer answer;
	const char *program = NULL;
	struct filter *filter;
	int key, status = STATUS_OK;

	cmd_init(&cmd);
	buf_addstr(&body, "{}");
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		if (key == OPT_KEY_JQ)
			program = opt_arg;
		else if (key == OPT_REFRESH) {
			buf_reset(&body);
			buf_addstr(&body, "{\"refreshToken\":true}");
		} else if (!api_opt(&api, key, opt_arg, &err))
			die_usage("%s", err.text);
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);
	filter = filter_new(program, &err);
	if (!filter || !api_open(&api, &err))
		die_err(&err);

	COMPASS_PATH(&api, &url, "runtime", "account", "read");
	if (!compass_call(&api, "POST", url.s, &body, NULL, "read the account", &answer, &err))
		die_err(&err);
	jtext_compact(&line, answer.object);
	if (!filter_run(filter, line.s, line.len, filter_print, NULL, &err))
		die_err(&err);
	if (is_missing(answer.object))
		status = STATUS_NO;

	compass_release(&answer);
	buf_release(&url);
	buf_release(&line);
	buf_release(&body);
	filter_free(filter);
	api_release(&api);
	return status_worse(status, out_close());
}
