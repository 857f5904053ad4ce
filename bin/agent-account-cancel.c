/*
 * agent-account-cancel - give up a login that waits for a browser
 *
 * reads   its operands, else records with a loginId from standard input
 * writes  {"status","loginId"}, one line for each
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
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-account-cancel",
	.synopsis = "[options] [LOGIN ...]",
	.about = "give up a login that waits for a browser",
	.example = "  agent-account-login --no-wait chatgpt | agent-account-cancel",
	.opts = opts,
};

/* Gives the status: STATUS_NO when there was no such login. */
static int
cancel(struct api *api, struct filter *filter, const char *login, struct err *err)
{
	struct buf url = BUF_INIT, body = BUF_INIT, what = BUF_INIT, line = BUF_INIT;
	struct compass_answer answer;
	struct span said;
	int status = STATUS_OK;

	COMPASS_PATH(api, &url, "runtime", "account", "login", "cancel");
	buf_addch(&body, '{');
	jtext_add_string(&body, "loginId", login, strlen(login));
	buf_addch(&body, '}');
	buf_addf(&what, "cancel login '%s'", login);
	if (compass_call(api, "POST", url.s, &body, NULL, what.s, &answer, err)) {
		jtext_merge(&line, answer.object, (struct span){ body.s, body.len });
		if (jtext_get(answer.object, "status", &said) && jtext_is_string(said, "notFound"))
			status = STATUS_NO;
		if (!filter_run(filter, line.s, line.len, filter_print, NULL, err))
			status = err->status;
	} else
		status = err->status;
	if (status != STATUS_OK && err->status)
		warn_err(err);
	compass_release(&answer);
	buf_release(&url);
	buf_release(&body);
	buf_release(&what);
	buf_release(&line);
	return status;
}

static int
cancel_records(struct api *api, struct filter *filter)
{
	struct subject subject;
	enum subject_result next;
	struct err err = ERR_INIT;
	struct buf login = BUF_INIT;
	int status = STATUS_OK;

	subject_init(&subject);
	while ((next = subject_next(&subject, &err)) != SUBJECT_END) {
		buf_reset(&login);
		if (next == SUBJECT_OK && (!jtext_get_string(subject.record, "loginId", &login) || !login.len)) {
			err_set(&err, STATUS_INPUT, "unable to read line %llu of standard input: it names no login",
			    (unsigned long long)subject.in.count);
			next = SUBJECT_BAD;
		}
		if (next == SUBJECT_BAD) {
			warn_err(&err);
			status = status_worse(status, err.status);
		} else
			status = status_worse(status, cancel(api, filter, login.s, &err));
		err.status = STATUS_OK;
		out_flush();
	}
	buf_release(&login);
	subject_release(&subject);
	return status;
}

int
main(int argc, char *argv[])
{
	struct api api = API_INIT;
	struct err err = ERR_INIT;
	const char *program = NULL;
	struct filter *filter;
	int key, status = STATUS_OK;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		if (key == OPT_KEY_JQ)
			program = opt_arg;
		else if (!api_opt(&api, key, opt_arg, &err))
			die_usage("%s", err.text);
	filter = filter_new(program, &err);
	if (!filter || !api_open(&api, &err))
		die_err(&err);
	if (argc == 0)
		status = cancel_records(&api, filter);
	for (; argc > 0; argc--, argv++, err.status = STATUS_OK)
		status = status_worse(status, cancel(&api, filter, *argv, &err));
	filter_free(filter);
	api_release(&api);
	return status_worse(status, out_close());
}
