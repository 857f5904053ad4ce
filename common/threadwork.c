/* threadwork.c - the same request for each thread that a command is given */
#include "compat.h"

#include "compass.h"
#include "die.h"
#include "err.h"
#include "filter.h"
#include "out.h"
#include "threadwork.h"

static bool
ask(void *payload, int *ret_status, struct err *err)
{
	struct threadwork *work = payload;
	const char *thread = work->client.subject.thread.s;
	struct buf url = BUF_INIT, what = BUF_INIT;
	struct compass_answer answer;
	bool ok;

	(void)ret_status;
	if (!*thread)
		return err_set(err, STATUS_INPUT, "unable to read line %llu of standard input: it names no thread",
		    (unsigned long long)work->client.subject.in.count);
	COMPASS_PATH(&work->client.api, &url, "threads", thread, work->below);
	buf_addf(&what, "%s thread '%s'", work->verb, thread);
	ok = compass_call(
		 &work->client.api, work->method, url.s, work->body.len ? &work->body : NULL, work->member, what.s, &answer, err) &&
	    filter_result(work->client.filter, &work->client.subject, answer.object, err);
	compass_release(&answer);
	buf_release(&url);
	buf_release(&what);
	return ok;
}

int
threadwork_run(struct threadwork *work, char *const operands[])
{
	struct subject *subject = &work->client.subject;
	struct err err = ERR_INIT;
	int status = STATUS_OK;

	client_open(&work->client);
	if (!*operands) {
		(void)subject_named(subject);
		status = client_each(&work->client, ask, NULL, work);
	}
	for (; *operands; operands++) {
		if (!subject_set(&subject->thread, "THREAD", *operands, &err) || !ask(work, &status, &err)) {
			warn_err(&err);
			status = status_worse(status, err.status);
		}
		out_flush();
	}
	buf_release(&work->body);
	return client_end(&work->client, status);
}
