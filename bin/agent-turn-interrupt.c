/*
 * agent-turn-interrupt - end turns that are in progress
 *
 * reads   records with a threadId, and a turnId, from standard input, unless options name them
 * writes  the turn as it ended, one line for each
 */
#include "compat.h"

#include <string.h>

#include "client.h"
#include "compass.h"
#include "die.h"
#include "err.h"
#include "filter.h"
#include "opt.h"

static const struct opt opts[] = {
	{ OPT_KEY_THREAD, "thread", "ID", "the thread" },
	{ OPT_KEY_TURN, "turn", "ID", "the turn (default: the one in progress)" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-turn-interrupt",
	.synopsis = "[options]",
	.about = "end turns that are in progress",
	.example = "  agent-threads --workspace acme --status inProgress | agent-turn-interrupt",
	.opts = opts,
};

static bool
interrupt(void *payload, int *ret_status, struct err *err)
{
	struct client *client = payload;
	const struct subject *subject = &client->subject;
	struct compass_answer answer;
	struct buf turn = BUF_INIT;
	bool ok;

	(void)ret_status;
	if (!subject->thread.len)
		return subject_lacks(subject, "thread", err);
	buf_add(&turn, subject->turn.s, subject->turn.len);
	if (!turn.len && !compass_open_turn(&client->api, subject->thread.s, &turn, err)) {
		buf_release(&turn);
		return false;
	}
	if (!turn.len)
		return err_set(err, STATUS_CONFLICT, "unable to interrupt: no turn is in progress in thread '%s'", subject->thread.s);
	ok = compass_interrupt(&client->api, subject->thread.s, turn.s, &answer, err) &&
	    filter_result(client->filter, subject, answer.object, err);
	compass_release(&answer);
	buf_release(&turn);
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
	client_no_operand(argv);
	if (client.subject.turn.len && !client.subject.thread.len)
		die_usage("--turn needs --thread");
	client_open(&client);
	(void)subject_named(&client.subject);
	status = client_each(&client, interrupt, NULL, &client);
	return client_end(&client, status);
}
