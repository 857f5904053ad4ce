/* turns.c - turns: started, shown, interrupted (contract sections 6.4, 8.2 and 18) */
#include "compat.h"

#include <string.h>
#include <strings.h>

#include "blank.h"
#include "compass/internal.h"
#include "compass/run.h"
#include "http/server.h"
#include "key.h"

#define LOCAL_TEXT "Local turn accepted. Awaiting desktop local runtime events."

static void
add_lineage(struct buf *to, const struct turn *turn, bool user, bool assistant)
{
	jtext_add_or_null(to, "parentTurnId", &turn->parent);
	jtext_add_or_null(to, "sourceTurnId", &turn->source);
	if (user)
		jtext_add_or_null(to, "userMessageId", &turn->user_message);
	jtext_add_or_null(to, "clientRequestId", &turn->request);
	if (assistant)
		jtext_add_or_null(to, "assistantMessageId", &turn->assistant_message);
}

void
turn_emit(struct change_context *context, const struct turn *turn, const char *method, const struct buf *payload)
{
	(void)change_emit_thread(
	    context, span_of(&turn->thread), (struct span){ method, strlen(method) }, span_of(&turn->id), SPAN_NONE, span_of(payload));
}

void
turn_emit_started(struct change_context *context, const struct turn *turn)
{
	struct buf payload = BUF_INIT;

	buf_addch(&payload, '{');
	jtext_add_buf(&payload, "text", &turn->input);
	jtext_add_buf(&payload, "turnId", &turn->id);
	jtext_add_or_null(&payload, "parentTurnId", &turn->parent);
	jtext_add_or_null(&payload, "sourceTurnId", &turn->source);
	buf_addf(
	    &payload, ",\"executionHost\":\"%s\",\"executionMode\":\"%s\"", thread_host_text(turn->host), thread_mode_text(turn->mode));
	jtext_add_or_null(&payload, "userMessageId", &turn->user_message);
	jtext_add_or_null(&payload, "clientRequestId", &turn->request);
	buf_addch(&payload, '}');
	turn_emit(context, turn, "turn.started", &payload);
	buf_release(&payload);
}

void
turn_emit_delta(struct change_context *context, const struct turn *turn, struct span text)
{
	struct buf payload = BUF_INIT;

	buf_addch(&payload, '{');
	jtext_add_string(&payload, "text", text.s, text.n);
	jtext_add_text(&payload, "type", "assistant_message");
	add_lineage(&payload, turn, true, true);
	buf_addch(&payload, '}');
	turn_emit(context, turn, "item.delta", &payload);
	buf_release(&payload);
}

void
turn_add_error(struct buf *to, const char *message, const char *code)
{
	buf_addch(to, '{');
	jtext_add_text(to, "message", message);
	jtext_add_text(to, "code", code);
	buf_addch(to, '}');
}

/* Who follows the thread as a run hears that it is somebody's turn; a run's own thread says so itself. */
static void
emit_waiting(struct change_context *context, const struct turn *turn)
{
	struct buf data = BUF_INIT, reason = BUF_INIT;
	bool good = turn->status == THREAD_COMPLETED;

	bool alone = change_turn_alone(context, span_of(&turn->id));

	if (alone)
		change_turn_alone_over(context, span_of(&turn->id));
	if (alone || !change_thread_shared(context, span_of(&turn->thread))) {
		if (good || !jtext_get_string(span_of(&turn->error), "message", &reason))
			buf_addstr(&reason, "awaiting operator input");
		buf_addch(&data, '{');
		jtext_add_buf(&data, "runId", &turn->thread);
		jtext_add_buf(&data, "reason", &reason);
		jtext_add_buf(&data, "waitingReason", &reason);
		buf_addch(&data, '}');
		(void)change_emit_run_word(
		    context, span_of(&turn->thread), "agent.waiting", good ? LEVEL_INFO : LEVEL_WARN, span_of(&data));
	}
	buf_release(&data);
	buf_release(&reason);
}

/* False: it had ended before. */
bool
turn_finish(struct change_context *context, struct turn *turn, struct span metadata, struct span usage)
{
	struct buf payload = BUF_INIT, text = BUF_INIT;
	struct thread thread;

	turn->completed_ms = change_now_ms(context);
	if (!change_turn_end(context, turn))
		return false;
	buf_add(&text, metadata.s, metadata.n);
	if (metadata.s)
		turn_emit(context, turn, "runtime.metadata", &text);
	buf_addch(&payload, '{');
	jtext_add_raw(&payload, "error", turn->error.len ? turn->error.s : "null", turn->error.len ? turn->error.len : 4);
	buf_reset(&text);
	if (turn->has_output) {
		buf_addch(&text, '{');
		jtext_add_buf(&text, "text", &turn->output);
		buf_addch(&text, '}');
	} else
		buf_addstr(&text, "null");
	jtext_add_raw(&payload, "output", text.s, text.len);
	jtext_add_text(&payload, "status", thread_status_text(turn->status));
	jtext_add_buf(&payload, "turnId", &turn->id);
	add_lineage(&payload, turn, true, true);
	if (usage.n)
		jtext_add_raw(&payload, "usage", usage.s, usage.n);
	buf_addch(&payload, '}');
	turn_emit(context, turn, "turn.completed", &payload);
	emit_waiting(context, turn);
	thread_init(&thread);
	if (change_thread_get(context, span_of(&turn->thread), &thread)) {
		thread.status = turn->status;
		thread.updated_ms = turn->completed_ms;
		change_thread_put(context, &thread);
	}
	thread_release(&thread);
	buf_release(&payload);
	buf_release(&text);
	return true;
}

/* ---- POST /v1/agent/threads/:threadId/turns */

static enum problem
check_lineage(struct call *call, struct change_context *context)
{
	const struct buf *const ids[] = { &call->parent, &call->source };
	enum problem problem = PROBLEM_NONE;
	struct turn turn;
	size_t i;

	for (i = 0; i < ARRAY_LEN(ids) && !problem; i++) {
		turn_init(&turn);
		if (ids[i]->len && (!change_turn_get(context, span_of(ids[i]), &turn) || strcmp(turn.thread.s, call->thread.s) != 0))
			problem = i ? PROBLEM_SOURCE_NOT_FOUND : PROBLEM_PARENT_NOT_FOUND;
		turn_release(&turn);
	}
	return problem;
}

static void
fill(struct call *call, const struct thread *thread, int64_t now, struct turn *turn)
{
	buf_add(&turn->id, call->made.s, call->made.len);
	buf_add(&turn->thread, thread->id.s, thread->id.len);
	buf_add(&turn->input, call->text.s, call->text.len);
	buf_add(&turn->parent, call->parent.s, call->parent.len);
	buf_add(&turn->source, call->source.s, call->source.len);
	buf_add(&turn->request, call->request_id.s, call->request_id.len);
	key_add_uuid(&turn->user_message);
	turn->mode = call->mode < 0 ? thread->mode : (enum thread_mode)call->mode;
	if (call->host >= 0)
		turn->host = (enum thread_host)call->host;
	else if (turn->mode == thread->mode)
		turn->host = thread->host;
	else
		turn->host = turn->mode == THREAD_CLOUD ? THREAD_DYNAMIC_SESSIONS : THREAD_DESKTOP_LOCAL;
	turn->started_ms = now;
}

/* The reference's answer for a turn that a desktop is to run: it uploads its events (contract section 8.2). */
static void
finish_local(struct change_context *context, struct turn *turn)
{
	static const char metadata[] = "{\"driver\":\"desktop_local\"}";

	turn->status = THREAD_COMPLETED;
	buf_addstr(&turn->output, LOCAL_TEXT);
	turn->has_output = true;
	key_add_uuid(&turn->assistant_message);
	turn_emit_delta(context, turn, span_of(&turn->output));
	(void)turn_finish(context, turn, (struct span){ metadata, sizeof metadata - 1 }, SPAN_NONE);
}

/* The thread is a run too: what is asked for becomes a message of the run, after this. */
static void
start_as_message(struct call *call, struct change_context *context, struct turn *turn)
{
	if (call->mode == THREAD_LOCAL)
		call->problem = PROBLEM_THREAD_IS_RUN;
	else if (!call->compass->settings.cloud)
		call->problem = PROBLEM_CLOUD_DISABLED;
	else if (change_turn_open(context, span_of(&call->thread), turn))
		call->problem = PROBLEM_THREAD_BUSY;
	call->of_run = true;
}

static void
start_in(struct call *call, struct change_context *context, struct thread *thread, struct turn *turn, struct buf *answer)
{
	const struct compass_settings *settings = &call->compass->settings;

	if (call->request_id.len && change_turn_by_request(context, span_of(&call->thread), span_of(&call->request_id), turn)) {
		call->known = true;
		form_turn_answer(answer, turn);
		return;
	}
	call->problem = check_lineage(call, context);
	if (call->problem)
		return;
	if (change_thread_shared(context, span_of(&call->thread))) {
		start_as_message(call, context, turn);
		return;
	}
	fill(call, thread, change_now_ms(context), turn);
	if (turn->mode == THREAD_CLOUD ? !settings->cloud : !settings->local) {
		call->problem = turn->mode == THREAD_CLOUD ? PROBLEM_CLOUD_DISABLED : PROBLEM_LOCAL_DISABLED;
		return;
	}
	if (!change_turn_add(context, turn)) {
		call->problem = PROBLEM_THREAD_BUSY;
		return;
	}
	thread->status = THREAD_IN_PROGRESS;
	thread->updated_ms = turn->started_ms;
	change_thread_put(context, thread);
	turn_emit_started(context, turn);
	call->mode = (int)turn->mode;
	call->host = (int)turn->host;
	buf_add(&call->native, thread->native.s, thread->native.len);
	buf_add(&call->rules, thread->rules.s, thread->rules.len);
	buf_add(&call->cwd, thread->cwd.s, thread->cwd.len);
	call->made_rules = true;
	if (turn->mode == THREAD_LOCAL)
		finish_local(context, turn);
	form_turn_answer(answer, turn);
}

static void
done_start(struct change *change)
{
	struct call *call = change->payload;

	if (call_refused(call, change))
		;
	else if (call->of_run)
		run_ask(call);
	else if (call->known || call->mode == THREAD_LOCAL)
		call_reply(call, 200, &change->answer);
	else {
		flight_start(call);
		if (call->async)
			call_reply(call, 202, &change->answer);
	}
	change_free(change);
}

/* `Prefer: respond-async` (RFC 7240) or ?wait=false */
static bool
wants_async(const struct request *request)
{
	const char *prefer = request_header(request, "prefer");
	struct buf wait = BUF_INIT;
	bool async = prefer && !strncasecmp(prefer, "respond-async", 13) &&
	    !strchr("abcdefghijklmnopqrstuvwxyz-", prefer[13] ? prefer[13] | 0x20 : ' ');

	if (request_query(request, "wait", &wait))
		async = !strcmp(wait.s, "false") || !strcmp(wait.s, "0");
	buf_release(&wait);
	return async;
}

void
turns_start(struct call *call)
{
	struct valid valid = VALID_INIT;
	struct span sandbox;

	if (valid_body(&valid, call->body)) {
		(void)valid_string(&valid, "text", VALID_REQUIRED, 1, 0, &call->text);
		(void)valid_string(&valid, "clientRequestId", 0, 1, 0, &call->request_id);
		(void)valid_string(&valid, "parentTurnId", 0, 1, 0, &call->parent);
		(void)valid_string(&valid, "sourceTurnId", 0, 1, 0, &call->source);
		call->mode = valid_enum(&valid, "executionMode", 0, valid_modes, THREAD_MODE_COUNT);
		call->host = valid_enum(&valid, "executionHost", 0, valid_hosts, THREAD_HOST_COUNT);
		(void)valid_string(&valid, "model", 0, 1, 0, &call->model);
		(void)valid_string(&valid, "approvalPolicy", 0, 1, 0, &call->approval_policy);
		(void)valid_string(&valid, "effort", 0, 1, 0, &call->effort);
		(void)valid_string(&valid, "personality", 0, 1, 0, &call->personality);
		if (!valid.message.len && jtext_get(valid.object, "sandboxPolicy", &sandbox) && jtext_type(sandbox) != JTEXT_NULL)
			jtext_compact(&call->sandbox_policy, sandbox);
	}
	blank_trim_buf(&call->request_id, BLANK_JS);
	blank_trim_buf(&call->parent, BLANK_JS);
	blank_trim_buf(&call->source, BLANK_JS);
	if (valid_failed(&valid, call))
		return;
	if (call->mode == THREAD_CLOUD && !call->compass->settings.cloud)
		call_refuse(call, PROBLEM_CLOUD_DISABLED);
	else if (call->mode == THREAD_LOCAL && !call->compass->settings.local)
		call_refuse(call, PROBLEM_LOCAL_DISABLED);
	else {
		call->async = wants_async(call->request);
		key_add_uuid(&call->made);
		call_store_in(call, start_in, done_start);
	}
}

/* ---- GET /v1/agent/threads/:threadId/turns/:turnId */

/* The turn that the call names, in this thread. */
static bool
find_turn(const struct call *call, struct change_context *context, const struct thread *thread, struct turn *ret)
{
	return change_turn_get(context, span_of(&call->other), ret) && !strcmp(ret->thread.s, thread->id.s);
}

static void
get_in(struct call *call, struct change_context *context, struct thread *thread, struct turn *turn, struct buf *answer)
{
	if (find_turn(call, context, thread, turn))
		form_turn_answer(answer, turn);
	else
		call->problem = PROBLEM_TURN_NOT_FOUND;
}

void
turns_get(struct call *call)
{
	call_store_in(call, get_in, call_done);
}

/* ---- POST /v1/agent/threads/:threadId/turns/:turnId/interrupt */

bool
turn_interrupt(struct change_context *context, struct thread *thread, struct turn *turn)
{
	struct buf payload = BUF_INIT;

	if (turn->status != THREAD_IN_PROGRESS)
		return false;
	turn->status = THREAD_INTERRUPTED;
	turn->completed_ms = change_now_ms(context);
	buf_addstr(&turn->error, "{\"message\":\"Interrupted by user\"}");
	if (!change_turn_end(context, turn))
		return false;
	approvals_give_up(context, turn);
	buf_addstr(&payload, "{\"status\":\"interrupted\"");
	jtext_add_buf(&payload, "turnId", &turn->id);
	add_lineage(&payload, turn, false, false);
	buf_addch(&payload, '}');
	turn_emit(context, turn, "turn.completed", &payload);
	emit_waiting(context, turn);
	buf_release(&payload);
	thread->status = THREAD_INTERRUPTED;
	thread->updated_ms = turn->completed_ms;
	change_thread_put(context, thread);
	return true;
}

static void
interrupt_in(struct call *call, struct change_context *context, struct thread *thread, struct turn *turn, struct buf *answer)
{
	if (!find_turn(call, context, thread, turn) || !turn_interrupt(context, thread, turn)) {
		call->problem = PROBLEM_INTERRUPT_CONFLICT;
		return;
	}
	buf_addstr(answer, "{\"turn\":");
	form_turn(answer, turn);
	buf_addch(answer, '}');
	form_turn_answer(&call->keys, turn);
}

static void
done_interrupt(struct change *change)
{
	struct call *call = change->payload;

	if (change->result == CHANGE_DONE)
		flight_interrupt(call->compass, &call->other, &call->keys);
	call_done(change);
}

void
turns_interrupt(struct call *call)
{
	call_store_in(call, interrupt_in, done_interrupt);
}
