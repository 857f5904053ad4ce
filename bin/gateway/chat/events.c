/* events.c - the events of an answer (Clarity contract section 8), member for member */
#include "compat.h"

#include <string.h>

#include "agents/agents.h"
#include "chat/internal.h"
#include "log/run.h"
#include "store/store.h"
#include "utf8.h"

#define SOURCE "runtime_hitl_executor"

const char *
job_mode(const struct job *job)
{
	static const char *const modes[] = { [CHAT_AUTO] = "auto", [CHAT_ECHO] = "echo", [CHAT_DISABLED] = "disabled" };
	const char *mode = job->handler && job->handler->chat_mode_set ? modes[job->handler->chat_mode] : chat_default_mode(job->chat);

	/* an operator's input is answered all the same */
	return job->hitl && !strcmp(mode, "disabled") ? "auto" : mode;
}

static const char *
tool_of(const struct job *job)
{
	return job->handler ? job->handler->handler_tool.s : "fn__receive_chat";
}

static const char *
agent_of(const struct job *job)
{
	if (job->agent.len)
		return job->agent.s;
	if (job->handler && job->handler->agent_id.len)
		return job->handler->agent_id.s;
	return job->handler && job->handler->name.len ? job->handler->name.s : "unknown"; /* as in the summary of such a run */
}

/* runId, serviceId?, agent */
static void
begin(const struct job *job, struct buf *data)
{
	buf_reserve(data, CHAT_DATA_USUAL + job->reply.len);
	buf_addch(data, '{');
	jtext_add_buf(data, "runId", &job->run);
	jtext_add_filled(data, "serviceId", &job->service);
	jtext_add_text(data, "agent", agent_of(job));
}

static void
emit(struct change_context *context, const struct job *job, const char *kind, enum level level, const char *message, struct buf *data)
{
	struct buf text = BUF_INIT, turn = BUF_INIT;

	buf_reserve(&text, strlen(message) + job->run.len + 3);
	buf_addstr(&text, message);
	buf_addstr(&text, " (");
	buf_add(&text, job->run.s, job->run.len);
	buf_addch(&text, ')');
	buf_addu64(&turn, (uint64_t)job->seq);
	buf_addch(data, '}');
	change_emit(context, SPAN_NONE, kind, level, span_of(&turn), span_of(&text), span_or_none(&job->service), span_of(data));
	buf_release(&text);
	buf_release(&turn);
	buf_reset(data);
}

static void
add_usage(const struct job *job, struct buf *data)
{
	if (job->usage.len)
		jtext_add_raw(data, "usage", job->usage.s, job->usage.len);
}

/* The code of a turn's failure, and when it may be tried again. */
static void
add_code(const struct job *job, struct buf *data)
{
	static const char *const names[] = { "code", "retryAt" };
	struct span error = { job->error.s, job->error.len }, value;
	size_t i;

	for (i = 0; error.n && i < ARRAY_LEN(names); i++)
		if (jtext_get(error, names[i], &value))
			jtext_add_raw(data, names[i], value.s, value.n);
}

static void
add_history(const struct job *job, struct buf *data)
{
	jtext_add_bool(data, "historyEnabled", !job->handler || job->handler->history_enabled);
	jtext_add_i64(data, "historyMessages", (int64_t)job->history.used);
}

void
events_disabled(struct change_context *context, const struct job *job)
{
	static const char reason[] = "runtime chat disabled by agent configuration";
	struct buf data = BUF_INIT;

	begin(job, &data);
	jtext_add_text(&data, "reason", reason);
	jtext_add_text(&data, "waitingReason", reason);
	jtext_add_text(&data, "source", SOURCE);
	emit(context, job, "agent.waiting", LEVEL_WARN, "Runtime chat disabled for agent", &data);
	buf_release(&data);
}

void
events_start(struct change_context *context, const struct job *job, bool echo, bool tool)
{
	const char *strategy = job->handler && job->handler->origin == ORIGIN_RUNTIME ? "runtime" : "agent_tool";
	struct buf data = BUF_INIT, message = BUF_INIT;

	begin(job, &data);
	jtext_add_buf(&data, "stepId", &job->step);
	jtext_add_text(&data, "mode", job_mode(job));
	jtext_add_text(&data, "strategy", echo ? "echo" : strategy);
	jtext_add_text(&data, "handlerTool", tool_of(job));
	jtext_add_text(&data, "source", SOURCE);
	jtext_add_i64(&data, "inputLength", (int64_t)utf8_utf16_len(job->text.s, job->text.len));
	add_history(job, &data);
	jtext_add_bool(&data, "historyTruncated", job->history.truncated);
	emit(context, job, "agent.step_started", LEVEL_INFO, "Runtime chat processing started", &data);
	if (tool) {
		begin(job, &data);
		jtext_add_buf(&data, "stepId", &job->step);
		jtext_add_text(&data, "tool", tool_of(job));
		jtext_add_buf(&data, "sessionId", &job->session);
		add_history(job, &data);
		/* this message names the tool, not the run */
		buf_addf(&message, "Runtime chat dispatched to agent tool (%s)", tool_of(job));
		buf_addch(&data, '}');
		change_emit(context, SPAN_NONE, "agent.tool_called", LEVEL_INFO, SPAN_NONE, span_of(&message), span_or_none(&job->service),
		    span_of(&data));
	}
	buf_release(&data);
	buf_release(&message);
}

static void
add_provider(const struct job *job, bool echo, struct buf *data)
{
	jtext_add_text(data, "provider", echo ? "echo" : "agent");
	if (echo)
		return;
	jtext_add_text(data, "handlerTool", tool_of(job));
	jtext_add_i64(data, "historyUsed", (int64_t)job->history.used);
}

void
events_tool_called(struct change_context *context, const struct job *job)
{
	struct buf text = BUF_INIT;

	if (!job->tool_called || !chat_records_services(job->chat))
		return;
	buf_addf(&text, "Remote tool called: %s", job->firing ? firing_tool(job->firing) : tool_of(job));
	change_emit(context, STREAM_NONE, "service.tool_called", LEVEL_INFO, SPAN_NONE, span_of(&text), span_of(&job->service), SPAN_NONE);
	buf_release(&text);
}

void
events_reply(struct change_context *context, const struct job *job, bool echo)
{
	static const char reason[] = "awaiting operator input";
	struct buf data = BUF_INIT;

	events_tool_called(context, job);
	begin(job, &data);
	jtext_add_text(&data, "role", "assistant");
	jtext_add_buf(&data, "message", &job->reply);
	add_provider(job, echo, &data);
	jtext_add_text(&data, "source", SOURCE);
	emit(context, job, "agent.chat.assistant_message", LEVEL_INFO, "Assistant message emitted", &data);

	begin(job, &data);
	jtext_add_buf(&data, "stepId", &job->step);
	add_provider(job, echo, &data);
	jtext_add_buf(&data, "message", &job->reply);
	add_usage(job, &data);
	emit(context, job, "agent.step_completed", LEVEL_INFO, "Runtime chat response ready", &data);

	begin(job, &data);
	jtext_add_text(&data, "reason", reason);
	jtext_add_text(&data, "waitingReason", reason);
	jtext_add_text(&data, "source", SOURCE);
	emit(context, job, "agent.waiting", LEVEL_INFO, "Awaiting next operator input", &data);
	buf_release(&data);
}

static void
step_failed(struct change_context *context, const struct job *job, const char *error)
{
	struct buf data = BUF_INIT;

	events_tool_called(context, job);
	begin(job, &data);
	jtext_add_buf(&data, "stepId", &job->step);
	jtext_add_text(&data, "error", error);
	add_code(job, &data);
	add_usage(job, &data);
	emit(context, job, "agent.step_completed", LEVEL_ERROR, "Runtime chat response failed", &data);
	buf_release(&data);
}

void
events_cancelled(struct change_context *context, const struct job *job, const struct run *run)
{
	struct buf data = BUF_INIT, reason = BUF_INIT;

	/* folding what is emitted here changes the run */
	buf_add(&reason, run->cancel_reason.s, run->cancel_reason.len);
	if (job->failed)
		step_failed(context, job, "the run was cancelled");
	else
		events_reply(context, job, false);
	begin(job, &data);
	jtext_add_filled(&data, "reason", &reason);
	jtext_add_text(&data, "source", "run_cancel");
	emit(context, job, "agent.run_cancelled", LEVEL_INFO, "Run cancelled", &data);
	buf_release(&data);
	buf_release(&reason);
}

void
events_failure(struct change_context *context, const struct job *job)
{
	struct buf data = BUF_INIT;

	step_failed(context, job, job->reply.s);
	begin(job, &data);
	jtext_add_buf(&data, "reason", &job->reply);
	jtext_add_buf(&data, "waitingReason", &job->reply);
	add_code(job, &data);
	jtext_add_text(&data, "source", SOURCE);
	emit(context, job, "agent.waiting", LEVEL_WARN, "Awaiting operator input after response error", &data);
	buf_release(&data);
}
