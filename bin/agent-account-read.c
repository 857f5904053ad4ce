/*
 * agent-account-read - say who the runtime is logged in as
 *
 * reads   its options
 * writes  the account as the server knows it, one line
 */
#include "compat.h"

#include "client.h"
#include "compass.h"
#include "die.h"
#include "err.h"
#include "opt.h"

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
	const char *wish = "{}";
	struct client client;
	struct err err = ERR_INIT;
	struct buf url = BUF_INIT, body = BUF_INIT;
	struct compass_answer answer;
	int key, status = STATUS_OK;

	client_begin(&client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		if (key == OPT_REFRESH)
			wish = "{\"refreshToken\":true}";
		else
			client_option(&client, key);
	client_no_operand(argv);
	client_open(&client);

	COMPASS_PATH(&client.api, &url, "runtime", "account", "read");
	buf_addstr(&body, wish);
	if (!compass_call(&client.api, "POST", url.s, &body, NULL, "read the account", &answer, &err) ||
	    !client_print(&client, answer.object, &err))
		die_err(&err);
	if (is_missing(answer.object))
		status = STATUS_NO;
	compass_release(&answer);
	buf_release(&url);
	buf_release(&body);
	return client_end(&client, status);
}
