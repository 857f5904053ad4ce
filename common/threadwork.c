/* threadwork.c - the same request for each thread that a command is given */
#include "compat.h"

#include "compass.h"
#include "err.h"
#include "filter.h"
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
		return subject_lacks(&work->client.subject, "thread", err);
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
	int status;

	client_open(&work->client);
	status = client_each_of(&work->client, operands, &work->client.subject.thread, "THREAD", ask, work);
	buf_release(&work->body);
	return client_end(&work->client, status);
}
