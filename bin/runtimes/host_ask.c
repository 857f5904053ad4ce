/* host_ask.c - what a turn is asked for with, and what it asks its reader: beyond the contract, and only where the caller wants it
 *
 * A caller that streams and says `prefer: approvals` is told what the runtime wants approved and answers with a request of its own. Of
 * anybody else nothing is asked: it is declined at once, as it is when the reader goes.
 */
#include "compat.h"

#include <string.h>

#include "host_internal.h"
#include "http/server.h"
#include "num.h"
#include "roots.h"

/* ---- wishes */

void
wishes_init(struct wishes *wishes)
{
	buf_init(&wishes->model);
	buf_init(&wishes->effort);
	buf_init(&wishes->personality);
	buf_init(&wishes->approval_policy);
	buf_init(&wishes->sandbox_policy);
	buf_init(&wishes->cwd);
	buf_init(&wishes->instructions);
}

void
wishes_release(struct wishes *wishes)
{
	buf_release(&wishes->model);
	buf_release(&wishes->effort);
	buf_release(&wishes->personality);
	buf_release(&wishes->approval_policy);
	buf_release(&wishes->sandbox_policy);
	buf_release(&wishes->cwd);
	buf_release(&wishes->instructions);
}

enum form { FORM_TEXT = 1, FORM_OBJECT = 2, FORM_LONG = 4 };

/* False: it is there and wrong. null is not given. */
static bool
take(struct span body, const char *key, unsigned forms, struct buf *to)
{
	struct span value;

	if (!jtext_get(body, key, &value) || jtext_type(value) == JTEXT_NULL)
		return true;
	if (forms & FORM_OBJECT && jtext_type(value) == JTEXT_OBJECT) {
		jtext_compact(to, value);
		return true;
	}
	return forms & FORM_TEXT && jtext_string(value, to) && to->len && to->len == strlen(to->s) &&
	    (forms & FORM_LONG || to->len <= HOST_WISH_MAX);
}

/* As JSON: the word keeps its quotes. */
static bool
take_sandbox(struct span body, struct buf *to)
{
	struct span value;

	if (!take(body, "sandboxPolicy", FORM_TEXT | FORM_OBJECT, to))
		return false;
	if (to->len && jtext_get(body, "sandboxPolicy", &value)) {
		buf_reset(to);
		jtext_compact(to, value);
	}
	return true;
}

bool
wishes_take(const struct host *host, struct request *request, struct span body, struct wishes *ret)
{
	struct buf cwd = BUF_INIT;
	const char *wrong = NULL;

	if (!take(body, "model", FORM_TEXT, &ret->model))
		wrong = "Body field 'model' cannot be used";
	else if (!take(body, "effort", FORM_TEXT, &ret->effort))
		wrong = "Body field 'effort' cannot be used";
	else if (!take(body, "personality", FORM_TEXT, &ret->personality))
		wrong = "Body field 'personality' cannot be used";
	else if (!take(body, "approvalPolicy", FORM_TEXT | FORM_OBJECT, &ret->approval_policy))
		wrong = "Body field 'approvalPolicy' cannot be used";
	else if (!take_sandbox(body, &ret->sandbox_policy))
		wrong = "Body field 'sandboxPolicy' cannot be used";
	else if (!take(body, "developerInstructions", FORM_TEXT | FORM_LONG, &ret->instructions))
		wrong = "Body field 'developerInstructions' cannot be used";
	else if (!take(body, "cwd", FORM_TEXT, &cwd))
		wrong = "Body field 'cwd' cannot be used";
	if (wrong)
		host_refuse(request, 400, "OPTION_INVALID", wrong, NULL);
	else if (cwd.len && !roots_take(host->settings.roots, cwd.s, &ret->cwd)) {
		wrong = "Body field 'cwd' is no directory below a root of this host";
		host_refuse(request, 400, "CWD_NOT_ALLOWED", wrong, NULL);
	}
	buf_release(&cwd);
	return !wrong;
}

/* ---- questions */

static void
answer(struct job *job, uint64_t number, enum runtime_decision decision)
{
	struct runtime_answer reply = { .decision = decision };

	/* false: it is asked no more */
	(void)runtime_approval_answer(job->host->runtime, number, &reply);
}

static bool
forget(struct job *job, uint64_t number)
{
	size_t i;

	for (i = 0; i < job->n_open && job->open[i] != number; i++)
		;
	if (i == job->n_open)
		return false;
	job->open[i] = job->open[--job->n_open];
	return true;
}

static void
begin(const struct job *job, uint64_t number, struct buf *to)
{
	buf_addch(to, '{');
	jtext_add_buf(to, "turnId", &job->id);
	buf_addf(to, ",\"approvalId\":\"%llu\"", (unsigned long long)number);
}

void
ask_reader(struct job *job, const struct runtime_event *event)
{
	struct buf data = BUF_INIT;

	if (event->type == RUNTIME_APPROVAL_RESOLVED) {
		(void)forget(job, event->approval);
		if (!job->stream || !job->asks)
			return;
		begin(job, event->approval, &data);
		buf_addch(&data, '}');
		say_event(job, "approval-resolved", &data);
	} else if (!job->stream || !job->asks || job->n_open == ARRAY_LEN(job->open) || event->params.n > HOST_ASK_MAX) {
		answer(job, event->approval, RUNTIME_DECLINE);
	} else {
		job->open[job->n_open++] = event->approval;
		if (job->owed.len)
			say_owed(job);
		begin(job, event->approval, &data);
		jtext_add_text(&data, "method", event->method);
		buf_addstr(&data, ",\"params\":");
		jtext_compact(&data, event->params.s ? event->params : (struct span){ "{}", 2 });
		buf_addch(&data, '}');
		say_event(job, "approval", &data);
	}
	buf_release(&data);
}

void
ask_nobody(struct job *job)
{
	size_t i;

	for (i = 0; i < job->n_open; i++)
		answer(job, job->open[i], RUNTIME_DECLINE);
	job->n_open = 0;
}

/* ---- POST /agent/turns/ID/approvals/NUMBER */

static bool
read_answer(struct span body, struct runtime_answer *ret)
{
	static const char *const words[] = { [RUNTIME_ACCEPT] = "accept",
		[RUNTIME_ACCEPT_SESSION] = "acceptForSession",
		[RUNTIME_DECLINE] = "decline",
		[RUNTIME_CANCEL] = "cancel" };
	struct span value;
	size_t i;

	if (jtext_get(body, "result", &value)) {
		ret->decision = RUNTIME_ACCEPT;
		ret->result = value;
		return jtext_type(value) == JTEXT_OBJECT;
	}
	if (!jtext_get(body, "decision", &value))
		return false;
	for (i = 0; i < ARRAY_LEN(words); i++)
		if (jtext_is_string(value, words[i])) {
			ret->decision = (enum runtime_decision)i;
			return true;
		}
	return false;
}

void
ask_answer(struct host *host, struct request *request, const struct buf *turn, const struct buf *approval)
{
	struct runtime_answer given = { .result = SPAN_NONE };
	struct job *job = turn_of(host, turn);
	struct buf body = BUF_INIT;
	struct span object;
	int64_t number;

	if (!host_body(request, &object))
		return;
	if (!job)
		host_refuse(request, 404, "TURN_NOT_FOUND", "Turn not found", NULL);
	else if (!read_answer(object, &given))
		host_refuse(request, 400, "DECISION_REQUIRED", "Body field 'decision' or 'result' is required", turn);
	else if (!num_i64(approval->s, approval->len, &number) || number <= 0 || !forget(job, (uint64_t)number) ||
	    !runtime_approval_answer(host->runtime, (uint64_t)number, &given))
		host_refuse(request, 404, "APPROVAL_NOT_FOUND", "Approval not found, or not asked any more", turn);
	else {
		begin(job, (uint64_t)number, &body);
		buf_addstr(&body, ",\"status\":\"resolved\"}");
		host_reply(request, 200, &body);
	}
	buf_release(&body);
}
