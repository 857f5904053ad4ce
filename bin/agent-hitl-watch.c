/*
 * agent-hitl-watch - follow the questions that wait for a person
 *
 * writes  {"type":"new_question","key","question","timestamp","pid"?,"ageSeconds"} for each question, as it is there;
 *         with --gone {"type":"gone","key","timestamp"} when one is not there any more
 */
#include "compat.h"

#include <poll.h>

#include "clock.h"
#include "desk.h"
#include "die.h"
#include "err.h"
#include "filter.h"
#include "hitl_news.h"
#include "jtext.h"
#include "num.h"
#include "opt.h"
#include "out.h"

enum { OPT_GONE = OPT_OWN, OPT_POLL };

static const struct opt opts[] = {
	{ 'n', "count", "N", "end after N questions" },
	{ 't', "timeout", "DURATION", "end after this time" },
	{ OPT_GONE, "gone", NULL, "tell too when a question is not there any more" },
	{ OPT_POLL, "poll", "DURATION", "between two looks at a broker that does not tell of what happens (default 500ms)" },
	OPT_JQ,
	OPT_DESK,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-hitl-watch",
	.synopsis = "[options]",
	.about = "follow the questions that wait for a person",
	.example = "  agent-hitl-watch --jq .question",
	.opts = opts,
};

struct watch {
	struct desk desk;
	struct filter *filter;
	bool gone;
	int64_t count, seen; /* count 0: no end */
	int status;
};

static void
on_news(enum hitl_news what, struct hitl_question *question, void *payload)
{
	struct watch *watch = payload;
	struct buf record = BUF_INIT, rest = BUF_INIT;
	struct err err = ERR_INIT;

	if (what == HITL_NEWS_ASKED ? watch->count && watch->seen == watch->count : !watch->gone)
		return;
	watch->seen += what == HITL_NEWS_ASKED;
	buf_addch(&record, '{');
	jtext_add_text(&record, "type", what == HITL_NEWS_ASKED ? "new_question" : "gone");
	if (what == HITL_NEWS_ASKED) {
		hitl_record(&rest, question, clock_wall_ms());
		buf_addf(&record, ",%s", rest.s + 1);
	} else {
		jtext_add_buf(&record, "key", &question->key);
		jtext_add_i64(&record, "timestamp", question->timestamp);
		buf_addch(&record, '}');
	}
	if (!filter_run(watch->filter, record.s, record.len, filter_print, NULL, &err)) {
		warn_err(&err);
		watch->status = status_worse(watch->status, err.status);
	}
	buf_release(&record);
	buf_release(&rest);
}

static void
follow(struct watch *watch, int64_t poll_ms, int64_t deadline)
{
	struct hitl_list known = { NULL, 0, false }, list;
	struct err err = ERR_INIT;
	bool trouble = false, cut = false, missing = false;

	while (!watch->count || watch->seen < watch->count) {
		if (desk_list(&watch->desk, &list, &err)) {
			if (list.cut && !cut)
				warn("there are more than %d questions; the rest is not seen", HITL_QUESTIONS_MAX);
			cut = list.cut;
			trouble = false;
			if (desk_is_missing(&watch->desk) && !missing)
				info("there is no directory '%s': waiting for it", watch->desk.hitl.path.s);
			missing = desk_is_missing(&watch->desk);
			hitl_news(&known, &list, on_news, watch);
			out_flush();
			if (watch->count && watch->seen == watch->count)
				break;
		} else {
			if (!desk_is_trouble(&watch->desk, &err))
				die_err(&err);
			if (!trouble)
				warn("%s; trying again", err.text);
			trouble = true;
		}
		if (deadline_left(deadline) == 0) {
			watch->status = status_worse(watch->status, STATUS_TIMEOUT);
			break;
		}
		if (!desk_wait(&watch->desk, NULL, 0, trouble ? DESK_TROUBLE_MS : poll_ms, deadline, &err))
			die_err(&err);
	}
	hitl_list_release(&known);
}

int
main(int argc, char *argv[])
{
	struct watch watch = { .desk = DESK_INIT };
	struct err err = ERR_INIT;
	const char *program = NULL;
	int64_t timeout_ms = -1, poll_ms = 0;
	int key;
	bool ok = true;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1) {
		switch (key) {
		case 'n':
			ok = num_in_range(opt_arg, 1, INT64_MAX, "--count", &watch.count, &err);
			break;
		case 't':
			ok = num_duration(opt_arg, "--timeout", &timeout_ms, &err);
			break;
		case OPT_GONE:
			watch.gone = true;
			break;
		case OPT_POLL:
			ok = num_duration(opt_arg, "--poll", &poll_ms, &err);
			if (ok && poll_ms < 100)
				ok = err_set(&err, STATUS_USAGE, "unable to use --poll '%s': expected 100ms or more", opt_arg);
			break;
		case OPT_KEY_JQ:
			program = opt_arg;
			break;
		default:
			ok = desk_opt(&watch.desk, key, opt_arg, &err);
		}
		if (!ok)
			die_usage("%s", err.text);
	}
	if (argc > 0)
		die_usage("unexpected operand '%s'", *argv);
	watch.filter = filter_new(program, &err);
	if (!watch.filter || !desk_open(&watch.desk, DESK_FOLLOW, &err))
		die_err(&err);
	follow(&watch, poll_ms, deadline_in(timeout_ms));
	filter_free(watch.filter);
	desk_close(&watch.desk);
	return status_worse(watch.status, out_close());
}
