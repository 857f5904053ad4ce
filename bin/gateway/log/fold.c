/* fold.c - what an event makes of a run */
#include "compat.h"

#include <pthread.h>
#include <string.h>

#include "blank.h"
#include "log/run.h"
#include "num.h"
#include "store/store.h"
#include "xalloc.h"

/* The members of a trigger's context that may stand flat in the data (contract section 5). */
static const char *const trigger_fields[][5] = {
	{ "timer", "scheduleId", "scheduleExpr", "firedAt", NULL },
	{ "event", "eventType", "eventId", "correlationId", "producer" },
	{ "api", "route", "method", "requestId", "caller" },
	{ "a2a", "parentRunId", "fromAgentId", "handoffReason", NULL },
};

static void
set(struct buf *to, struct span text)
{
	buf_reset(to);
	buf_add(to, text.s, text.n);
}

/* The members of an event's data that a run's summary is made of, all found in one pass. */
enum member {
	M_AGENT,
	M_AGENT_NAME,
	M_CAUSATION,
	M_CAUSATION_,
	M_CORRELATION,
	M_CORRELATION_,
	M_PARENT,
	M_PARENT_,
	M_FROM_AGENT,
	M_FROM_AGENT_,
	M_FROM,
	M_SERVICE,
	M_SERVICE_,
	M_REASON,
	M_WAITING_REASON,
	M_ERROR,
	M_STEP,
	M_STEP_,
	M_TRIGGER,
	M_TRIGGER_TYPE,
	M_TRIGGER_TYPE_,
	M_SOURCE,
	M_USAGE,
	MEMBERS
};
static const struct span members[MEMBERS] = {
	[M_AGENT] = SPAN_INIT("agent"),
	[M_AGENT_NAME] = SPAN_INIT("agent_name"),
	[M_CAUSATION] = SPAN_INIT("causationId"),
	[M_CAUSATION_] = SPAN_INIT("causation_id"),
	[M_CORRELATION] = SPAN_INIT("correlationId"),
	[M_CORRELATION_] = SPAN_INIT("correlation_id"),
	[M_PARENT] = SPAN_INIT("parentRunId"),
	[M_PARENT_] = SPAN_INIT("parent_run_id"),
	[M_FROM_AGENT] = SPAN_INIT("fromAgentId"),
	[M_FROM_AGENT_] = SPAN_INIT("from_agent_id"),
	[M_FROM] = SPAN_INIT("from"),
	[M_SERVICE] = SPAN_INIT("serviceId"),
	[M_SERVICE_] = SPAN_INIT("service_id"),
	[M_REASON] = SPAN_INIT("reason"),
	[M_WAITING_REASON] = SPAN_INIT("waitingReason"),
	[M_ERROR] = SPAN_INIT("error"),
	[M_STEP] = SPAN_INIT("stepId"),
	[M_STEP_] = SPAN_INIT("step_id"),
	[M_TRIGGER] = SPAN_INIT("trigger"),
	[M_TRIGGER_TYPE] = SPAN_INIT("triggerType"),
	[M_TRIGGER_TYPE_] = SPAN_INIT("trigger_type"),
	[M_SOURCE] = SPAN_INIT("source"),
	[M_USAGE] = SPAN_INIT("usage"),
};

/* Most names in an event's data are none of these: a bit for each length of those with this first letter. */
static uint32_t lengths[32];
static pthread_once_t lengths_made = PTHREAD_ONCE_INIT;

static void
make_lengths(void)
{
	size_t i;

	for (i = 0; i < MEMBERS; i++)
		lengths[members[i].s[0] & 31] |= UINT32_C(1) << members[i].n;
}

/* name: with its quotes, and without escapes */
static bool
may_be_member(struct span name)
{
	return name.n > 2 && name.n < 34 && lengths[name.s[1] & 31] >> (name.n - 2) & 1;
}

/* Values as they stand in the data; of members that stand twice, the last. */
static void
find_members(struct span data, struct span found[MEMBERS])
{
	struct span name, value;
	size_t pos = 0, i;

	pthread_once(&lengths_made, make_lengths);
	memset(found, 0, MEMBERS * sizeof *found);
	if (!data.s || *data.s != '{')
		return;
	while (jtext_each(data, &pos, &name, &value)) {
		if (!memchr(name.s, '\\', name.n)) {
			for (i = may_be_member(name) ? 0 : MEMBERS; i < MEMBERS; i++)
				if (name.n == members[i].n + 2 && name.s[1] == members[i].s[0] &&
				    !memcmp(name.s + 1, members[i].s, members[i].n)) {
					found[i] = value;
					break;
				}
		} else
			for (i = 0; i < MEMBERS; i++)
				if (jtext_is_string(name, members[i].s))
					found[i] = value;
	}
}

/* The first of the members (MEMBERS ends them) that is a non-blank string, into `to`. False: none, and `to` is as it was. */
static bool
take(const struct span found[MEMBERS], struct buf *to, const enum member *which)
{
	struct buf text = BUF_INIT;
	bool taken = false;

	for (; !taken && *which != MEMBERS; which++) {
		struct span value = found[*which];

		if (!value.s || *value.s != '"')
			continue;
		if (!memchr(value.s, '\\', value.n)) {
			value = (struct span){ value.s + 1, value.n - 2 };
			taken = !blank_only(value.s, value.n, BLANK_JSON);
		} else {
			buf_reset(&text);
			taken = jtext_string(value, &text) && !blank_only(text.s, text.len, BLANK_JSON);
			value = span_of(&text);
		}
		if (taken)
			set(to, value);
	}
	buf_release(&text);
	return taken;
}

#define TAKE(found, to, ...) take(found, to, (const enum member[]){ __VA_ARGS__, MEMBERS })

static void
open_remove(struct run *run, int64_t seq)
{
	size_t i;

	for (i = 0; i < run->n_open; i++)
		if (run->open[i] == seq) {
			memmove(run->open + i, run->open + i + 1, (run->n_open - i - 1) * sizeof *run->open);
			run->n_open--;
			break;
		}
	if (run->started_open == seq)
		run->started_open = 0;
}

static void
fold_inbox(struct run *run, const struct entry *event, bool started, bool waiting)
{
	int64_t seq;

	if (!event->turn.n)
		return;
	if ((event->turn.n >= 4 && !memcmp(event->turn.s, "open", 4)) || (event->turn.n == 5 && !memcmp(event->turn.s, "timer", 5))) {
		if (event->turn.s[0] == 't')
			run->timer_open = event->seq;
		if (run->n_open < RUN_OPEN_MAX) {
			run->open = xgrow(run->open, run->n_open, sizeof *run->open);
			run->open[run->n_open++] = event->seq;
		}
	} else if (num_i64(event->turn.s, event->turn.n, &seq)) {
		if (started)
			run->started_open = seq;
		else if (waiting)
			open_remove(run, seq);
	}
}

static void
fold_trigger(struct run *run, struct span data, const struct span found[MEMBERS])
{
	struct buf name = BUF_INIT, context = BUF_INIT;
	struct span given, value;
	size_t i, k;

	if (!TAKE(found, &name, M_TRIGGER, M_TRIGGER_TYPE, M_TRIGGER_TYPE_, M_SOURCE))
		buf_addstr(&name, "unknown");
	for (i = 0; i < name.len; i++)
		if (name.s[i] >= 'A' && name.s[i] <= 'Z')
			name.s[i] = (char)(name.s[i] + 'a' - 'A');
	for (i = 0; i < ARRAY_LEN(trigger_fields); i++)
		if (!strcmp(name.s, trigger_fields[i][0]))
			break;
	set(&run->trigger, i < ARRAY_LEN(trigger_fields) ? span_of(&name) : (struct span){ "unknown", 7 });
	if ((!jtext_get(data, "triggerContext", &given) && !jtext_get(data, "trigger_context", &given)) ||
	    jtext_type(given) != JTEXT_OBJECT)
		given = (struct span){ "{}", 2 };
	jtext_compact(&context, given);
	for (k = 1; i < ARRAY_LEN(trigger_fields) && k < 5 && trigger_fields[i][k]; k++) {
		struct span there;

		if (jtext_get(given, trigger_fields[i][k], &there) || !jtext_get(data, trigger_fields[i][k], &value))
			continue;
		buf_cut(&context, context.len - 1);
		if (context.len > 1)
			buf_addch(&context, ',');
		buf_addf(&context, "\"%s\":", trigger_fields[i][k]);
		jtext_compact(&context, value);
		buf_addch(&context, '}');
	}
	buf_reset(&run->trigger_context);
	if (context.len > 2)
		buf_add(&run->trigger_context, context.s, context.len);
	buf_release(&name);
	buf_release(&context);
}

/* Is this step id new to the run? Remembers it. */
static bool
new_step(struct run *run, const struct buf *id)
{
	size_t at = 0;

	if (blank_only(id->s, id->len, BLANK_JSON) || memchr(id->s, '\0', id->len))
		return true;
	while (at < run->step_ids.len) {
		size_t n = strlen(run->step_ids.s + at);

		if (n == id->len && !memcmp(run->step_ids.s + at, id->s, n))
			return false;
		at += n + 1;
	}
	/* ids that the gateway makes are new each time and need no memory */
	if (run->n_step_ids < RUN_STEPS_MAX && strncmp(id->s, "runtime_chat_", 13) != 0 && strncmp(id->s, "timer_step_", 11) != 0) {
		buf_add(&run->step_ids, id->s, id->len + 1);
		run->n_step_ids++;
	}
	return true;
}

static void
finish(struct run *run, enum run_status status, int64_t at)
{
	run->status = status;
	run->completed_ms = at;
	buf_reset(&run->current_step);
	buf_reset(&run->waiting_reason);
	run->n_open = 0;
	run->started_open = 0;
	run->cancel_asked = 0;
	buf_reset(&run->cancel_reason);
	run->timer_open = 0;
}

static bool
is_kind(const struct entry *event, const char *kind)
{
	return event->kind.n == strlen(kind) && !memcmp(event->kind.s, kind, event->kind.n);
}

/* Only the message that is being answered stays in the inbox: its end will be the run's. */
static void
fold_cancel(struct run *run, const struct entry *event, const struct span found[MEMBERS])
{
	size_t i, n = 0;

	run->cancel_asked = event->seq;
	if (!TAKE(found, &run->cancel_reason, M_REASON))
		buf_reset(&run->cancel_reason);
	for (i = 0; i < run->n_open; i++)
		if (run->open[i] == run->started_open)
			run->open[n++] = run->open[i];
	run->n_open = n;
}

/* Only what the gateway has counted itself: an event that was posted has no turn. */
static void
fold_usage(struct run *run, const struct entry *event, const struct span found[MEMBERS])
{
	struct usage usage;

	if (!event->turn.n || !found[M_USAGE].s || !usage_read(found[M_USAGE], &usage))
		return;
	usage_sum(&run->usage, &usage);
	run->counted++;
}

static void
fold_kind(struct run *run, const struct entry *event, const struct span found[MEMBERS])
{
	struct buf step = BUF_INIT;
	bool over = run_terminal(run);

	if (is_kind(event, "agent.run_created")) {
		if (!over) {
			fold_trigger(run, event->data, found);
			run->status = RUN_QUEUED;
			fold_inbox(run, event, false, false);
		}
	} else if (is_kind(event, "agent.run_started")) {
		if (!over) {
			run->status = RUN_RUNNING;
			if (!run->started_ms)
				run->started_ms = event->at_ms;
			buf_reset(&run->waiting_reason);
			buf_reset(&run->failure_reason);
		}
	} else if (is_kind(event, "agent.waiting")) {
		if (!over) {
			run->status = RUN_WAITING;
			if (!TAKE(found, &run->waiting_reason, M_REASON, M_WAITING_REASON))
				buf_reset(&run->waiting_reason);
			fold_inbox(run, event, false, true);
		}
	} else if (is_kind(event, "agent.step_started")) {
		TAKE(found, &step, M_STEP, M_STEP_);
		if (new_step(run, &step))
			run->steps++;
		set(&run->current_step, span_of(&step));
		if (!over) {
			if (run->status == RUN_WAITING)
				run->status = RUN_RUNNING;
			buf_reset(&run->waiting_reason);
			fold_inbox(run, event, true, false);
		}
	} else if (is_kind(event, "agent.step_completed")) {
		TAKE(found, &step, M_STEP, M_STEP_);
		if (step.len == run->current_step.len && !memcmp(step.s, run->current_step.s, step.len))
			buf_reset(&run->current_step);
		fold_usage(run, event, found);
	} else if (is_kind(event, "agent.handoff")) {
		run->handoffs++;
		if (!strcmp(run->trigger.s, "unknown"))
			set(&run->trigger, (struct span){ "a2a", 3 });
	} else if (is_kind(event, "agent.tool_called"))
		run->tool_calls++;
	else if (is_kind(event, "agent.llm_called"))
		run->llm_calls++;
	else if (is_kind(event, "agent.run_completed")) {
		if (!over)
			finish(run, RUN_COMPLETED, event->at_ms);
	} else if (is_kind(event, "agent.run_failed")) {
		if (!over) {
			finish(run, RUN_FAILED, event->at_ms);
			if (!TAKE(found, &run->failure_reason, M_ERROR, M_REASON))
				set(&run->failure_reason, event->message);
		}
	} else if (is_kind(event, "agent.run_cancelled")) {
		if (!over)
			finish(run, RUN_CANCELLED, event->at_ms);
	} else if (is_kind(event, "agent.cancel_requested") && event->turn.n) {
		if (!over)
			fold_cancel(run, event, found);
	} else if (!over)
		fold_inbox(run, event, false, false);
	buf_release(&step);
}

bool
run_is_said(struct span kind)
{
	static const char chat[] = "agent.chat.";

	return kind.n >= sizeof chat - 1 && !memcmp(kind.s, chat, sizeof chat - 1);
}

void
run_fold(struct run *run, const struct entry *event)
{
	struct span found[MEMBERS];

	if (event->kind.n < 6 || memcmp(event->kind.s, "agent.", 6))
		return;
	find_members(event->data, found);
	TAKE(found, &run->agent, M_AGENT, M_AGENT_NAME);
	TAKE(found, &run->causation, M_CAUSATION, M_CAUSATION_);
	TAKE(found, &run->correlation, M_CORRELATION, M_CORRELATION_);
	TAKE(found, &run->parent, M_PARENT, M_PARENT_);
	TAKE(found, &run->from_agent, M_FROM_AGENT, M_FROM_AGENT_, M_FROM);
	if (event->service.n)
		set(&run->service, event->service);
	else
		TAKE(found, &run->service, M_SERVICE, M_SERVICE_);
	run->updated_ms = event->at_ms;
	run->events++;
	if (run_is_said(event->kind))
		run->said = event->seq;
	set(&run->last_kind, event->kind);
	set(&run->last_message, event->message);
	fold_kind(run, event, found);
}
