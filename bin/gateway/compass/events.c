/* events.c - events of a thread: uploaded and listed (contract section 6.5)
 *
 * An upload says who sent it (uploadedBy). What only the gateway can know, nobody else may say: methods of threads and approvals, and
 * anything in the server's vocabulary about a turn that the gateway itself runs or ran.
 */
#include "compat.h"

#include <string.h>

#include "compass/internal.h"
#include "hash.h"
#include "http/server.h"

#define LIST_DEFAULT 200
#define LIST_MAX STORE_PAGE_MAX

/* ---- POST /v1/agent/threads/:threadId/events:batch */

static bool
is_word_of_ours(const struct buf *method)
{
	static const char *const words[] = { "turn.", "item.", "runtime.metadata", "error" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(words); i++)
		if (!strncmp(method->s, words[i], strlen(words[i])))
			return true;
	return false;
}

static bool
is_reserved(struct change_context *context, const struct buf *method, const struct buf *turn_id)
{
	struct turn turn;
	bool reserved;

	if (!strncmp(method->s, "thread.", 7) || !strncmp(method->s, "approval.", 9))
		return true;
	if (!turn_id->len || !is_word_of_ours(method))
		return false;
	turn_init(&turn);
	reserved = change_turn_get(context, span_of(turn_id), &turn) && turn.mode == THREAD_CLOUD;
	turn_release(&turn);
	return reserved;
}

/* Twice over the events: first whether they may all be, then they are. */
static void
each_event(struct call *call, struct change_context *context, bool store)
{
	struct buf method = BUF_INIT, turn = BUF_INIT, payload = BUF_INIT;
	const char *user = principal_user(call->who);
	struct span events, key, event, value;
	size_t pos = 0;

	if (!jtext_get(call->body, "events", &events))
		return;
	while (!call->problem && jtext_each(events, &pos, &key, &event)) {
		buf_reset(&method);
		buf_reset(&turn);
		buf_reset(&payload);
		(void)jtext_get_string(event, "method", &method);
		(void)jtext_get_string(event, "turnId", &turn);
		if (!store) {
			if (is_reserved(context, &method, &turn))
				call->problem = PROBLEM_EVENT_RESERVED;
			continue;
		}
		if (jtext_get(event, "payload", &value) && jtext_type(value) != JTEXT_NULL)
			jtext_compact(&payload, value);
		else
			buf_addstr(&payload, "{}");
		(void)change_emit_thread(context, span_of(&call->thread), span_of(&method), span_or_none(&turn),
		    (struct span){ user, strlen(user) }, span_of(&payload));
	}
	buf_release(&method);
	buf_release(&turn);
	buf_release(&payload);
}

static void
batch_in(struct call *call, struct change_context *context, struct thread *thread, struct turn *turn, struct buf *answer)
{
	(void)turn;
	each_event(call, context, false);
	if (call->problem)
		return;
	each_event(call, context, true);
	thread->updated_ms = change_now_ms(context);
	change_thread_put(context, thread);
	buf_addf(answer, "{\"accepted\":%d}", call->limit);
}

static void
check_events(struct valid *valid, struct call *call)
{
	struct valid inner = VALID_INIT;
	struct buf text = BUF_INIT;
	struct span events, key, event;
	size_t pos = 0;

	if (!valid_array(valid, "events", &events))
		return;
	inner.message = valid->message;
	while (!inner.message.len && jtext_each(events, &pos, &key, &event)) {
		if (++call->limit > COMPASS_BATCH_MAX)
			valid_issue(&inner, "Array must contain at most %d element(s)", COMPASS_BATCH_MAX);
		else if (valid_body(&inner, event)) {
			buf_reset(&text);
			(void)valid_string(&inner, "turnId", 0, 1, 0, &text);
			buf_reset(&text);
			(void)valid_string(&inner, "method", VALID_REQUIRED, 1, 0, &text);
		}
	}
	valid->message = inner.message;
	buf_release(&text);
}

/* Idempotency-Key, in the caller's own name. False: it is none. */
static bool
read_key(const struct call *call, struct buf *to)
{
	struct buf key = BUF_INIT;
	bool good = request_key(call->request, &key);

	if (key.len)
		buf_addf(to, "batch/%s/%s/%s", principal_user(call->who), call->thread.s, key.s);
	buf_release(&key);
	return good;
}

void
events_batch(struct call *call)
{
	struct valid valid = VALID_INIT;
	struct change *change;

	if (valid_body(&valid, call->body))
		check_events(&valid, call);
	if (valid_failed(&valid, call))
		return;
	change = call_change_in(call, batch_in, call_done);
	if (!read_key(call, &change->key)) {
		change_free(change);
		call_refuse(call, PROBLEM_INVALID_KEY);
		return;
	}
	change->print = hash(call->body.s, call->body.n);
	log_change(call->compass->settings.log, change);
}

/* ---- GET /v1/agent/threads/:threadId/events */

static void
done_page(struct page *page)
{
	struct call *call = page->payload;
	struct buf body = BUF_INIT;
	size_t i;

	if (page->err.status)
		call_refuse(call, PROBLEM_STORE);
	else {
		buf_addstr(&body, "{\"events\":[");
		for (i = 0; i < page->n_events; i++) {
			if (i)
				buf_addch(&body, ',');
			form_event(&body, page->events[i]);
		}
		buf_addstr(&body, "]}");
		call_reply(call, 200, &body);
	}
	buf_release(&body);
	page_free(page);
}

static void
done_list(struct change *change)
{
	struct call *call = change->payload;
	struct page *page;

	if (!call_refused(call, change)) {
		page = page_new(done_page, call);
		page->thread = true;
		buf_add(&page->stream, call->thread.s, call->thread.len);
		page->after = call->after;
		page->limit = call->limit;
		log_page(call->compass->settings.log, page);
	}
	change_free(change);
}

void
events_list(struct call *call)
{
	struct valid valid = VALID_INIT;
	int64_t limit = LIST_DEFAULT;

	valid_query(&valid, call->request, "cursor", 0, 0, &call->after);
	valid_query(&valid, call->request, "limit", 1, LIST_MAX, &limit);
	if (valid_failed(&valid, call))
		return;
	call->limit = (int)limit;
	call_store_in(call, NULL, done_list);
}
