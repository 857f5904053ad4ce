/* approvals.c - what runtimes ask people: recorded, shown, answered once
 *
 * The record comes before the effect: the runtime hears an answer when the store has it. Whoever is first, a person, a rule, the clock, or
 * the end of the turn, wins; the others find it resolved.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "blank.h"
#include "compass/board.h"
#include "compass/internal.h"
#include "http/server.h"
#include "secrets.h"
#include "utf8.h"
#include "xalloc.h"

#define LIST_MAX 500

static const char *const decisions[] = { "accept", "acceptForSession", "decline", "cancel" };

/* ---- the document */

void
approval_doc(struct approval *approval, const char *kind, const char *item, struct span params, int64_t now_ms, int64_t expires_ms)
{
	struct buf *doc = &approval->doc, text = BUF_INIT;

	buf_addstr(&text, item);
	buf_reset(doc);
	buf_addch(doc, '{');
	jtext_add_buf(doc, "approvalId", &approval->id);
	jtext_add_buf(doc, "threadId", &approval->thread);
	jtext_add_buf(doc, "turnId", &approval->turn);
	jtext_add_or_null(doc, "itemId", &text);
	jtext_add_text(doc, "kind", kind);
	buf_addstr(doc, ",\"status\":\"pending\"");
	buf_reset(&text);
	jtext_compact(&text, params.s ? params : (struct span){ "{}", 2 });
	jtext_add_raw(doc, "params", text.s, text.len);
	buf_addstr(doc, ",\"decision\":null,\"resolution\":null,\"reason\":null,\"resolvedBy\":null");
	jtext_add_time(doc, "requestedAt", now_ms);
	jtext_add_time_or_null(doc, "expiresAt", expires_ms);
	buf_addstr(doc, ",\"resolvedAt\":null}");
	buf_release(&text);
}

/* The same, resolved. */
static void
doc_resolved(struct buf *doc, const char *decision, const char *resolution, struct span by, struct span reason, int64_t now_ms)
{
	static const char *const kept[] = { "approvalId", "threadId", "turnId", "itemId", "kind" };
	struct span old = { doc->s, doc->len }, value;
	struct buf fresh = BUF_INIT, text = BUF_INIT;
	size_t i;

	buf_addch(&fresh, '{');
	for (i = 0; i < ARRAY_LEN(kept); i++)
		if (jtext_get(old, kept[i], &value))
			jtext_add_raw(&fresh, kept[i], value.s, value.n);
	buf_addstr(&fresh, ",\"status\":\"resolved\"");
	if (jtext_get(old, "params", &value))
		jtext_add_raw(&fresh, "params", value.s, value.n);
	buf_addstr(&text, decision);
	jtext_add_or_null(&fresh, "decision", &text);
	jtext_add_text(&fresh, "resolution", resolution);
	buf_reset(&text);
	buf_add(&text, reason.s, reason.n);
	jtext_add_or_null(&fresh, "reason", &text);
	buf_reset(&text);
	buf_add(&text, by.s, by.n);
	jtext_add_or_null(&fresh, "resolvedBy", &text);
	if (jtext_get(old, "requestedAt", &value))
		jtext_add_raw(&fresh, "requestedAt", value.s, value.n);
	if (jtext_get(old, "expiresAt", &value))
		jtext_add_raw(&fresh, "expiresAt", value.s, value.n);
	jtext_add_time(&fresh, "resolvedAt", now_ms);
	buf_addch(&fresh, '}');
	buf_release(doc);
	buf_release(&text);
	*doc = fresh;
}

/* ---- on the store's thread */

static void
emit(struct change_context *context, const struct approval *approval, const char *method)
{
	(void)change_emit_thread(context, span_of(&approval->thread), (struct span){ method, strlen(method) }, span_of(&approval->turn),
	    SPAN_NONE, span_of(&approval->doc));
}

void
approval_record(struct change_context *context, const struct turn *turn, struct approval *approval)
{
	(void)turn;
	change_approval_add(context, approval);
	emit(context, approval, "approval.requested");
}

bool
approval_resolve(struct change_context *context, struct approval *approval, const char *decision, const char *resolution, struct span by,
    struct span reason)
{
	doc_resolved(&approval->doc, decision, resolution, by, reason, change_now_ms(context));
	if (!change_approval_end(context, span_of(&approval->id), span_of(&approval->doc)))
		return false;
	approval->pending = false;
	emit(context, approval, "approval.resolved");
	return true;
}

/* What came along with the answer, for the gateway whose turn it is: it is taken from there at once. */
static void
leave_result(struct change_context *context, const struct approval *approval, const struct buf *result)
{
	struct buf key = BUF_INIT;
	struct turn turn;

	turn_init(&turn);
	if (result->len && change_gateway(context) && change_turn_get(context, span_of(&approval->turn), &turn) &&
	    turn.owner != change_gateway(context)) {
		approval_result_key(&approval->id, &key);
		change_put(context, span_of(&key), span_of(result));
	}
	turn_release(&turn);
	buf_release(&key);
}

/* Copies: what a statement gives cannot be changed while it runs. */
struct list {
	struct approval *items;
	size_t n, max;
};

static void
keep(const struct approval *approval, void *payload)
{
	struct list *list = payload;

	if (list->n == list->max)
		return;
	approval_copy(&list->items[list->n++], approval);
}

void
approvals_give_up(struct change_context *context, const struct turn *turn)
{
	struct approval items[RUNTIME_APPROVALS_MAX];
	struct list list = { .items = items, .max = RUNTIME_APPROVALS_MAX };
	size_t i;

	change_approval_list(context, span_of(&turn->thread), span_of(&turn->id), true, RUNTIME_APPROVALS_MAX, keep, &list);
	for (i = 0; i < list.n; i++) {
		(void)approval_resolve(context, &items[i], "", "withdrawn", SPAN_NONE, SPAN_NONE);
		approval_release(&items[i]);
	}
}

/* ---- among the questions for people */

static void
question_of(const struct approval *approval, struct buf *to)
{
	struct span doc = span_of(&approval->doc), params = SPAN_NONE, list, key, one;
	struct buf kind = BUF_INIT, text = BUF_INIT;
	size_t pos = 0;

	(void)jtext_get_string(doc, "kind", &kind);
	(void)jtext_get(doc, "params", &params);
	if (!strcmp(kind.s, "question") && jtext_get(params, "questions", &list) && jtext_type(list) == JTEXT_ARRAY &&
	    jtext_each(list, &pos, &key, &one) && jtext_get_string(one, "question", to)) {
		buf_release(&kind);
		return;
	}
	buf_addf(to, "The runtime asks to go on (%s)", kind.s);
	if (jtext_get(params, "command", &one)) {
		if (!jtext_string(one, &text))
			jtext_compact(&text, one);
		buf_addf(to, ": %s", text.s);
	}
	buf_reset(&text);
	if (jtext_get_string(params, "cwd", &text) && text.len)
		buf_addf(to, "\nin %s", text.s);
	buf_reset(&text);
	if (jtext_get_string(params, "reason", &text) && text.len)
		buf_addf(to, "\nbecause: %s", text.s);
	buf_addstr(to, "\nAnswer accept, acceptForSession, decline or cancel.");
	buf_release(&kind);
	buf_release(&text);
}

void
approval_put_on_board(struct compass *compass, const struct approval *approval)
{
	struct buf text = BUF_INIT, clean = BUF_INIT;

	question_of(approval, &text);
	(void)secrets_text(compass->settings.secrets, text.s, text.len, &clean);
	if (clean.len)
		board_ask(compass->board, &approval->id, &clean);
	buf_release(&text);
	buf_release(&clean);
}

/* What a person wrote, on its way into the store. */
struct slip {
	struct compass *compass;
	struct buf id, answer, result;
	struct approval approval;
	enum runtime_decision decision;
};

/* A word of an answer; whatever is no yes is a no. */
static enum runtime_decision
read_decision(const char *text)
{
	static const char *const yes[] = { "accept", "yes", "y", "ok", "approve", "allow" },
				 *const always[] = { "acceptforsession", "always" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(yes); i++)
		if (!strcasecmp(text, yes[i]))
			return RUNTIME_ACCEPT;
	for (i = 0; i < ARRAY_LEN(always); i++)
		if (!strcasecmp(text, always[i]))
			return RUNTIME_ACCEPT_SESSION;
	return strcasecmp(text, "cancel") ? RUNTIME_DECLINE : RUNTIME_CANCEL;
}

/* A question gets the text itself. */
static void
read_slip(struct slip *slip)
{
	struct span doc = span_of(&slip->approval.doc), value, list, key, one;
	struct buf text = BUF_INIT;
	size_t pos = 0;

	slip->decision = read_decision(slip->answer.s);
	if (!jtext_get(doc, "kind", &value) || !jtext_is_string(value, "question"))
		return;
	slip->decision = RUNTIME_ACCEPT;
	if (jtext_get(doc, "params", &value) && jtext_get(value, "questions", &list) && jtext_type(list) == JTEXT_ARRAY &&
	    jtext_each(list, &pos, &key, &one) && jtext_get_string(one, "id", &text)) {
		buf_addstr(&slip->result, "{\"answers\":{");
		jtext_quote(&slip->result, text.s, text.len);
		buf_addstr(&slip->result, ":{\"answers\":[");
		jtext_quote(&slip->result, slip->answer.s, slip->answer.len);
		buf_addstr(&slip->result, "]}}}");
	}
	buf_release(&text);
}

static bool
apply_slip(struct change *change, const void *row, struct change_context *context)
{
	struct slip *slip = change->payload;

	(void)row;
	approval_release(&slip->approval);
	approval_init(&slip->approval);
	buf_reset(&slip->result);
	if (!change_approval_get(context, span_of(&slip->id), &slip->approval) || !slip->approval.pending)
		return false;
	read_slip(slip);
	leave_result(context, &slip->approval, &slip->result);
	return approval_resolve(context, &slip->approval, decision_text(slip->decision), "answered", (struct span){ "hitl", 4 }, SPAN_NONE);
}

static void
done_slip(struct change *change)
{
	struct slip *slip = change->payload;

	if (change->result == CHANGE_DONE)
		flight_approve(slip->compass, &slip->approval, slip->decision, span_or_none(&slip->result));
	buf_release(&slip->id);
	buf_release(&slip->answer);
	buf_release(&slip->result);
	approval_release(&slip->approval);
	free(slip);
	change_free(change);
}

void
approvals_from_board(const struct buf *id, const struct buf *answer, void *payload)
{
	struct slip *slip = xcalloc(1, sizeof *slip);
	struct change *change = change_new(done_slip, slip);

	slip->compass = payload;
	buf_init(&slip->id);
	buf_init(&slip->answer);
	buf_init(&slip->result);
	approval_init(&slip->approval);
	buf_add(&slip->id, id->s, id->len);
	(void)utf8_repair(&slip->answer, answer->s, answer->len);
	blank_trim_buf(&slip->answer, BLANK_JS);
	change->apply = apply_slip;
	log_change(slip->compass->settings.log, change);
}

/* ---- GET /v1/agent/threads/:threadId/approvals[?status=pending|resolved|all] */

struct lister {
	struct buf *to;
	int state; /* 1: resolved ones only */
};

static void
add_approval(const struct approval *approval, void *payload)
{
	struct lister *lister = payload;

	if (lister->state == 1 && approval->pending)
		return;
	if (lister->to->s[lister->to->len - 1] != '[')
		buf_addch(lister->to, ',');
	buf_add(lister->to, approval->doc.s, approval->doc.len);
}

static void
list_in(struct call *call, struct change_context *context, struct thread *thread, struct turn *turn, struct buf *answer)
{
	struct lister lister = { .to = answer, .state = call->state };

	(void)turn;
	buf_addstr(answer, "{\"approvals\":[");
	change_approval_list(context, span_of(&thread->id), SPAN_NONE, call->state == 0, LIST_MAX, add_approval, &lister);
	buf_addstr(answer, "]}");
}

void
approvals_list(struct call *call)
{
	static const char *const states[] = { "pending", "resolved", "all" };
	struct valid valid = VALID_INIT;

	call->state = valid_query_enum(&valid, call->request, "status", states, ARRAY_LEN(states));
	if (valid_failed(&valid, call))
		return;
	if (call->state < 0)
		call->state = 0;
	call_store_in(call, list_in, call_done);
}

/* ---- GET /v1/agent/threads/:threadId/approvals/:approvalId */

static bool
find(struct call *call, struct change_context *context, const struct thread *thread)
{
	approval_release(&call->approval);
	approval_init(&call->approval);
	if (change_approval_get(context, span_of(&call->other), &call->approval) && !strcmp(call->approval.thread.s, thread->id.s))
		return true;
	call->problem = PROBLEM_APPROVAL_NOT_FOUND;
	return false;
}

static void
get_in(struct call *call, struct change_context *context, struct thread *thread, struct turn *turn, struct buf *answer)
{
	(void)turn;
	if (find(call, context, thread))
		buf_addf(answer, "{\"approval\":%s}", call->approval.doc.s);
}

void
approvals_get(struct call *call)
{
	call_store_in(call, get_in, call_done);
}

/* ---- POST /v1/agent/threads/:threadId/approvals/:approvalId */

static void
answer_in(struct call *call, struct change_context *context, struct thread *thread, struct turn *turn, struct buf *answer)
{
	const char *user = principal_user(call->who);

	(void)turn;
	if (!find(call, context, thread))
		return;
	if (!call->approval.pending ||
	    !approval_resolve(
		context, &call->approval, call->decision.s, "answered", (struct span){ user, strlen(user) }, span_of(&call->reason)))
		call->problem = PROBLEM_APPROVAL_RESOLVED;
	else {
		leave_result(context, &call->approval, &call->result);
		buf_addf(answer, "{\"approval\":%s}", call->approval.doc.s);
	}
}

static void
done_answer(struct change *change)
{
	struct call *call = change->payload;

	if (change->result == CHANGE_DONE)
		flight_approve(call->compass, &call->approval, decision_of(call->decision.s), span_or_none(&call->result));
	call_done(change);
}

/* {"q1":"yes"}, {"q1":["a","b"]} or {"q1":{"answers":["a"]}} as the runtime wants it. */
static void
read_answers(struct valid *valid, struct call *call)
{
	struct span answers, key, value, list, text;
	size_t pos = 0, at;

	if (valid->message.len || !jtext_get(valid->object, "answers", &answers))
		return;
	if (jtext_type(answers) != JTEXT_OBJECT) {
		valid_issue(valid, "Expected object, received %s", valid_type(answers));
		return;
	}
	buf_addstr(&call->result, "{\"answers\":{");
	while (jtext_each(answers, &pos, &key, &value)) {
		list = value;
		if (jtext_type(value) == JTEXT_OBJECT && !jtext_get(value, "answers", &list))
			list = SPAN_NONE;
		if (call->result.s[call->result.len - 1] != '{')
			buf_addch(&call->result, ',');
		buf_add(&call->result, key.s, key.n);
		buf_addstr(&call->result, ":{\"answers\":");
		if (list.s && jtext_type(list) == JTEXT_ARRAY) {
			for (at = 0; jtext_each(list, &at, &key, &text);)
				if (jtext_type(text) != JTEXT_STRING)
					valid_issue(valid, "Expected string, received %s", valid_type(text));
			jtext_compact(&call->result, list);
		} else if (list.s && jtext_type(list) == JTEXT_STRING)
			buf_addf(&call->result, "[%.*s]", (int)list.n, list.s);
		else
			valid_issue(valid, "Expected array, received %s", valid_type(value));
		buf_addch(&call->result, '}');
	}
	buf_addstr(&call->result, "}}");
}

void
approvals_answer(struct call *call)
{
	struct valid valid = VALID_INIT;
	struct span result;
	int decision;

	if (valid_body(&valid, call->body)) {
		decision = valid_enum(&valid, "decision", VALID_REQUIRED, decisions, ARRAY_LEN(decisions));
		if (decision >= 0)
			buf_addstr(&call->decision, decisions[decision]);
		(void)valid_string(&valid, "reason", 0, 1, 1000, &call->reason);
		read_answers(&valid, call);
		if (!valid.message.len && !call->result.len && jtext_get(valid.object, "result", &result))
			jtext_compact(&call->result, result);
		/* what was said along with a refusal is not passed on */
		if (decision > 1)
			buf_reset(&call->result);
	}
	if (!valid_failed(&valid, call))
		call_store_in(call, answer_in, done_answer);
}
