/* events.c - one posted event: its rules, in the contract's order (section 6.2) */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "agents/agents.h"
#include "blank.h"
#include "chat/chat.h"
#include "clarity/internal.h"
#include "err.h"
#include "http/server.h"
#include "key.h"
#include "log/log.h"
#include "xalloc.h"

static const struct trigger_rule {
	const char *name;
	unsigned bit;
	const char *fields[5];
	const char *snake[5];
} trigger_rules[] = {
	{ "timer", TRIGGER_TIMER, { "scheduleId", "scheduleExpr", "firedAt" }, { "schedule_id", "schedule_expr", "fired_at" } },
	{ "event", TRIGGER_EVENT, { "eventType", "eventId", "correlationId", "producer" },
	    { "event_type", "event_id", "correlation_id", "producer" } },
	{ "api", TRIGGER_API, { "route", "method", "requestId", "caller" }, { "route", "method", "request_id", "caller" } },
	{ "a2a", TRIGGER_A2A, { "parentRunId", "fromAgentId", "handoffReason" }, { "parent_run_id", "from_agent_id", "handoff_reason" } },
};

/* Kinds that need a run. agent.run_created is one of them here: without its id nobody could ever find the run. */
static const char *const run_kinds[] = {
	"agent.run_created",
	"agent.run_started",
	"agent.run_completed",
	"agent.run_failed",
	"agent.run_cancelled",
	"agent.waiting",
	"agent.handoff",
	"agent.tool_called",
	"agent.llm_called",
	"agent.hitl_input",
	"agent.chat.user_message",
	"agent.chat.assistant_message",
	"agent.chat.system_message",
	"agent.step_started",
	"agent.step_completed",
};

struct posted {
	struct asked *asked;
	struct buf kind, message, service, data, stream;
	enum level level;
	bool has_service;
};

/* The member under the first name that is there at all; false when it is no non-blank string. */
static bool
get_text(struct span object, const char *name, const char *other, struct buf *to)
{
	struct span value;

	buf_reset(to);
	if (!object.s || (!jtext_get(object, name, &value) && !jtext_get(object, other, &value)))
		return false;
	return jtext_string(value, to) && !blank_only(to->s, to->len, BLANK_ASCII);
}

static bool
is_run_kind(const char *kind)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(run_kinds); i++)
		if (!strcmp(kind, run_kinds[i]))
			return true;
	return false;
}

/* ---- run_created: what started it */

static bool
named_trigger(struct span data, struct buf *to)
{
	return get_text(data, "trigger", "trigger", to) || get_text(data, "triggerType", "trigger_type", to) ||
	    get_text(data, "source", "source", to);
}

static const struct trigger_rule *
find_rule(struct buf *name)
{
	size_t i;

	blank_trim_buf(name, BLANK_ASCII);
	for (i = 0; i < name->len; i++)
		if (name->s[i] >= 'A' && name->s[i] <= 'Z')
			name->s[i] = (char)(name->s[i] + 'a' - 'A');
	for (i = 0; i < ARRAY_LEN(trigger_rules); i++)
		if (!strcmp(trigger_rules[i].name, name->s))
			return &trigger_rules[i];
	return NULL;
}

static void
add_missing(const struct trigger_rule *rule, struct span data, struct buf *missing)
{
	struct span context = SPAN_NONE;
	struct buf text = BUF_INIT;
	size_t i;

	if (!jtext_get(data, "triggerContext", &context))
		(void)jtext_get(data, "trigger_context", &context);
	for (i = 0; rule->fields[i]; i++) {
		if (get_text(context, rule->fields[i], rule->snake[i], &text) || get_text(data, rule->fields[i], rule->snake[i], &text))
			continue;
		buf_addf(missing, "%s%s", missing->len ? ", " : "", rule->fields[i]);
	}
	buf_release(&text);
}

/* Step 2: the trigger, when one is named. False: answered. */
static bool
check_trigger(struct request *request, struct span data)
{
	struct buf name = BUF_INIT, missing = BUF_INIT;
	const struct trigger_rule *rule;
	bool ok = true;

	if (named_trigger(data, &name)) {
		rule = find_rule(&name);
		if (rule)
			add_missing(rule, data, &missing);
		if (!rule)
			request_reply_error(request, 400, NULL, "invalid trigger: expected one of timer|event|api|a2a");
		else if (missing.len)
			request_reply_error(request, 400, NULL, "missing trigger context for %s: %s", rule->name, missing.s);
		ok = rule && !missing.len;
	}
	buf_release(&name);
	buf_release(&missing);
	return ok;
}

static bool
check_service(const struct clarity *clarity, struct request *request, const struct posted *posted)
{
	const struct agent *agent = agents_by_service(clarity->settings.agents, span_of(&posted->service));
	struct span data = { posted->data.s, posted->data.len };
	struct buf name = BUF_INIT;
	const struct trigger_rule *rule;
	bool ok = false;

	if (!agent)
		request_reply_error(request, 400, NULL, "service not found: %s", posted->service.s);
	else if (!agent->is_agent)
		request_reply_error(request, 400, NULL, "service is not an agent: %s", posted->service.s);
	else if (!named_trigger(data, &name))
		request_reply_error(
		    request, 400, NULL, "trigger is required for agent.run_created when service_id is set (%s)", posted->service.s);
	else if ((rule = find_rule(&name)) && !(agent->triggers & rule->bit))
		request_reply_error(request, 400, NULL, "trigger '%s' is not declared by agent %s; declared: %s", rule->name,
		    posted->service.s, agent->triggers_text.s);
	else
		ok = true;
	buf_release(&name);
	return ok;
}

/* ---- what is stored */

/* The given data with runId, stepId and agent laid over it; each keeps its place when it had one. */
static void
make_data(struct span given, const char *const *names, const struct buf *texts, size_t n, struct buf *to)
{
	struct span key, value;
	bool done[4] = { false };
	size_t pos = 0, i;

	buf_addch(to, '{');
	while (given.s && jtext_each(given, &pos, &key, &value)) {
		for (i = 0; i < n; i++)
			if (texts[i].len && jtext_is_string(key, names[i]))
				break;
		if (i < n && done[i])
			continue;
		if (to->len > 1)
			buf_addch(to, ',');
		buf_add(to, key.s, key.n);
		buf_addch(to, ':');
		if (i < n) {
			jtext_quote(to, texts[i].s, texts[i].len);
			done[i] = true;
		} else
			jtext_compact(to, value);
	}
	for (i = 0; i < n; i++)
		if (texts[i].len && !done[i])
			jtext_add_buf(to, names[i], &texts[i]);
	buf_addch(to, '}');
}

/* String(data.runId ?? data.run_id), trimmed */
static void
find_stream(struct span data, struct buf *to)
{
	struct span value;

	if ((!jtext_get(data, "runId", &value) || jtext_type(value) == JTEXT_NULL) &&
	    (!jtext_get(data, "run_id", &value) || jtext_type(value) == JTEXT_NULL))
		return;
	if (!jtext_string(value, to))
		jtext_compact(to, value);
	blank_trim_buf(to, BLANK_ASCII);
}

/* A string of the body, empty or not; untrimmed. */
static void
get_raw(struct span body, const char *name, const char *other, struct buf *to)
{
	struct span value;

	if (jtext_get(body, name, &value) || (other && jtext_get(body, other, &value)))
		jtext_string(value, to);
}

static void
posted_free(struct posted *posted)
{
	buf_release(&posted->kind);
	buf_release(&posted->message);
	buf_release(&posted->service);
	buf_release(&posted->data);
	buf_release(&posted->stream);
	asked_free(posted->asked);
	free(posted);
}

static bool
apply_post(struct change *change, const void *row, struct change_context *context)
{
	const struct posted *posted = change->payload;

	/* what is said of a thread as a run makes it one; a run that is made with its id is another one */
	if (!row && change->stream.len && strcmp(posted->kind.s, "agent.run_created") != 0 && !chat_adopt(change, context))
		return false;
	change_emit(context, span_or_none(&posted->stream), posted->kind.s, posted->level, SPAN_NONE, span_of(&posted->message),
	    posted->has_service ? span_of(&posted->service) : SPAN_NONE, span_of(&posted->data));
	buf_addstr(&change->answer, "{\"ok\":true}");
	return true;
}

static void
after_post(struct change *change)
{
	static const char *const replayed[] = { "idempotency-replayed", "true", NULL }, *const later[] = { "retry-after", "1", NULL };
	struct posted *posted = change->payload;
	struct request *request = posted->asked->request;

	switch (change->result) {
	case CHANGE_DONE:
		shape_reply(request, 200, NULL, &change->answer);
		break;
	case CHANGE_REPLAYED:
		shape_reply(request, 200, replayed, &change->answer);
		break;
	case CHANGE_KEY_REUSED:
		request_reply_error(request, 409, NULL, "idempotency key was used for another request");
		break;
	case CHANGE_REFUSED:
		request_reply_error(request, change->err.http, NULL, "%s", change->err.text);
		break;
	case CHANGE_FAILED:
		request_reply_error(request, 503, later, "%s", change->err.text);
		break;
	}
	posted_free(posted);
	change_free(change);
}

static void
store(struct clarity *clarity, struct posted *posted, const struct buf *key, uint64_t print)
{
	struct change *change = change_new(after_post, posted);

	if (key->len) {
		buf_addstr(&change->key, "events ");
		buf_add(&change->key, key->s, key->len);
	}
	if (key_is_uuid(posted->stream.s))
		buf_add(&change->stream, posted->stream.s, posted->stream.len);
	change->print = print;
	change->apply = apply_post;
	log_change(clarity->settings.log, change);
}

static void
make_message(struct span body, const struct buf *run, struct posted *posted)
{
	if (get_text(body, "message", "message", &posted->message))
		return;
	buf_reset(&posted->message);
	buf_add(&posted->message, posted->kind.s, posted->kind.len);
	if (run->len)
		buf_addf(&posted->message, " (%s)", run->s);
}

static void
make_service(struct span body, struct span data, struct posted *posted)
{
	struct span value;

	if ((jtext_get(body, "service_id", &value) && jtext_type(value) == JTEXT_STRING) ||
	    (jtext_get(data, "serviceId", &value) && jtext_type(value) == JTEXT_STRING) ||
	    (jtext_get(data, "service_id", &value) && jtext_type(value) == JTEXT_STRING)) {
		jtext_string(value, &posted->service);
		posted->has_service = true;
	}
}

/* Steps 1 to 5. False: answered. */
static bool
check(const struct clarity *clarity, struct request *request, const struct posted *posted)
{
	struct span data = { posted->data.s, posted->data.len };
	bool created = !strcmp(posted->kind.s, "agent.run_created"), ok = false;
	struct buf text = BUF_INIT;

	if (strncmp(posted->kind.s, "agent.", 6) != 0)
		request_reply_error(request, 400, NULL, "expected kind to start with 'agent.'");
	else if (created && !check_trigger(request, data))
		; /* answered */
	else if (is_run_kind(posted->kind.s) && !posted->stream.len)
		request_reply_error(request, 400, NULL, "runId is required for %s", posted->kind.s);
	else if ((!strcmp(posted->kind.s, "agent.step_started") || !strcmp(posted->kind.s, "agent.step_completed")) &&
	    !get_text(data, "stepId", "step_id", &text))
		request_reply_error(request, 400, NULL, "stepId is required for %s", posted->kind.s);
	else
		ok = !created || blank_only(posted->service.s, posted->service.len, BLANK_ASCII) || check_service(clarity, request, posted);
	buf_release(&text);
	return ok;
}

void
post_event(struct clarity *clarity, struct request *request, const struct buf *run)
{
	static const char *const names[] = { "runId", "stepId", "agent" };
	struct buf texts[3] = { BUF_INIT, BUF_INIT, BUF_INIT }, key = BUF_INIT;
	struct span body, data = SPAN_NONE, level;
	struct posted *posted;
	size_t i;

	if (!shape_body(request, &body))
		return;
	if (!request_key(request, &key)) {
		request_reply_error(request, 400, NULL, "expected idempotency-key to be 1 to 255 visible ASCII characters");
		return;
	}
	posted = xcalloc(1, sizeof *posted);
	posted->asked = asked_new(clarity, request, run);
	buf_init(&posted->kind);
	buf_init(&posted->message);
	buf_init(&posted->service);
	buf_init(&posted->data);
	buf_init(&posted->stream);
	get_raw(body, "kind", NULL, &posted->kind);
	blank_trim_buf(&posted->kind, BLANK_ASCII);
	get_raw(body, "runId", "run_id", &texts[0]);
	get_raw(body, "stepId", "step_id", &texts[1]);
	get_raw(body, "agent", NULL, &texts[2]);
	if (jtext_get(body, "data", &data) && jtext_type(data) != JTEXT_OBJECT)
		data = SPAN_NONE;
	if (jtext_get(body, "level", &level))
		posted->level = jtext_is_string(level, "warn") ? LEVEL_WARN : jtext_is_string(level, "error") ? LEVEL_ERROR : LEVEL_INFO;
	make_data(data, names, texts, ARRAY_LEN(names), &posted->data);
	make_service(body, span_of(&posted->data), posted);
	make_message(body, &texts[0], posted);
	find_stream(span_of(&posted->data), &posted->stream);
	if (check(clarity, request, posted))
		store(clarity, posted, &key, shape_print(request));
	else
		posted_free(posted);
	for (i = 0; i < ARRAY_LEN(texts); i++)
		buf_release(&texts[i]);
	buf_release(&key);
}
