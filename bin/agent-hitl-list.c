/*
 * agent-hitl-list - list the questions that wait for a person
 *
 * writes  {"key","question","timestamp","pid"?,"ageSeconds"} for each, oldest first
 */
#include "compat.h"

#include "clock.h"
#include "desk.h"
#include "die.h"
#include "err.h"
#include "filter.h"
#include "num.h"
#include "opt.h"
#include "out.h"

static const struct opt opts[] = {
	OPT_JQ,
	OPT_DESK,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-hitl-list",
	.synopsis = "[options]",
	.about = "list the questions that wait for a person",
	.example = "  agent-hitl-list --jq '\"\\(.key)\\t\\(.question)\"'",
	.opts = opts,
};

int
main(int argc, char *argv[])
{
	struct desk desk = DESK_INIT;
	struct err err = ERR_INIT;
	struct hitl_list list;
	struct filter *filter;
	struct buf record = BUF_INIT;
	const char *program = NULL;
	int key, status = STATUS_OK;
	size_t i;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1) {
		if (key == OPT_KEY_JQ)
			program = opt_arg;
		else if (!desk_opt(&desk, key, opt_arg, &err))
			die_usage("%s", err.text);
	}
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);
	filter = filter_new(program, &err);
	if (!filter || !desk_open(&desk, DESK_LOOK, &err) || !desk_list(&desk, &list, &err))
		die_err(&err);
	for (i = 0; i < list.n; i++) {
		buf_reset(&record);
		hitl_record(&record, &list.questions[i], clock_wall_ms());
		if (list.questions[i].gone) {
			buf_cut(&record, record.len - 1);
			buf_addstr(&record, ",\"gone\":true}");
		}
		if (!filter_run(filter, record.s, record.len, filter_print, NULL, &err)) {
			warn_err(&err);
			status = status_worse(status, err.status);
		}
	}
	if (desk_is_missing(&desk))
		info("there is no directory '%s'", desk.hitl.path.s);
	if (list.cut)
		warn("there are more than %d questions; the rest is not shown", HITL_QUESTIONS_MAX);
	hitl_list_release(&list);
	filter_free(filter);
	desk_close(&desk);
	buf_release(&record);
	return status_worse(status, out_close());
}
