/*
 * agent-thread-delete - delete threads, their turns and their events
 *
 * reads   records with a threadId from standard input, unless threads are named
 * writes  {"deleted":true,"threadId":...}, one line for each
 */
#include "compat.h"

#include "die.h"
#include "err.h"
#include "opt.h"
#include "out.h"
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
	struct threadwork work;
	struct err err = ERR_INIT;
	int key, status;

	cmd_init(&cmd);
	threadwork_init(&work);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		if (!threadwork_opt(&work, key, opt_arg, &err))
			die_usage("%s", err.text);
	if (argc > 0 && work.subject.thread.len)
		die_usage("unexpected operand '%s'", *argv);
	work.method = "DELETE";
	work.verb = "delete";
	if (!threadwork_open(&work, &err))
		die_err(&err);
	status = threadwork_run(&work, argv);
	return status_worse(status, out_close());
}
