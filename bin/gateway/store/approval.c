/* approval.c - what turns ask leave for */
#include "compat.h"

#include "secrets.h"
#include "store/thread_internal.h"

static const char *const approval_statuses[] = { "pending", "resolved" };

void
approval_init(struct approval *approval)
{
	*approval = (struct approval){ .id = BUF_INIT, .thread = BUF_INIT, .turn = BUF_INIT, .doc = BUF_INIT, .pending = true };
}

void
approval_release(struct approval *approval)
{
	buf_release(&approval->id);
	buf_release(&approval->thread);
	buf_release(&approval->turn);
	buf_release(&approval->doc);
}

void
approval_copy(struct approval *to, const struct approval *from)
{
	approval_init(to);
	buf_add(&to->id, from->id.s, from->id.len);
	buf_add(&to->thread, from->thread.s, from->thread.len);
	buf_add(&to->turn, from->turn.s, from->turn.len);
	buf_add(&to->doc, from->doc.s, from->doc.len);
	to->pending = from->pending;
	to->created_ms = from->created_ms;
}

static void
read_approval(struct query *query, void *payload)
{
	struct approval *ret = payload;

	column_buf(query, 0, &ret->id);
	column_buf(query, 1, &ret->thread);
	column_buf(query, 2, &ret->turn);
	column_buf(query, 3, &ret->doc);
	ret->pending = column_word(query, 4, approval_statuses, ARRAY_LEN(approval_statuses)) == 0;
	ret->created_ms = query_get_int(query, 5);
}

bool
change_approval_get(struct change_context *context, struct span id, struct approval *ret)
{
	return thread_one(context, APPROVAL_GET, id, SPAN_NONE, read_approval, ret);
}

/* The document without its secrets, which lies in `clean` when there were some. */
static struct span
clean_doc(struct change_context *context, struct span doc, struct buf *clean)
{
	return secrets_json(change_secrets(context), doc, clean) ? span_of(clean) : doc;
}

void
change_approval_add(struct change_context *context, const struct approval *approval)
{
	struct query *query = thread_query(context, APPROVAL_ADD);
	struct buf clean = BUF_INIT;

	if (!query)
		return;
	bind_buf(query, 1, &approval->id);
	bind_buf(query, 2, &approval->thread);
	bind_buf(query, 3, &approval->turn);
	query_text(query, 4, clean_doc(context, span_of(&approval->doc), &clean));
	bind_word(query, 5, "pending");
	query_int(query, 6, approval->created_ms);
	thread_run(context, query);
	buf_release(&clean);
}

bool
change_approval_end(struct change_context *context, struct span id, struct span doc)
{
	struct query *query = thread_query(context, APPROVAL_END);
	struct buf clean = BUF_INIT;
	bool ended;

	if (!query)
		return false;
	query_text(query, 1, id);
	query_text(query, 2, clean_doc(context, doc, &clean));
	ended = thread_run_one(context, query);
	buf_release(&clean);
	return ended;
}

void
change_approval_list(
    struct change_context *context, struct span thread, struct span turn, bool pending, int limit, approval_each_cb *cb, void *payload)
{
	struct query *query = thread_query(context, APPROVAL_LIST);
	struct approval approval;

	if (!query)
		return;
	query_text(query, 1, thread);
	query_text(query, 2, turn);
	query_int(query, 3, pending);
	query_int(query, 4, limit);
	while (thread_step(context, query)) {
		approval_init(&approval);
		read_approval(query, &approval);
		cb(&approval, payload);
		approval_release(&approval);
	}
}
