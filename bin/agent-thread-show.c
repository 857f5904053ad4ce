/*
 * agent-thread-show - print threads as they are now
 *
 * reads   its operands, else records with a threadId from standard input
 * writes  one thread a line, as the server gives it
 */
#include "compat.h"

#include "compass.h"
#include "die.h"
#include "err.h"
#include "filter.h"
#include "opt.h"
#include "out.h"
#include "subject.h"

static const struct opt opts[] = {
	{ OPT_KEY_THREAD, "thread", "ID", "the thread" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-thread-show",
	.synopsis = "[options] [THREAD ...]",
	.about = "print threads as they are now",
	.example = "  agent-thread-show --jq .status 5436bca8-ebc1-4cd6-aac9-9af0df2c1703",
	.opts = opts,
};

static bool
show(struct api *api, struct filter *filter, const char *thread, struct err *err)
{
	struct buf url = BUF_INIT, what = BUF_INIT, line = BUF_INIT;
	struct compass_answer answer;
	bool ok;

	COMPASS_PATH(api, &url, "threads", thread);
	buf_addf(&what, "read thread '%s'", thread);
	ok = compass_call(api, "GET", url.s, NULL, "thread", what.s, &answer, err);
	if (ok) {
		jtext_compact(&line, answer.object);
		ok = filter_run(filter, line.s, line.len, filter_print, NULL, err);
	}
	compass_release(&answer);
	buf_release(&url);
	buf_release(&what);
	buf_release(&line);
	return ok;
}

static int
show_subjects(struct api *api, struct filter *filter, struct subject *subject)
{
	enum subject_result next;
	struct err err = ERR_INIT;
	int status = STATUS_OK;

	while ((next = subject_next(subject, &err)) != SUBJECT_END) {
		if (next == SUBJECT_OK && !subject->thread.len) {
			err_set(&err, STATUS_INPUT, "unable to read line %llu of standard input: it names no thread",
			    (unsigned long long)subject->in.count);
			next = SUBJECT_BAD;
		}
		if (next == SUBJECT_BAD || !show(api, filter, subject->thread.s, &err)) {
			warn_err(&err);
			status = status_worse(status, err.status);
		}
		out_flush();
	}
	return status;
}

int
main(int argc, char *argv[])
{
	struct api api = API_INIT;
	struct subject subject;
	struct err err = ERR_INIT;
	const char *program = NULL;
	struct filter *filter;
	int key, status = STATUS_OK;

	cmd_init(&cmd);
	subject_init(&subject);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		if (key == OPT_KEY_JQ)
			program = opt_arg;
		else if (!subject_opt(&subject, key, opt_arg, &err) && (err.status || !api_opt(&api, key, opt_arg, &err)))
			die_usage("%s", err.text);
	if (argc > 0 && subject.thread.len)
		die_usage("unexpected operand '%s'", *argv);
	filter = filter_new(program, &err);
	if (!filter || !api_open(&api, &err))
		die_err(&err);

	if (argc == 0) {
		(void)subject_named(&subject);
		status = show_subjects(&api, filter, &subject);
	}
	for (; argc > 0; argc--, argv++)
		if (!subject_set(&subject.thread, "THREAD", *argv, &err) || !show(&api, filter, *argv, &err)) {
			warn_err(&err);
			status = status_worse(status, err.status);
		}

	filter_free(filter);
	subject_release(&subject);
	api_release(&api);
	return status_worse(status, out_close());
}
