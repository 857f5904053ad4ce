/* threadwork.c - the same request for each thread that a command is given */
#include "compat.h"

#include "compass.h"
#include "die.h"
#include "err.h"
#include "filter.h"
#include "opt.h"
#include "out.h"
#include "threadwork.h"

void
threadwork_init(struct threadwork *work)
{
	*work = (struct threadwork){ .api = API_INIT, .body = BUF_INIT };
	subject_init(&work->subject);
}

bool
threadwork_opt(struct threadwork *work, int key, const char *arg, struct err *err)
{
	if (key == OPT_KEY_JQ) {
		work->program = arg;
		return true;
	}
	return subject_opt(&work->subject, key, arg, err) || (!err->status && api_opt(&work->api, key, arg, err));
}

bool
threadwork_open(struct threadwork *work, struct err *err)
{
	work->filter = filter_new(work->program, err);
	return work->filter && api_open(&work->api, err);
}

static bool
ask(struct threadwork *work, struct err *err)
{
	const char *thread = work->subject.thread.s;
	struct buf url = BUF_INIT, what = BUF_INIT;
	struct compass_answer answer;
	bool ok;

	if (!*thread)
		return err_set(err, STATUS_INPUT, "unable to read line %llu of standard input: it names no thread",
		    (unsigned long long)work->subject.in.count);
	COMPASS_PATH(&work->api, &url, "threads", thread, work->below);
	buf_addf(&what, "%s thread '%s'", work->verb, thread);
	ok = compass_call(&work->api, work->method, url.s, work->body.len ? &work->body : NULL, work->member, what.s, &answer, err) &&
	    filter_result(work->filter, &work->subject, answer.object, err);
	compass_release(&answer);
	buf_release(&url);
	buf_release(&what);
	return ok;
}

static int
settle(struct err *err, bool ok)
{
	if (!ok)
		warn_err(err);
	out_flush();
	return ok ? STATUS_OK : err->status;
}

int
threadwork_run(struct threadwork *work, char *const operands[])
{
	struct err err = ERR_INIT;
	enum subject_result next;
	int status = STATUS_OK;

	if (*operands)
		for (; *operands; operands++)
			status = status_worse(
			    status, settle(&err, subject_set(&work->subject.thread, "THREAD", *operands, &err) && ask(work, &err)));
	else {
		(void)subject_named(&work->subject);
		while ((next = subject_next(&work->subject, &err)) != SUBJECT_END)
			status = status_worse(status, settle(&err, next == SUBJECT_OK && ask(work, &err)));
	}
	filter_free(work->filter);
	subject_release(&work->subject);
	api_release(&work->api);
	buf_release(&work->body);
	return status;
}
