/*
 * agent-thread-show - print threads as they are now
 *
 * reads   its operands, else records with a threadId from standard input
 * writes  one thread a line, as the server gives it
 */
#include "compat.h"

#include "client.h"
#include "compass.h"
#include "die.h"
#include "err.h"
#include "opt.h"

static const struct opt opts[] = {
	{ OPT_KEY_THREAD, "thread", "ID", "the thread" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-thread-show",
	.synopsis = "[options] [THREAD ...]",
	.about = "print threads as they are now",
	.example = "  agent-thread-show --jq .status 5436bca8-ebc1-4cd6-aac9-9af0df2c1703",
	.opts = opts,
};

static bool
show(void *payload, int *ret_status, struct err *err)
{
	struct client *client = payload;
	const char *thread = client->subject.thread.s;
	struct buf url = BUF_INIT, what = BUF_INIT;
	struct compass_answer answer;
	bool ok;

	(void)ret_status;
	if (!*thread)
		return subject_lacks(&client->subject, "thread", err);
	COMPASS_PATH(&client->api, &url, "threads", thread);
	buf_addf(&what, "read thread '%s'", thread);
	ok = compass_call(&client->api, "GET", url.s, NULL, "thread", what.s, &answer, err) && client_print(client, answer.object, err);
	compass_release(&answer);
	buf_release(&url);
	buf_release(&what);
	return ok;
}

int
main(int argc, char *argv[])
{
	struct client client;
	int key, status;

	client_begin(&client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		client_option(&client, key);
	if (client.subject.thread.len)
		client_no_operand(argv);
	client.asks = true;
	client_open(&client);
	status = client_each_of(&client, argv, &client.subject.thread, "THREAD", show, &client);
	return client_end(&client, status);
}
