/*
 * agent-thread-delete - delete threads, their turns and their events
 *
 * reads   records with a threadId from standard input, unless threads are named
 * writes  {"deleted":true,"threadId":...}, one line for each
 */
#include "compat.h"

#include "opt.h"
#include "threadwork.h"

static const struct opt opts[] = {
	{ OPT_KEY_THREAD, "thread", "ID", "the thread" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-thread-delete",
	.synopsis = "[options] [THREAD ...]",
	.about = "delete threads, their turns and their events",
	.example = "  agent-threads --workspace acme --state archived | agent-thread-delete",
	.opts = opts,
};

int
main(int argc, char *argv[])
{
	struct threadwork work = THREADWORK_INIT;
	int key;

	client_begin(&work.client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		client_option(&work.client, key);
	if (work.client.subject.thread.len)
		client_no_operand(argv);
	work.method = "DELETE";
	work.verb = "delete";
	return threadwork_run(&work, argv);
}
