/*
 * agent-thread-update - change the title of threads, or the rules by which their approvals are answered
 *
 * reads   records with a threadId from standard input, unless threads are named; a file of rules
 * writes  the thread as it is then, one line for each
 */
#include "compat.h"

#include <string.h>

#include "die.h"
#include "err.h"
#include "jtext.h"
#include "opt.h"
#include "threadwork.h"

#define RULES_FILE_MAX 102400 /* bytes; no server takes more */

enum { OPT_TITLE = OPT_OWN, OPT_APPROVALS, OPT_NO_APPROVALS };

static const struct opt opts[] = {
	{ OPT_KEY_THREAD, "thread", "ID", "the thread" },
	{ OPT_TITLE, "title", "TEXT", "its title, up to 200 characters" },
	{ OPT_APPROVALS, "approvals", "FILE", "the rules in FILE answer its approvals from now on" },
	{ OPT_NO_APPROVALS, "no-approvals", NULL, "no rules do: people are asked" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-thread-update",
	.synopsis = "[options] [THREAD ...]",
	.about = "change the title of threads, or the rules by which their approvals are answered",
	.example = "  agent-thread-create --workspace acme | agent-thread-update --approvals rules.json | agent-turn-start 'run the tests'",
	.opts = opts,
};

static void
add_rules(struct buf *body, const char *file)
{
	struct buf text = BUF_INIT, rules = BUF_INIT;
	struct err err = ERR_INIT;
	struct span value;

	if (!buf_read_file(&text, file, RULES_FILE_MAX, &err))
		die_err(&err);
	if (!jtext_check(text.s, text.len, true, &value, &err)) {
		err_prefix(&err, "unable to use the rules in '%s'", file);
		die_err(&err);
	}
	jtext_compact(&rules, value);
	jtext_add_raw(body, "approvals", rules.s, rules.len);
	buf_release(&text);
	buf_release(&rules);
}

int
main(int argc, char *argv[])
{
	const char *title = NULL, *approvals = NULL;
	struct threadwork work = THREADWORK_INIT;
	bool none = false;
	int key;

	client_begin(&work.client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case OPT_TITLE:
			title = opt_arg;
			break;
		case OPT_APPROVALS:
			approvals = opt_arg;
			break;
		case OPT_NO_APPROVALS:
			none = true;
			break;
		default:
			client_option(&work.client, key);
		}
	if (work.client.subject.thread.len)
		client_no_operand(argv);
	if (!title && !approvals && !none)
		die_usage("nothing to change: give --title, --approvals or --no-approvals");
	if (approvals && none)
		die_usage("--approvals and --no-approvals exclude each other");
	if (approvals && !strcmp(approvals, "-") && argc == 0 && !work.client.subject.thread.len)
		die_usage("standard input cannot hold both the rules and the threads");
	work.method = "PATCH";
	work.member = "thread";
	work.verb = "change";
	buf_addch(&work.body, '{');
	jtext_add_given(&work.body, "title", title);
	if (approvals)
		add_rules(&work.body, approvals);
	if (none)
		jtext_add_null(&work.body, "approvals");
	buf_addch(&work.body, '}');
	return threadwork_run(&work, argv);
}
