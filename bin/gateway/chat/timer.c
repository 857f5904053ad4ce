/* timer.c - runs of timers: one for each firing of a schedule (Clarity contract section 10) */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "agents/agents.h"
#include "chat/internal.h"
#include "clock.h"
#include "err.h"
#include "log/log.h"
#include "status.h"
#include "xalloc.h"

struct firing {
	struct chat *chat;
	const struct agent *agent;
	struct buf run, schedule, expr, at, tool, step, doc_key, doc;
	int64_t fired_ms, missed;
	int64_t seq;	 /* of run_created */
	int64_t next_ms; /* 0, or another gateway was first, and it is due again then */
	const struct chat_firing_events *events;
	void *payload;
};

void
firing_free(struct firing *firing)
{
	if (!firing)
		return;
	agent_unref(firing->agent);
	buf_release(&firing->run);
	buf_release(&firing->schedule);
	buf_release(&firing->expr);
	buf_release(&firing->at);
	buf_release(&firing->tool);
	buf_release(&firing->step);
	buf_release(&firing->doc_key);
	buf_release(&firing->doc);
	free(firing);
}

void
firing_ended(struct firing *firing)
{
	if (firing)
		firing->events->ended(firing->payload);
}

const char *
firing_tool(const struct firing *firing)
{
	return firing->tool.s;
}

/* ---- the events */

static void
add_fired(struct buf *to, const struct firing *firing)
{
	jtext_add_buf(to, "scheduleId", &firing->schedule);
	jtext_add_buf(to, "scheduleExpr", &firing->expr);
	jtext_add_buf(to, "firedAt", &firing->at);
	if (firing->missed)
		jtext_add_i64(to, "missed", firing->missed);
}

static void
add_trigger(struct buf *to, const struct firing *firing)
{
	jtext_add_text(to, "trigger", "timer");
	buf_addstr(to, ",\"triggerContext\":{");
	add_fired(to, firing);
	buf_addch(to, '}');
}

static void
begin(struct buf *to, const struct firing *firing)
{
	buf_addch(to, '{');
	jtext_add_buf(to, "runId", &firing->run);
	jtext_add_buf(to, "run_id", &firing->run);
	jtext_add_buf(to, "serviceId", &firing->agent->service);
	jtext_add_buf(to, "service_id", &firing->agent->service);
	jtext_add_buf(to, "agent", &firing->agent->agent_id);
}

static void
add_step(struct buf *to, const struct firing *firing)
{
	jtext_add_buf(to, "stepId", &firing->step);
	jtext_add_buf(to, "step_id", &firing->step);
}

static int64_t
emit(struct change_context *context, const struct firing *firing, const char *kind, enum level level, const char *turn, const char *message,
    const struct buf *subject, struct buf *data)
{
	struct buf text = BUF_INIT;
	int64_t seq;

	buf_addf(&text, "%s: %s", message, subject->s);
	buf_addch(data, '}');
	seq = change_emit(context, SPAN_NONE, kind, level, turn ? (struct span){ turn, strlen(turn) } : SPAN_NONE, span_of(&text),
	    span_of(&firing->agent->service), span_of(data));
	buf_release(&text);
	buf_reset(data);
	return seq;
}

static void
emit_step_started(struct change_context *context, const struct firing *firing)
{
	struct buf data = BUF_INIT, turn = BUF_INIT;

	begin(&data, firing);
	add_step(&data, firing);
	add_trigger(&data, firing);
	jtext_add_buf(&data, "handlerTool", &firing->tool);
	buf_addu64(&turn, (uint64_t)firing->seq);
	(void)emit(context, firing, "agent.step_started", LEVEL_INFO, turn.s, "Timer step started", &firing->tool, &data);
	buf_release(&data);
	buf_release(&turn);
}

/* Several gateways look at the same schedules; the document says when it is due, and who is first moves that on. True: it is not due. */
static bool
is_fired(struct change_context *context, const struct firing *firing, int64_t *ret_next)
{
	struct buf doc = BUF_INIT, expr = BUF_INIT;
	struct span value;
	bool fired = change_gateway(context) && change_get(context, span_of(&firing->doc_key), &doc) &&
	    jtext_check(doc.s, doc.len, false, &value, NULL) && jtext_get_string(value, "expr", &expr) && !strcmp(expr.s, firing->expr.s) &&
	    jtext_get_i64(value, "next", ret_next) && *ret_next > firing->fired_ms;

	buf_release(&doc);
	buf_release(&expr);
	return fired;
}

static bool
apply_fire(struct change *change, const void *row, struct change_context *context)
{
	struct firing *firing = change->payload;
	struct buf data = BUF_INIT;

	(void)row;
	firing->next_ms = 0;
	if (is_fired(context, firing, &firing->next_ms))
		return err_set(&change->err, STATUS_CONFLICT, "another gateway has fired it");
	begin(&data, firing);
	add_trigger(&data, firing);
	add_fired(&data, firing);
	firing->seq = emit(context, firing, "agent.run_created", LEVEL_INFO, firing->tool.len ? "timer" : NULL, "Timer schedule fired",
	    &firing->schedule, &data);
	begin(&data, firing);
	add_trigger(&data, firing);
	(void)emit(context, firing, "agent.run_started", LEVEL_INFO, NULL, "Timer run started", &firing->run, &data);
	if (firing->tool.len)
		emit_step_started(context, firing);
	else {
		begin(&data, firing);
		add_trigger(&data, firing);
		(void)emit(
		    context, firing, "agent.run_completed", LEVEL_INFO, NULL, "Timer run completed (no handler)", &firing->run, &data);
	}
	change_own(context);
	change_put(context, span_of(&firing->doc_key), span_of(&firing->doc));
	buf_release(&data);
	return true;
}

static void
end_step(struct change_context *context, const struct job *job, const char *error)
{
	const struct firing *firing = job->firing;
	const struct buf *reply = &job->reply;
	struct buf data = BUF_INIT, turn = BUF_INIT;

	begin(&data, firing);
	add_step(&data, firing);
	jtext_add_buf(&data, "handlerTool", &firing->tool);
	if (error)
		jtext_add_text(&data, "error", error);
	else
		jtext_add_filled(&data, "message", reply);
	if (job->usage.len) {
		jtext_add_raw(&data, "usage", job->usage.s, job->usage.len);
		buf_addu64(&turn, (uint64_t)firing->seq);
	}
	(void)emit(context, firing, "agent.step_completed", error ? LEVEL_ERROR : LEVEL_INFO, turn.len ? turn.s : NULL,
	    error ? "Timer step failed" : "Timer step completed", &firing->tool, &data);
	buf_release(&data);
	buf_release(&turn);
}

void
events_firing(struct change_context *context, const struct job *job)
{
	const struct firing *firing = job->firing;
	struct buf data = BUF_INIT;

	events_tool_called(context, job);
	end_step(context, job, job->failed ? job->reply.s : NULL);
	begin(&data, firing);
	add_trigger(&data, firing);
	if (job->failed)
		jtext_add_buf(&data, "error", &job->reply);
	(void)emit(context, firing, job->failed ? "agent.run_failed" : "agent.run_completed", job->failed ? LEVEL_ERROR : LEVEL_INFO, NULL,
	    job->failed ? "Timer run failed" : "Timer run completed", &firing->run, &data);
	buf_release(&data);
}

void
events_firing_cancelled(struct change_context *context, const struct job *job, const struct run *run)
{
	const struct firing *firing = job->firing;
	struct buf data = BUF_INIT, reason = BUF_INIT;

	buf_add(&reason, run->cancel_reason.s, run->cancel_reason.len);
	events_tool_called(context, job);
	end_step(context, job, job->failed ? "the run was cancelled" : NULL);
	begin(&data, firing);
	jtext_add_filled(&data, "reason", &reason);
	jtext_add_text(&data, "source", "run_cancel");
	(void)emit(context, firing, "agent.run_cancelled", LEVEL_INFO, NULL, "Timer run cancelled", &firing->run, &data);
	buf_release(&data);
	buf_release(&reason);
}

/* Its handler was at work when the gateway ended: all that is known of it is its run. */
void
events_firing_interrupted(struct change_context *context, const struct job *job, const struct run *run)
{
	struct buf data = BUF_INIT, message = BUF_INIT, reason = BUF_INIT;
	bool cancelled = run->cancel_asked != 0;
	int i;

	buf_add(&reason, run->cancel_reason.s, run->cancel_reason.len);
	for (i = 0; i < 2; i++) {
		const char *kind = i == 0 ? "agent.step_completed" : cancelled ? "agent.run_cancelled" : "agent.run_failed";
		bool error = i == 0 || !cancelled;

		buf_reset(&data);
		buf_reset(&message);
		buf_addch(&data, '{');
		jtext_add_buf(&data, "runId", &job->run);
		jtext_add_buf(&data, "serviceId", &job->service);
		jtext_add_buf(&data, "agent", &job->agent);
		if (i == 0)
			jtext_add_buf(&data, "stepId", &job->step);
		if (error)
			jtext_add_buf(&data, "error", &job->reply);
		else
			jtext_add_filled(&data, "reason", &reason);
		buf_addch(&data, '}');
		buf_addf(&message, "%s: %s",
		    i == 0	    ? "Timer step failed"
			: cancelled ? "Timer run cancelled"
				    : "Timer run failed",
		    job->run.s);
		(void)change_emit(context, SPAN_NONE, kind, error ? LEVEL_ERROR : LEVEL_INFO, SPAN_NONE, span_of(&message),
		    span_or_none(&job->service), span_of(&data));
	}
	buf_release(&data);
	buf_release(&message);
	buf_release(&reason);
}

/* ---- the handler */

void
firing_arguments(const struct job *job, struct buf *to)
{
	const struct firing *firing = job->firing;

	buf_addch(to, '{');
	jtext_add_buf(to, "runId", &firing->run);
	jtext_add_buf(to, "agent", &firing->agent->agent_id);
	add_trigger(to, firing);
	add_fired(to, firing);
	buf_addstr(to, "}\n");
}

void
firing_text(const struct job *job, struct buf *to)
{
	const struct firing *firing = job->firing;
	const struct agent *agent = firing->agent;
	size_t i;

	for (i = 0; i < agent->n_schedules; i++)
		if (!strcmp(agent->schedules[i].id.s, firing->schedule.s) && agent->schedules[i].message.len) {
			buf_add(to, agent->schedules[i].message.s, agent->schedules[i].message.len);
			return;
		}
	buf_addf(to, "The timer '%s' (%s) fired at %s.", firing->schedule.s, firing->expr.s, firing->at.s);
}

/* A timer's handler need not say anything; what it says may be a text or an error. */
void
firing_answer(struct job *job, const struct buf *output)
{
	size_t n = output->len;
	const char *end = n ? memchr(output->s, '\n', n) : NULL;
	struct err err = ERR_INIT;
	struct span answer, value;

	job->failed = false;
	if (end)
		n = (size_t)(end - output->s);
	if (!output->s[strspn(output->s, " \t\r\n")])
		return;
	if (!jtext_check(output->s, n, true, &answer, &err)) {
		buf_addf(&job->reply, "the agent's answer is %s", err.text);
		job->failed = true;
		return;
	}
	if (jtext_get(answer, "error", &value) && jtext_type(value) != JTEXT_NULL) {
		if (!jtext_string(value, &job->reply) || !job->reply.len)
			buf_addstr(&job->reply, "the agent says that it failed");
		job->failed = true;
	} else {
		if (!arguments_text(answer, &job->reply))
			buf_reset(&job->reply);
		job->failed = jtext_get(answer, "isError", &value) && jtext_type(value) == JTEXT_TRUE;
		if (job->failed && !job->reply.len)
			buf_addstr(&job->reply, "the agent says that it failed");
	}
}

/* ---- firing */

static void
after_fire(struct change *change)
{
	struct firing *firing = change->payload;
	bool ok = change->result == CHANGE_DONE, refused = change->result == CHANGE_REFUSED;
	struct job *job;

	change_free(change);
	firing->events->fired(ok, refused ? firing->next_ms : 0, firing->payload);
	if (!ok || !firing->tool.len) {
		if (ok)
			firing_ended(firing);
		firing_free(firing);
		return;
	}
	job = job_new(firing->chat, &firing->run, firing->seq);
	job->firing = firing;
	job->handler = agent_ref(firing->agent);
	buf_add(&job->service, firing->agent->service.s, firing->agent->service.len);
	buf_add(&job->agent, firing->agent->agent_id.s, firing->agent->agent_id.len);
	buf_add(&job->session, firing->run.s, firing->run.len);
	buf_add(&job->step, firing->step.s, firing->step.len);
	chat_enqueue(job);
}

static void
copy(struct buf *to, struct span from)
{
	buf_init(to);
	buf_add(to, from.s, from.n);
}

void
chat_fire(struct chat *chat, const struct chat_firing *request, const struct chat_firing_events *events, void *payload)
{
	struct firing *firing = xcalloc(1, sizeof *firing);
	struct change *change = change_new(after_fire, firing);

	firing->chat = chat;
	firing->agent = agent_ref(request->agent);
	firing->fired_ms = request->fired_ms;
	firing->missed = request->missed;
	firing->events = events;
	firing->payload = payload;
	copy(&firing->schedule, request->schedule);
	copy(&firing->expr, request->expr);
	copy(&firing->doc_key, request->doc_key);
	copy(&firing->doc, request->doc);
	buf_init(&firing->at);
	clock_add_iso(&firing->at, request->fired_ms);
	buf_init(&firing->tool);
	buf_addstr(&firing->tool, request->tool ? request->tool : "");
	buf_init(&firing->step);
	chat_make_step("timer_step", &firing->step);
	buf_init(&firing->run);
	buf_addf(&firing->run, "timer_%s_%s_%lld", firing->agent->service.s, firing->schedule.s, (long long)request->fired_ms);
	buf_add(&change->stream, firing->run.s, firing->run.len);
	change->apply = apply_fire;
	log_change(chat_log(chat), change);
}
