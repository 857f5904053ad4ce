/*
 * agent-thread-mode - choose where the turns of a thread run
 *
 * reads   records with a threadId from standard input, unless the thread is named
 * writes  the thread as it is then, one line for each
 */
#include "compat.h"

#include <string.h>

#include "die.h"
#include "jtext.h"
#include "opt.h"
#include "threadwork.h"

enum { OPT_HOST = OPT_OWN };

static const struct opt opts[] = {
	{ OPT_KEY_THREAD, "thread", "ID", "the thread" },
	{ OPT_HOST, "host", "HOST", "dynamic_sessions or desktop_local (default: the mode's own)" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-thread-mode",
	.synopsis = "[options] cloud | local",
	.about = "choose where the turns of a thread run",
	.example = "  agent-threads --workspace acme | agent-thread-mode local",
	.opts = opts,
};

int
main(int argc, char *argv[])
{
	const char *host = NULL;
	struct threadwork work = THREADWORK_INIT;
	int key;

	client_begin(&work.client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		if (key == OPT_HOST)
			host = opt_arg;
		else
			client_option(&work.client, key);
	if (argc == 0)
		die_usage("no mode: give cloud or local");
	if (argc > 1)
		die_usage("unexpected operand '%s'", argv[1]);
	OPT_ONE_OF("the mode", *argv, "cloud", "local");
	work.method = "PATCH";
	work.below = "mode";
	work.member = "thread";
	work.verb = "switch the mode of";
	buf_addch(&work.body, '{');
	jtext_add_text(&work.body, "executionMode", *argv);
	jtext_add_given(&work.body, "executionHost", host);
	buf_addch(&work.body, '}');
	return threadwork_run(&work, argv + 1);
}
