/*
 * agent-thread-mode - choose where the turns of a thread run
 *
 * reads   records with a threadId from standard input, unless the thread is named
 * writes  the thread as it is then, one line for each
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

struct switching {
	struct api api;
	struct subject subject;
	struct filter *filter;
	const char *mode, *host;
};

static bool
switch_mode(struct switching *switching, struct err *err)
{
	const char *thread = switching->subject.thread.s;
	struct buf url = BUF_INIT, body = BUF_INIT, what = BUF_INIT;
	struct compass_answer answer;
	bool ok;

	if (!*thread)
		return err_set(err, STATUS_INPUT, "unable to read line %llu of standard input: it names no thread",
		    (unsigned long long)switching->subject.in.count);
	COMPASS_PATH(&switching->api, &url, "threads", thread, "mode");
	buf_addch(&body, '{');
	jtext_add_string(&body, "executionMode", switching->mode, strlen(switching->mode));
	if (switching->host)
		jtext_add_string(&body, "executionHost", switching->host, strlen(switching->host));
	buf_addch(&body, '}');
	buf_addf(&what, "switch thread '%s' to %s", thread, switching->mode);
	ok = compass_call(&switching->api, "PATCH", url.s, &body, "thread", what.s, &answer, err) &&
	    filter_result(switching->filter, &switching->subject, answer.object, err);
	compass_release(&answer);
	buf_release(&url);
	buf_release(&body);
	buf_release(&what);
	return ok;
}

int
main(int argc, char *argv[])
{
	struct switching switching = { .api = API_INIT };
	struct err err = ERR_INIT;
	const char *program = NULL;
	enum subject_result next;
	int key, status = STATUS_OK;

	cmd_init(&cmd);
	subject_init(&switching.subject);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case OPT_HOST:
			switching.host = opt_arg;
			break;
		case OPT_KEY_JQ:
			program = opt_arg;
			break;
		default:
			if (!subject_opt(&switching.subject, key, opt_arg, &err) &&
			    (err.status || !api_opt(&switching.api, key, opt_arg, &err)))
				die_usage("%s", err.text);
		}
	if (argc == 0)
		die_usage("no mode: give cloud or local");
	if (argc > 1)
		die_usage("unexpected operand '%s'", argv[1]);
	switching.mode = *argv;
	if (strcmp(switching.mode, "cloud") && strcmp(switching.mode, "local"))
		die_usage("unable to use the mode '%s': expected cloud or local", switching.mode);
	switching.filter = filter_new(program, &err);
	if (!switching.filter || !api_open(&switching.api, &err))
		die_err(&err);
	(void)subject_named(&switching.subject);

	while ((next = subject_next(&switching.subject, &err)) != SUBJECT_END) {
		if (next == SUBJECT_BAD || !switch_mode(&switching, &err)) {
			warn_err(&err);
			status = status_worse(status, err.status);
		}
		out_flush();
	}

	filter_free(switching.filter);
	subject_release(&switching.subject);
	api_release(&switching.api);
	return status_worse(status, out_close());
}
