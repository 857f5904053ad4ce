/*
 * agent-thread-archive - put threads away, or bring them back
 *
 * reads   records with a threadId from standard input, unless threads are named
 * writes  the thread as it is then, one line for each
 */
#include "compat.h"

#include "opt.h"
#include "threadwork.h"

enum { OPT_RESTORE = OPT_OWN };

static const struct opt opts[] = {
	{ OPT_KEY_THREAD, "thread", "ID", "the thread" },
	{ OPT_RESTORE, "restore", NULL, "bring them back" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-thread-archive",
	.synopsis = "[options] [THREAD ...]",
	.about = "put threads away, or bring them back",
	.example = "  agent-threads --workspace acme --status error | agent-thread-archive",
	.opts = opts,
};

int
main(int argc, char *argv[])
{
	struct threadwork work = THREADWORK_INIT;
	bool restore = false;
	int key;

	client_begin(&work.client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		if (key == OPT_RESTORE)
			restore = true;
		else
			client_option(&work.client, key);
	if (work.client.subject.thread.len)
		client_no_operand(argv);
	work.method = "PATCH";
	work.member = "thread";
	work.verb = restore ? "restore" : "archive";
	buf_addstr(&work.body, restore ? "{\"archived\":false}" : "{\"archived\":true}");
	return threadwork_run(&work, argv);
}
