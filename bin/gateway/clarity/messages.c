/* messages.c - chat input (contract sections 6.7 and 6.8), and the end of a run */
#include "compat.h"

#include <string.h>

#include "blank.h"
#include "chat/chat.h"
#include "clarity/internal.h"
#include "http/server.h"
#include "trace.h"

/* The members of a body that say something here. */
enum member { MESSAGE, TEXT, INPUT, ROLE, KIND, SERVICE, SERVICE_, AGENT, REASON, MEMBERS };
static const struct span members[MEMBERS] = {
	[MESSAGE] = SPAN_INIT("message"),
	[TEXT] = SPAN_INIT("text"),
	[INPUT] = SPAN_INIT("input"),
	[ROLE] = SPAN_INIT("role"),
	[KIND] = SPAN_INIT("kind"),
	[SERVICE] = SPAN_INIT("serviceId"),
	[SERVICE_] = SPAN_INIT("service_id"),
	[AGENT] = SPAN_INIT("agent"),
	[REASON] = SPAN_INIT("reason"),
};

/* The first of these members (MEMBERS ends them) that is a non-empty string, trimmed. */
static bool
first_text(const struct span found[MEMBERS], const enum member *which, struct buf *to)
{
	for (; *which != MEMBERS; which++) {
		buf_reset(to);
		if (jtext_string(found[*which], to) && !blank_only(to->s, to->len, BLANK_ASCII)) {
			blank_trim_buf(to, BLANK_ASCII);
			return true;
		}
	}
	buf_reset(to);
	return false;
}

#define FIRST_TEXT(found, to, ...) first_text(found, (const enum member[]){ __VA_ARGS__, MEMBERS }, to)

static void
after_post(const struct chat_answer *answer, void *payload)
{
	struct asked *asked = payload;
	struct buf body = BUF_INIT, seconds = BUF_INIT;
	const char *headers[5] = { NULL };
	size_t n = 0;

	buf_add(&body, answer->body, answer->body_len);
	if (answer->replayed) {
		headers[n++] = "idempotency-replayed";
		headers[n++] = "true";
	}
	if (answer->retry_after_s) {
		buf_addf(&seconds, "%lld", (long long)answer->retry_after_s);
		headers[n++] = "retry-after";
		headers[n] = seconds.s;
	}
	shape_reply(asked->request, answer->http, headers, &body);
	buf_release(&body);
	buf_release(&seconds);
	asked_free(asked);
}

static void
lower(struct buf *text)
{
	size_t i;

	for (i = 0; i < text->len; i++)
		if (text->s[i] >= 'A' && text->s[i] <= 'Z')
			text->s[i] = (char)(text->s[i] + 'a' - 'A');
}

static void
post(struct clarity *clarity, struct request *request, const struct buf *run, enum chat_channel channel)
{
	struct buf text = BUF_INIT, role = BUF_INIT, service = BUF_INIT, agent = BUF_INIT, kind = BUF_INIT, key = BUF_INIT;
	struct trace trace = TRACE_NONE;
	struct chat_message message = { .channel = channel, .trace = &trace };
	struct span body, found[MEMBERS];

	if (blank_only(run->s, run->len, BLANK_ASCII)) {
		request_reply_error(request, 400, NULL, "runId is required");
		return;
	}
	if (!shape_body(request, &body))
		return;
	jtext_get_all(body, members, MEMBERS, found);
	if (!FIRST_TEXT(found, &text, MESSAGE, TEXT, INPUT)) {
		request_reply_error(request, 400, NULL, "expected non-empty message (or text/input)");
		goto out;
	}
	if (!FIRST_TEXT(found, &role, ROLE))
		buf_addstr(&role, "user");
	lower(&role);
	if (channel == CHAT_MESSAGES && strcmp(role.s, "user") && strcmp(role.s, "assistant") && strcmp(role.s, "system")) {
		request_reply_error(request, 400, NULL, "expected role to be one of: user, assistant, system");
		goto out;
	}
	if (channel == CHAT_HITL && !FIRST_TEXT(found, &kind, KIND))
		buf_addstr(&kind, "agent.hitl_input");
	if (channel == CHAT_HITL && strncmp(kind.s, "agent.", 6) != 0) {
		request_reply_error(request, 400, NULL, "expected kind to start with 'agent.'");
		goto out;
	}
	if (!request_key(request, &key)) {
		request_reply_error(request, 400, NULL, "expected idempotency-key to be 1 to 255 visible ASCII characters");
		goto out;
	}
	FIRST_TEXT(found, &service, SERVICE, SERVICE_);
	FIRST_TEXT(found, &agent, AGENT);
	message.run = span_of(run);
	message.text = span_of(&text);
	message.role = span_of(&role);
	message.service = span_of(&service);
	message.agent = span_of(&agent);
	message.kind = span_of(&kind);
	message.key = span_of(&key);
	message.print = shape_print(request);
	request_trace(request, &trace);
	chat_post(clarity->settings.chat, &message, after_post, asked_new(clarity, request, run));
out:
	trace_release(&trace);
	buf_release(&text);
	buf_release(&role);
	buf_release(&service);
	buf_release(&agent);
	buf_release(&kind);
	buf_release(&key);
}

void
post_message(struct clarity *clarity, struct request *request, const struct buf *run)
{
	post(clarity, request, run, CHAT_MESSAGES);
}

void
post_hitl(struct clarity *clarity, struct request *request, const struct buf *run)
{
	post(clarity, request, run, CHAT_HITL);
}

/* The end of a run (ours, not the contract's): 202, 404 for a run that nobody knows, 409 for one that is over. */
void
post_cancel(struct clarity *clarity, struct request *request, const struct buf *run)
{
	struct buf reason = BUF_INIT, key = BUF_INIT;
	struct chat_cancel cancel;
	struct span body, found[MEMBERS];

	if (blank_only(run->s, run->len, BLANK_ASCII)) {
		request_reply_error(request, 400, NULL, "runId is required");
		return;
	}
	if (!shape_body(request, &body))
		return;
	if (!request_key(request, &key)) {
		request_reply_error(request, 400, NULL, "expected idempotency-key to be 1 to 255 visible ASCII characters");
		return;
	}
	jtext_get_all(body, members, MEMBERS, found);
	FIRST_TEXT(found, &reason, REASON);
	cancel.run = span_of(run);
	cancel.reason = span_of(&reason);
	cancel.key = span_of(&key);
	cancel.print = shape_print(request);
	chat_cancel(clarity->settings.chat, &cancel, after_post, asked_new(clarity, request, run));
	buf_release(&reason);
	buf_release(&key);
}
