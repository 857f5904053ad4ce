/* adopt.c - a thread that somebody speaks to as a run
 *
 * A thread can be read as a run by its id. What is more than reading (a message, an event) makes it one: from then on it has a row among
 * the runs, its messages and its turns go one after another, and both surfaces tell of it as of a run whose agent is a runtime. What was
 * told before keeps its numbers.
 */
#include "compat.h"

#include "agents/agents.h"
#include "chat/internal.h"
#include "err.h"
#include "key.h"
#include "status.h"
#include "store/thread.h"

static void
emit_created(struct change_context *context, const struct change *change)
{
	struct buf data = BUF_INIT, message = BUF_INIT;

	buf_addch(&data, '{');
	jtext_add_buf(&data, "runId", &change->stream);
	buf_addstr(&data,
	    ",\"serviceId\":\"" AGENT_THREADS "\",\"agent\":\"runtime\",\"trigger\":\"api\",\"triggerContext\":{\"route\":"
	    "\"/v1/agent/threads\",\"method\":\"POST\",\"caller\":\"thread\"");
	jtext_add_buf(&data, "requestId", &change->stream);
	buf_addstr(&data, "}}");
	buf_addf(&message, "Thread taken up as a run (%s)", change->stream.s);
	(void)change_emit(context, SPAN_NONE, "agent.run_created", LEVEL_INFO, SPAN_NONE, span_of(&message),
	    (struct span){ AGENT_THREADS, sizeof AGENT_THREADS - 1 }, span_of(&data));
	buf_release(&data);
	buf_release(&message);
}

bool
chat_adopt(struct change *change, struct change_context *context)
{
	struct span id = { change->stream.s, change->stream.len };
	struct thread thread;
	bool found, local;

	/* what is no thread's id needs no looking up */
	if (!key_is_uuid(change->stream.s))
		return true;
	thread_init(&thread);
	found = change_thread_get(context, id, &thread) && !change_thread_shared(context, id);
	local = thread.mode == THREAD_LOCAL;
	thread_release(&thread);
	if (!found)
		return true;
	if (local) {
		err_set(&change->err, STATUS_CONFLICT, "thread '%s' is worked on by a desktop, and is no run", change->stream.s);
		change->err.http = 409;
		return false;
	}
	change_adopt_thread(context, id);
	emit_created(context, change);
	return true;
}
