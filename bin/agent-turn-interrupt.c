/*
 * agent-turn-interrupt - end turns that are in progress
 *
 * reads   records with a threadId, and a turnId, from standard input, unless options name them
 * writes  the turn as it ended, one line for each
 */
#include "compat.h"

#include <string.h>

#include "compass.h"
#include "die.h"
#include "err.h"
#include "filter.h"
#include "opt.h"
#include "out.h"
#include "subject.h"

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
interrupt(struct api *api, struct filter *filter, const struct subject *subject, struct err *err)
{
	struct compass_answer answer;
	struct buf turn = BUF_INIT;
	bool ok;

	if (!subject->thread.len)
		return err_set(err, STATUS_INPUT, "unable to read line %llu of standard input: it names no thread",
		    (unsigned long long)subject->in.count);
	buf_add(&turn, subject->turn.s, subject->turn.len);
	if (!turn.len && !compass_open_turn(api, subject->thread.s, &turn, err)) {
		buf_release(&turn);
		return false;
	}
	if (!turn.len)
		return err_set(err, STATUS_CONFLICT, "unable to interrupt: no turn is in progress in thread '%s'", subject->thread.s);
	ok = compass_interrupt(api, subject->thread.s, turn.s, &answer, err) && filter_result(filter, subject, answer.object, err);
	compass_release(&answer);
	buf_release(&turn);
	return ok;
}

int
main(int argc, char *argv[])
{
	struct api api = API_INIT;
	struct subject subject;
	struct err err = ERR_INIT;
	const char *program = NULL;
	struct filter *filter;
	enum subject_result next;
	int key, status = STATUS_OK;

	cmd_init(&cmd);
	subject_init(&subject);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		if (key == OPT_KEY_JQ)
			program = opt_arg;
		else if (!subject_opt(&subject, key, opt_arg, &err) && (err.status || !api_opt(&api, key, opt_arg, &err)))
			die_usage("%s", err.text);
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);
	if (subject.turn.len && !subject.thread.len)
		die_usage("--turn needs --thread");
	filter = filter_new(program, &err);
	if (!filter || !api_open(&api, &err))
		die_err(&err);
	(void)subject_named(&subject);

	while ((next = subject_next(&subject, &err)) != SUBJECT_END) {
		if (next == SUBJECT_BAD || !interrupt(&api, filter, &subject, &err)) {
			warn_err(&err);
			status = status_worse(status, err.status);
		}
		out_flush();
	}

	filter_free(filter);
	subject_release(&subject);
	api_release(&api);
	return status_worse(status, out_close());
}
