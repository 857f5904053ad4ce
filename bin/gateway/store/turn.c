/* turn.c - the turns of threads */
#include "compat.h"

#include "secrets.h"
#include "store/thread_internal.h"

void
turn_init(struct turn *turn)
{
	*turn = (struct turn){ .id = BUF_INIT,
		.thread = BUF_INIT,
		.input = BUF_INIT,
		.output = BUF_INIT,
		.error = BUF_INIT,
		.parent = BUF_INIT,
		.source = BUF_INIT,
		.request = BUF_INIT,
		.user_message = BUF_INIT,
		.assistant_message = BUF_INIT,
		.status = THREAD_IN_PROGRESS };
}

void
turn_release(struct turn *turn)
{
	buf_release(&turn->id);
	buf_release(&turn->thread);
	buf_release(&turn->input);
	buf_release(&turn->output);
	buf_release(&turn->error);
	buf_release(&turn->parent);
	buf_release(&turn->source);
	buf_release(&turn->request);
	buf_release(&turn->user_message);
	buf_release(&turn->assistant_message);
}

static void
read_turn(struct query *query, void *payload)
{
	struct turn *ret = payload;

	column_buf(query, 0, &ret->id);
	column_buf(query, 1, &ret->thread);
	column_buf(query, 2, &ret->input);
	column_buf(query, 3, &ret->output);
	ret->has_output = query_get(query, 3).s != NULL;
	column_buf(query, 4, &ret->error);
	column_buf(query, 5, &ret->parent);
	column_buf(query, 6, &ret->source);
	column_buf(query, 7, &ret->request);
	column_buf(query, 8, &ret->user_message);
	column_buf(query, 9, &ret->assistant_message);
	column_state(query, 10, &ret->status, &ret->mode, &ret->host);
	ret->started_ms = query_get_int(query, 13);
	ret->completed_ms = query_get_int(query, 14);
	ret->owner = query_get_int(query, 15);
}

bool
change_turn_get(struct change_context *context, struct span id, struct turn *ret)
{
	return thread_one(context, TURN_GET, id, SPAN_NONE, read_turn, ret);
}

bool
change_turn_by_request(struct change_context *context, struct span thread, struct span request, struct turn *ret)
{
	return thread_one(context, TURN_BY_REQUEST, thread, request, read_turn, ret);
}

bool
change_turn_open(struct change_context *context, struct span thread, struct turn *ret)
{
	return thread_one(context, thread.s ? TURN_OPEN : TURN_OPEN_ANY, thread, SPAN_NONE, read_turn, ret);
}

bool
change_turn_add(struct change_context *context, struct turn *turn)
{
	struct query *query = thread_query(context, TURN_ADD);

	if (!query)
		return false;
	bind_buf(query, 1, &turn->id);
	bind_buf(query, 2, &turn->thread);
	thread_clean(context, &turn->input);
	bind_buf(query, 3, &turn->input);
	query_text(query, 4, SPAN_NONE);
	query_text(query, 5, SPAN_NONE);
	bind_some(query, 6, &turn->parent);
	bind_some(query, 7, &turn->source);
	bind_some(query, 8, &turn->request);
	bind_some(query, 9, &turn->user_message);
	query_text(query, 10, SPAN_NONE);
	bind_word(query, 11, thread_status_text(THREAD_IN_PROGRESS));
	bind_word(query, 12, thread_mode_text(turn->mode));
	bind_word(query, 13, thread_host_text(turn->host));
	query_int(query, 14, turn->started_ms);
	query_no_int(query, 15);
	query_int(query, 16, change_gateway(context));
	return thread_run_one(context, query);
}

bool
change_turn_end(struct change_context *context, struct turn *turn)
{
	struct query *query = thread_query(context, TURN_END);
	struct buf clean = BUF_INIT;

	if (!query)
		return false;
	bind_buf(query, 1, &turn->id);
	bind_word(query, 2, thread_status_text(turn->status));
	thread_clean(context, &turn->output);
	query_text(query, 3, turn->has_output ? span_of(&turn->output) : SPAN_NONE);
	if (turn->error.len && secrets_json(change_secrets(context), span_of(&turn->error), &clean)) {
		buf_reset(&turn->error);
		buf_add(&turn->error, clean.s, clean.len);
	}
	buf_release(&clean);
	bind_some(query, 4, &turn->error);
	bind_some(query, 5, &turn->assistant_message);
	query_int(query, 6, turn->completed_ms);
	return thread_run_one(context, query);
}
