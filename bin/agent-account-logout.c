/*
 * agent-account-logout - log the runtime out
 *
 * reads   its options
 * writes  the server's answer, one line
 */
#include "compat.h"

#include "client.h"
#include "compass.h"
#include "die.h"
#include "err.h"
#include "opt.h"

static const struct opt opts[] = {
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-account-logout",
	.synopsis = "[options]",
	.about = "log the runtime out",
	.example = "  agent-account-logout",
	.opts = opts,
};

int
main(int argc, char *argv[])
{
	struct client client;
	struct err err = ERR_INIT;
	struct buf url = BUF_INIT;
	struct compass_answer answer;
	int key;

	client_begin(&client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		client_option(&client, key);
	client_no_operand(argv);
	client_open(&client);

	COMPASS_PATH(&client.api, &url, "runtime", "account", "logout");
	if (!compass_call(&client.api, "POST", url.s, NULL, NULL, "log out", &answer, &err) || !client_print(&client, answer.object, &err))
		die_err(&err);
	compass_release(&answer);
	buf_release(&url);
	return client_end(&client, STATUS_OK);
}
