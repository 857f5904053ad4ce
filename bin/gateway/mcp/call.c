/* call.c - a request and the list that it is in: waiting, under way, ended */
#include "compat.h"

#include <stdlib.h>

#include <event2/event.h>

#include "fetch/fetch.h"
#include "mcp/internal.h"
#include "xalloc.h"

void
mcp_list_add(struct mcp_list *list, struct mcp_call *call, bool front)
{
	struct mcp_call **at = front ? &list->first : list->last;

	call->next = *at;
	call->prev = at;
	*at = call;
	if (call->next)
		call->next->prev = &call->next;
	else
		list->last = &call->next;
	list->n++;
}

static struct mcp_list *
list_of(struct mcp_call *call)
{
	return call->state == WAITING ? &call->mcp->waiting : call->state == ENDED ? &call->mcp->ended : &call->mcp->under_way;
}

static void
list_take(struct mcp_call *call)
{
	struct mcp_list *list = list_of(call);

	*call->prev = call->next;
	if (call->next)
		call->next->prev = call->prev;
	else
		list->last = call->prev;
	list->n--;
}

void
mcp_call_move(struct mcp_call *call, enum state state, bool front)
{
	list_take(call);
	call->state = state;
	mcp_list_add(list_of(call), call, front);
}

void
mcp_call_wait(struct mcp_call *call)
{
	int64_t ms = call->mcp->settings.wait_ms;
	struct timeval after = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	event_add(call->timer, &after);
}

void
mcp_go_on(struct mcp *mcp)
{
	event_active(mcp->turn, EV_TIMEOUT, 1);
}

/* ---- the end of a call */

void
mcp_call_drop(struct mcp_call *call)
{
	fetch_cancel(call->fetch);
	call->fetch = NULL;
	if (call->reading)
		mcp_reader_release(&call->reader);
	call->reading = false;
}

void
mcp_call_free(struct mcp_call *call)
{
	list_take(call);
	mcp_stream_left(call->mcp, call);
	mcp_call_drop(call);
	event_free(call->timer);
	free(call->method);
	free(call->params);
	free(call->session);
	free(call->run);
	trace_release(&call->trace);
	buf_release(&call->id);
	buf_release(&call->why);
	free(call);
}

void
mcp_call_tell(struct mcp_call *call, enum mcp_outcome outcome, const char *why)
{
	struct mcp_answer answer = { .outcome = outcome, .why = why, .retries = call->retries, .result = { "{}", 2 } };
	struct mcp *mcp = call->mcp;

	if (outcome == MCP_OK && call->reading)
		answer.result = span_of(&call->reader.text);
	/* not in a list that done() could meet it in */
	mcp_call_move(call, ENDED, false);
	call->done(&answer, call->payload);
	mcp_call_free(call);
	mcp_go_on(mcp);
}

/* The end, told from the loop. */
void
mcp_call_end(struct mcp_call *call, enum mcp_outcome outcome, const char *why)
{
	event_del(call->timer);
	mcp_stream_left(call->mcp, call);
	mcp_call_drop(call);
	call->outcome = outcome;
	buf_reset(&call->why);
	buf_addstr(&call->why, why);
	mcp_call_move(call, ENDED, false);
	mcp_go_on(call->mcp);
}

struct mcp_call *
mcp_call_new(struct mcp *mcp, mcp_done_cb *done, void *payload)
{
	struct mcp_call *call = xcalloc(1, sizeof *call);

	call->mcp = mcp;
	call->done = done;
	call->payload = payload;
	buf_init(&call->id);
	buf_init(&call->why);
	return call;
}
