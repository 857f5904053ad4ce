/* call.c - one request on its way through the store, and what answers it (contract section 2) */
#include "compat.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "compass/internal.h"
#include "err.h"
#include "hash.h"
#include "http/server.h"
#include "xalloc.h"

static const struct {
	int status;
	const char *code, *message;
} problems[] = {
#define PROBLEM_ROW(name, status, code, message) [PROBLEM_##name] = { status, code, message },
	PROBLEMS(PROBLEM_ROW)
#undef PROBLEM_ROW
};
_Static_assert(ARRAY_LEN(problems) == PROBLEM_COUNT, "a row for each problem");

/* ---- answers */

static void
entity_tag(struct buf *to, const char *s, size_t n)
{
	buf_addf(to, "W/\"%zx-%016llx\"", n, (unsigned long long)hash(s, n));
}

static void
answer(struct request *request, int status, const char *const *more, const char *body, size_t n)
{
	struct buf tag = BUF_INIT;
	const char *headers[24] = { "access-control-allow-origin", "*" }, *method = request_method(request),
		   *match = request_header(request, "if-none-match");
	size_t i = 2;

	entity_tag(&tag, body, n);
	headers[i++] = "x-request-id";
	headers[i++] = request_id(request);
	headers[i++] = "etag";
	headers[i++] = tag.s;
	for (; more && *more && i < ARRAY_LEN(headers) - 1; more++)
		headers[i++] = *more;
	headers[i] = NULL;
	if (status == 200 && match && (!strcmp(method, "GET") || !strcmp(method, "HEAD")) && strstr(match, tag.s))
		request_reply(request, 304, NULL, headers, "", 0);
	else
		request_reply(request, status, "application/json; charset=utf-8", headers, body, n);
	buf_release(&tag);
}

void
refuse_with(struct request *request, int status, const char *code, const char *message, const char *const *headers)
{
	struct buf body = BUF_INIT;

	buf_addch(&body, '{');
	jtext_add_text(&body, "code", code);
	jtext_add_text(&body, "message", message);
	buf_addch(&body, '}');
	answer(request, status, headers, body.s, body.len);
	buf_release(&body);
}

void
refuse_problem(struct request *request, enum problem problem)
{
	static const char *const later[] = { "retry-after", "1", NULL };

	refuse_with(request, problems[problem].status, problems[problem].code,
	    problems[problem].message ? problems[problem].message : problems[problem].code, problem == PROBLEM_STORE ? later : NULL);
}

/* ---- calls */

/* Every text of a call, to be made and released. */
#define TEXT(member) offsetof(struct call, member)
static const size_t texts[] = { TEXT(thread), TEXT(other), TEXT(title), TEXT(workspace), TEXT(text), TEXT(request_id), TEXT(parent),
	TEXT(source), TEXT(model), TEXT(effort), TEXT(personality), TEXT(approval_policy), TEXT(sandbox_policy), TEXT(rules), TEXT(cwd),
	TEXT(decision), TEXT(reason), TEXT(result), TEXT(keys), TEXT(made), TEXT(native) };
#undef TEXT

static struct buf *
text_of(struct call *call, size_t i)
{
	return (struct buf *)(void *)((char *)call + texts[i]);
}

struct call *
call_begin(struct compass *compass, struct request *request, struct principal *who, struct buf *thread, struct buf *other)
{
	struct call *call = xcalloc(1, sizeof *call);
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++)
		buf_init(text_of(call, i));
	approval_init(&call->approval);
	call->compass = compass;
	call->request = request;
	call->who = who;
	call->thread = *thread;
	call->other = *other;
	buf_init(thread);
	buf_init(other);
	call->mode = call->host = -1;
	request_trace(request, &call->trace);
	return call;
}

void
call_free(struct call *call)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++)
		buf_release(text_of(call, i));
	approval_release(&call->approval);
	trace_release(&call->trace);
	principal_unref(call->who);
	free(call);
}

void
call_reply(struct call *call, int status, const struct buf *body)
{
	static const char *const applied[] = { "preference-applied", "respond-async", NULL };

	answer(call->request, status, status == 202 ? applied : NULL, body->s, body->len);
	call_free(call);
}

void
call_refuse(struct call *call, enum problem problem)
{
	refuse_problem(call->request, problem);
	call_free(call);
}

void
call_fail_text(struct call *call, int status, const char *code, const char *message, const char *const *headers)
{
	refuse_with(call->request, status, code, message, headers);
	call_free(call);
}

static void
call_again(struct change *change)
{
	struct call *call = change->payload;

	call->problem = PROBLEM_NONE;
	call->known = call->of_run = false;
	buf_reset(&call->native);
	buf_reset(&call->keys);
	if (call->made_rules) {
		buf_reset(&call->rules);
		buf_reset(&call->cwd);
	}
}

static struct change *
change_of(struct call *call, call_apply *apply, void (*done)(struct change *))
{
	struct change *change = change_new(done, call);

	change->apply = apply;
	change->again = call_again;
	return change;
}

void
call_store(struct call *call, call_apply *apply, void (*done)(struct change *))
{
	log_change(call->compass->settings.log, change_of(call, apply, done));
}

bool
call_member(const struct call *call, const struct buf *workspace)
{
	return principal_member(call->who, workspace->s, workspace->len);
}

/* The thread of the call, if its caller may see it; else false and the problem is set. */
static bool
find_thread(struct call *call, struct change_context *context, struct thread *ret)
{
	if (change_thread_get(context, span_of(&call->thread), ret) && call_member(call, &ret->workspace))
		return true;
	call->problem = PROBLEM_THREAD_NOT_FOUND;
	return false;
}

static bool
apply_step(struct change *change, const void *row, struct change_context *context)
{
	struct call *call = change->payload;
	struct thread thread;
	struct turn turn;

	(void)row;
	thread_init(&thread);
	turn_init(&turn);
	if (find_thread(call, context, &thread) && call->step)
		call->step(call, context, &thread, &turn, &change->answer);
	thread_release(&thread);
	turn_release(&turn);
	return !call->problem;
}

struct change *
call_change_in(struct call *call, call_step *step, void (*done)(struct change *))
{
	call->step = step;
	return change_of(call, apply_step, done);
}

void
call_store_in(struct call *call, call_step *step, void (*done)(struct change *))
{
	log_change(call->compass->settings.log, call_change_in(call, step, done));
}

void
call_done(struct change *change)
{
	struct call *call = change->payload;

	if (!call_refused(call, change))
		call_reply(call, call->made.len ? 201 : 200, &change->answer);
	change_free(change);
}

bool
call_refused(struct call *call, const struct change *change)
{
	static const char *const later[] = { "retry-after", "1", NULL };

	if (call->problem)
		call_refuse(call, call->problem);
	else if (change->result == CHANGE_KEY_REUSED)
		call_refuse(call, PROBLEM_KEY_REUSED);
	else if (change->result == CHANGE_FAILED || change->result == CHANGE_REFUSED)
		call_fail_text(call, 503, "AGENT_STORE_UNAVAILABLE", change->err.text[0] ? change->err.text : "Unable to store", later);
	else
		return false;
	return true;
}
