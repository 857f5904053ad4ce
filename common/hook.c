/* hook.c - a command of the user's, run for an event */
#include "compat.h"

#include <stdlib.h>
#include <sys/wait.h>

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "event.h"
#include "hook.h"
#include "spawn.h"
#include "status.h"

bool
hook_run(const char *command, const struct event_view *event, struct err *err)
{
	const char *argv[] = { "/bin/sh", "-c", command, NULL };
	struct buf line = BUF_INIT, seq = BUF_INIT;
	int ended = 0;
	bool ok;

	if (event->seq >= 0)
		buf_addf(&seq, "%lld", (long long)event->seq);
	setenv("AGENT_EVENT_KIND", event->kind.s, 1);
	setenv("AGENT_EVENT_SEQ", seq.s, 1);
	setenv("AGENT_RUN_ID", event->run.s, 1);
	buf_add(&line, event->whole.s, event->whole.n);
	buf_addch(&line, '\n');
	ok = spawn_run(argv, NULL, line.s, line.len, deadline_in(HOOK_TIMEOUT_MS), &ended, err);
	if (ok && WIFSIGNALED(ended))
		ok = err_set(err, STATUS_NO, "the command for event %s was ended by signal %d", seq.s, WTERMSIG(ended));
	else if (ok && WEXITSTATUS(ended))
		ok = err_set(err, STATUS_NO, "the command for event %s ended with status %d", seq.s, WEXITSTATUS(ended));
	buf_release(&line);
	buf_release(&seq);
	return ok;
}
