/* run.c - a run in memory, as the contract shows it, and as a document */
#include "compat.h"

#include <stdlib.h>

#include "log/run.h"
#include "xalloc.h"

static const char *const status_texts[] = {
	[RUN_QUEUED] = "queued",
	[RUN_RUNNING] = "running",
	[RUN_WAITING] = "waiting",
	[RUN_COMPLETED] = "completed",
	[RUN_FAILED] = "failed",
	[RUN_CANCELLED] = "cancelled",
};
_Static_assert(ARRAY_LEN(status_texts) == RUN_STATUS_COUNT, "a text for each status");

static struct buf *const *
texts_of(struct run *run, struct buf *list[17])
{
	size_t n = 0;

	list[n++] = &run->id;
	list[n++] = &run->agent;
	list[n++] = &run->service;
	list[n++] = &run->trigger;
	list[n++] = &run->trigger_context;
	list[n++] = &run->causation;
	list[n++] = &run->correlation;
	list[n++] = &run->parent;
	list[n++] = &run->from_agent;
	list[n++] = &run->waiting_reason;
	list[n++] = &run->failure_reason;
	list[n++] = &run->current_step;
	list[n++] = &run->last_kind;
	list[n++] = &run->last_message;
	list[n++] = &run->step_ids;
	list[n++] = &run->cancel_reason;
	list[n] = NULL;
	return list;
}

struct run *
run_new(struct span id)
{
	struct run *run = xcalloc(1, sizeof *run);
	struct buf *list[17], *const *text;

	for (text = texts_of(run, list); *text; text++)
		buf_init(*text);
	buf_add(&run->id, id.s, id.n);
	buf_addstr(&run->agent, "unknown");
	buf_addstr(&run->trigger, "unknown");
	return run;
}

void
run_free(struct run *run)
{
	struct buf *list[17], *const *text;

	if (!run)
		return;
	for (text = texts_of(run, list); *text; text++)
		buf_release(*text);
	free(run->open);
	free(run);
}

bool
run_terminal(const struct run *run)
{
	return run->status >= RUN_COMPLETED;
}

const char *
run_status_text(enum run_status status)
{
	return status_texts[status];
}

/* ---- to the contract's summary, to a stored document and back */

static void
add_time(struct buf *to, const char *key, int64_t ms)
{
	if (ms)
		jtext_add_time(to, key, ms);
}

void
run_summary(const struct run *run, struct buf *to)
{
	buf_addch(to, '{');
	jtext_add_buf(to, "runId", &run->id);
	jtext_add_buf(to, "agent", &run->agent);
	jtext_add_filled(to, "serviceId", &run->service);
	jtext_add_buf(to, "trigger", &run->trigger);
	if (run->trigger_context.len)
		jtext_add_raw(to, "triggerContext", run->trigger_context.s, run->trigger_context.len);
	jtext_add_filled(to, "causationId", &run->causation);
	jtext_add_filled(to, "correlationId", &run->correlation);
	jtext_add_filled(to, "parentRunId", &run->parent);
	jtext_add_filled(to, "fromAgentId", &run->from_agent);
	jtext_add_text(to, "status", status_texts[run->status]);
	add_time(to, "startedAt", run->started_ms);
	add_time(to, "updatedAt", run->updated_ms);
	add_time(to, "completedAt", run->completed_ms);
	jtext_add_filled(to, "waitingReason", &run->waiting_reason);
	jtext_add_filled(to, "failureReason", &run->failure_reason);
	jtext_add_i64(to, "stepCount", run->steps);
	jtext_add_i64(to, "handoffCount", run->handoffs);
	jtext_add_i64(to, "toolCallCount", run->tool_calls);
	jtext_add_i64(to, "llmCallCount", run->llm_calls);
	jtext_add_i64(to, "eventCount", run->events);
	jtext_add_filled(to, "currentStepId", &run->current_step);
	jtext_add_buf(to, "lastEventKind", &run->last_kind);
	jtext_add_buf(to, "lastEventMessage", &run->last_message);
	if (run->counted) {
		buf_addstr(to, ",\"usage\":");
		usage_add(to, &run->usage);
	}
	buf_addch(to, '}');
}

/* The document is the numbers and texts of struct run under short names; absent means empty. One table for both ways. */
struct text_field {
	const char *key;
	size_t at;
};
struct number_field {
	const char *key;
	size_t at;
};

static const struct text_field text_fields[] = {
	{ "agent", offsetof(struct run, agent) },
	{ "service", offsetof(struct run, service) },
	{ "trigger", offsetof(struct run, trigger) },
	{ "context", offsetof(struct run, trigger_context) },
	{ "causation", offsetof(struct run, causation) },
	{ "correlation", offsetof(struct run, correlation) },
	{ "parent", offsetof(struct run, parent) },
	{ "from", offsetof(struct run, from_agent) },
	{ "waiting", offsetof(struct run, waiting_reason) },
	{ "failure", offsetof(struct run, failure_reason) },
	{ "step", offsetof(struct run, current_step) },
	{ "kind", offsetof(struct run, last_kind) },
	{ "message", offsetof(struct run, last_message) },
	{ "stepIds", offsetof(struct run, step_ids) },
	{ "cancelReason", offsetof(struct run, cancel_reason) },
};

static const struct number_field number_fields[] = {
	{ "started", offsetof(struct run, started_ms) },
	{ "updated", offsetof(struct run, updated_ms) },
	{ "completed", offsetof(struct run, completed_ms) },
	{ "steps", offsetof(struct run, steps) },
	{ "handoffs", offsetof(struct run, handoffs) },
	{ "tools", offsetof(struct run, tool_calls) },
	{ "llms", offsetof(struct run, llm_calls) },
	{ "events", offsetof(struct run, events) },
	{ "counted", offsetof(struct run, counted) },
	{ "inputTokens", offsetof(struct run, usage.input) },
	{ "cachedTokens", offsetof(struct run, usage.cached) },
	{ "outputTokens", offsetof(struct run, usage.output) },
	{ "reasoningTokens", offsetof(struct run, usage.reasoning) },
	{ "begun", offsetof(struct run, started_open) },
	{ "cancelAsked", offsetof(struct run, cancel_asked) },
	{ "timerOpen", offsetof(struct run, timer_open) },
};

void
run_save(const struct run *run, struct buf *doc)
{
	size_t i;

	buf_addch(doc, '{');
	jtext_add_i64(doc, "status", run->status);
	for (i = 0; i < ARRAY_LEN(number_fields); i++) {
		const int64_t *n = (const int64_t *)(const void *)((const char *)run + number_fields[i].at);

		if (*n)
			jtext_add_i64(doc, number_fields[i].key, *n);
	}
	for (i = 0; i < ARRAY_LEN(text_fields); i++)
		jtext_add_filled(doc, text_fields[i].key, (const struct buf *)(const void *)((const char *)run + text_fields[i].at));
	if (run->n_open) {
		buf_addstr(doc, ",\"open\":[");
		for (i = 0; i < run->n_open; i++) {
			if (i)
				buf_addch(doc, ',');
			buf_addu64(doc, (uint64_t)run->open[i]);
		}
		buf_addch(doc, ']');
	}
	buf_addch(doc, '}');
}

static bool
load_open(struct run *run, struct span open)
{
	struct span value;
	size_t pos = 0;

	if (jtext_type(open) != JTEXT_ARRAY)
		return false;
	while (jtext_each(open, &pos, NULL, &value)) {
		int64_t seq;

		if (run->n_open == RUN_OPEN_MAX || !jtext_i64(value, &seq))
			return false;
		run->open = xgrow(run->open, run->n_open, sizeof *run->open);
		run->open[run->n_open++] = seq;
	}
	return true;
}

static size_t
count_ids(const struct buf *ids)
{
	size_t i, n = 0;

	for (i = 0; i < ids->len; i++)
		n += !ids->s[i];
	return n;
}

struct run *
run_load(struct span id, struct span doc)
{
	struct span checked, value;
	struct run *run;
	int64_t status;
	size_t i;
	bool ok;

	if (!jtext_check(doc.s, doc.n, true, &checked, NULL) || !jtext_get_i64(checked, "status", &status) || status < 0 ||
	    status >= RUN_STATUS_COUNT)
		return NULL;
	run = run_new(id);
	run->status = (enum run_status)status;
	for (i = 0; i < ARRAY_LEN(number_fields); i++)
		(void)jtext_get_i64(checked, number_fields[i].key, (int64_t *)(void *)((char *)run + number_fields[i].at));
	for (i = 0; i < ARRAY_LEN(text_fields); i++) {
		struct buf *text = (struct buf *)(void *)((char *)run + text_fields[i].at);

		buf_reset(text);
		(void)jtext_get_string(checked, text_fields[i].key, text);
	}
	ok = !jtext_get(checked, "open", &value) || load_open(run, value);
	/* the context is shown as JSON: it must be some */
	ok = ok && (!run->trigger_context.len || jtext_check(run->trigger_context.s, run->trigger_context.len, true, &value, NULL));
	run->n_step_ids = count_ids(&run->step_ids);
	if (ok)
		return run;
	run_free(run);
	return NULL;
}
