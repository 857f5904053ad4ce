/* asking.c - a turn that is started on the thread of a run
 *
 * It becomes a message of the run, in line with those that come as messages, and the message's turn is the one that was asked for. Whoever
 * asked waits here until that turn begins, and then with it. While another message is being answered the thread is busy, as it is for any
 * turn.
 */
#include "compat.h"

#include <string.h>

#include "chat/chat.h"
#include "compass/internal.h"
#include "compass/run.h"

struct call *
run_asking(struct compass *compass, struct span turn)
{
	struct call **at, *call;

	for (at = &compass->asking; (call = *at); at = &call->next)
		if (call->made.len == turn.n && !memcmp(call->made.s, turn.s, turn.n)) {
			*at = call->next;
			return call;
		}
	return NULL;
}

/* {"turnId", and what was given with the request */
static void
make_options(const struct call *call, struct buf *to)
{
	const struct buf *const texts[] = { &call->request_id, &call->parent, &call->source, &call->model, &call->effort,
		&call->personality, &call->approval_policy };
	static const char *const names[] = { "clientRequestId", "parentTurnId", "sourceTurnId", "model", "effort", "personality",
		"approvalPolicy" };
	size_t i;

	buf_addch(to, '{');
	jtext_add_buf(to, "turnId", &call->made);
	for (i = 0; i < ARRAY_LEN(texts); i++)
		jtext_add_filled(to, names[i], texts[i]);
	if (call->sandbox_policy.len)
		jtext_add_raw(to, "sandboxPolicy", call->sandbox_policy.s, call->sandbox_policy.len);
	buf_addch(to, '}');
}

static void
refuse(struct call *call, const struct chat_answer *answer)
{
	static const char *const later[] = { "retry-after", "1", NULL };
	struct span body = { answer->body, answer->body_len };
	struct buf text = BUF_INIT;

	if (answer->http == 409 && jtext_get_string(body, "status", &text) && strcmp(text.s, "running") != 0)
		call_refuse(call, PROBLEM_THREAD_ENDED);
	else if (answer->http == 409)
		call_refuse(call, PROBLEM_THREAD_BUSY);
	else {
		buf_reset(&text);
		if (!jtext_get_string(body, "error", &text))
			buf_addstr(&text, "Unable to store");
		call_fail_text(call, 503, "AGENT_STORE_UNAVAILABLE", text.s, later);
	}
	buf_release(&text);
}

static void
on_posted(const struct chat_answer *answer, void *payload)
{
	struct call *call = payload;

	if (answer->http != 200 && run_asking(call->compass, span_of(&call->made)))
		refuse(call, answer);
}

void
run_ask(struct call *call)
{
	struct compass *compass = call->compass;
	struct buf options = BUF_INIT;
	struct chat_message message = { .channel = CHAT_MESSAGES, .role = { "user", 4 }, .trace = &call->trace };

	make_options(call, &options);
	message.run = span_of(&call->thread);
	message.text = span_of(&call->text);
	message.turn = span_of(&options);
	call->next = compass->asking;
	compass->asking = call;
	chat_post(compass->chat, &message, on_posted, call);
	buf_release(&options);
}

void
run_missed(struct span options, struct span why, void *payload)
{
	struct compass *compass = payload;
	struct buf turn = BUF_INIT, text = BUF_INIT;
	struct call *call = jtext_get_string(options, "turnId", &turn) ? run_asking(compass, span_of(&turn)) : NULL;

	if (call) {
		if (why.n)
			buf_add(&text, why.s, why.n);
		else
			buf_addstr(&text, "the message got no answer");
		call_fail_text(call, 503, "AGENT_RUNTIME_UNAVAILABLE", text.s, NULL);
	}
	buf_release(&turn);
	buf_release(&text);
}
