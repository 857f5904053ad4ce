/*
 * agent-hitl-cancel - take a question away
 *
 * writes  {"key","removed"}
 */
#include "compat.h"

#include "desk.h"
#include "die.h"
#include "err.h"
#include "jtext.h"
#include "opt.h"
#include "out.h"

enum { OPT_GONE = OPT_OWN };

static const struct opt opts[] = {
	{ OPT_GONE, "gone", NULL, "all questions that were asked on this host by processes that are no more" },
	OPT_DESK,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-hitl-cancel",
	.synopsis = "[options] [KEY ...]",
	.about = "take questions away",
	.example = "  agent-hitl-cancel deploy-42",
	.opts = opts,
};

static int
cancel(struct desk *desk, const char *key)
{
	struct err err = ERR_INIT;
	struct buf record = BUF_INIT;
	bool removed;

	if (!desk_cancel(desk, key, &removed, &err)) {
		warn_err(&err);
		return err.status;
	}
	buf_addch(&record, '{');
	jtext_add_text(&record, "key", key);
	jtext_add_bool(&record, "removed", removed);
	buf_addch(&record, '}');
	out_line(record.s, record.len);
	buf_release(&record);
	return removed ? STATUS_OK : STATUS_NO;
}

static int
cancel_gone(struct desk *desk)
{
	struct err err = ERR_INIT;
	struct hitl_list list;
	int status = STATUS_OK;
	size_t i;

	if (!desk_list(desk, &list, &err))
		die_err(&err);
	for (i = 0; i < list.n; i++)
		if (list.questions[i].gone)
			status = status_worse(status, cancel(desk, list.questions[i].key.s));
	hitl_list_release(&list);
	return status;
}

int
main(int argc, char *argv[])
{
	struct desk desk = DESK_INIT;
	struct err err = ERR_INIT;
	bool gone = false;
	int key, i, status = STATUS_OK;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1) {
		if (key == OPT_GONE)
			gone = true;
		else if (!desk_opt(&desk, key, opt_arg, &err))
			die_usage("%s", err.text);
	}
	if (gone && (argc > 0 || desk.broker))
		die_usage("--gone goes with neither keys nor --broker");
	if (!gone && argc < 1)
		die_usage("a key is missing");
	if (!desk_open(&desk, DESK_LOOK, &err))
		die_err(&err);
	if (gone)
		status = cancel_gone(&desk);
	for (i = 0; i < argc; i++)
		status = status_worse(status, cancel(&desk, argv[i]));
	desk_close(&desk);
	return status_worse(status, out_close());
}
