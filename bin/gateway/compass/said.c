/* said.c - what the runtime says of a turn becomes notes for the store, in its order */
#include "compat.h"

#include <string.h>

#include "clock.h"
#include "compass/flight.h"
#include "compass/internal.h"
#include "compass/note.h"
#include "key.h"
#include "utf8.h"
#include "xalloc.h"

/* ---- the end */

/* The codes of the contract that a session host's end may bring and no fault of a runtime has; any other means that the turn could not be
 * executed. */
static const char *
code_of_host(const char *code)
{
	static const char *const known[] = { "AGENT_RUNTIME_UNAVAILABLE", "AGENT_RUNTIME_TOKEN_UNAVAILABLE", "AGENT_RUNTIME_TOKEN_REFUSED",
		"AGENT_RUNTIME_POOL_UNREACHABLE", "AGENT_RUNTIME_POOL_NOT_FOUND", "AGENT_RUNTIME_POOL_BUSY", "AGENT_RUNTIME_ENGINE_MISSING",
		"AGENT_RUNTIME_IMAGE_MISSING", "AGENT_RUNTIME_CONTAINER_FAILED" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(known); i++)
		if (!strcmp(code, known[i]))
			return known[i];
	return "RUNTIME_EXECUTION_FAILED";
}

/* Of a turn that failed. */
static void
add_error(struct buf *to, const struct runtime_end *end)
{
	/* a host that says what the model did wrong says more than its code */
	bool told = end->info && *end->info && (end->fault == RUNTIME_FAULT_LIMIT || end->fault == RUNTIME_FAULT_MODEL);
	bool hosted = end->code && *end->code && !fault_of_code(end->code) && !(told && !strcmp(end->code, "RUNTIME_EXECUTION_FAILED"));
	const char *code = hosted ? code_of_host(end->code) : fault_code(end->fault),
		   *hint = hosted ? fault_hint_of_code(code) : fault_hint(end->fault);
	fault_add(to, end->message, code, hint, end->retry_at_ms);
}

static enum compass_provider
provider_of(const struct flight *flight)
{
	return flight->runtime == flight->compass->runtime ? flight->compass->settings.provider : PROVIDER_LOCAL_PROCESS;
}

static bool
counts(const struct flight *flight)
{
	return provider_of(flight) != PROVIDER_MOCK; /* whose events are those of the contract, and no others */
}

static void
add_metadata(const struct flight *flight, struct span host, struct buf *to)
{
	const char *driver = compass_provider_text(provider_of(flight));

	if (host.s) {
		jtext_compact(to, host);
		return;
	}
	buf_addch(to, '{');
	jtext_add_text(to, "driver", driver);
	jtext_add_buf(to, "turnId", &flight->turn);
	if (flight->usage.len && counts(flight))
		jtext_add_raw(to, "tokenUsage", flight->usage.s, flight->usage.len);
	buf_addch(to, '}');
}

void
flight_end(struct flight *flight, const struct runtime_end *end)
{
	struct note *note;

	flight_give_held(flight);
	note = note_new(NOTE_END);
	flight->over = true;
	if (counts(flight) && end->counted)
		usage_add(&note->usage, &end->spent);
	flight->compass->ended[end->outcome]++;
	switch (end->outcome) {
	case RUNTIME_COMPLETED:
		note->status = THREAD_COMPLETED;
		(void)utf8_repair(&note->text, end->text.s, end->text.n);
		add_metadata(flight, end->metadata, &note->metadata);
		break;
	case RUNTIME_INTERRUPTED:
		note->status = THREAD_INTERRUPTED;
		turn_add_error(&note->error, "Interrupted by the runtime", "AGENT_TURN_INTERRUPTED");
		break;
	case RUNTIME_FAILED:
		note->status = THREAD_ERROR;
		add_error(&note->error, end);
		break;
	}
	flight_add(flight, note);
}

/* ---- what the runtime says */

static void
on_item(struct flight *flight, const struct runtime_event *event, const char *method)
{
	struct note *note;

	/* messages are told by their deltas */
	if (!strcmp(event->item_type, "agentMessage") || !strcmp(event->item_type, "userMessage") || !event->item.s)
		return;
	flight_give_held(flight);
	note = note_new(NOTE_EVENT);
	note->method = method;
	buf_addch(&note->text, '{');
	jtext_add_text(&note->text, "type", event->item_type);
	jtext_add_text(&note->text, "itemId", event->item_id);
	buf_addstr(&note->text, ",\"item\":");
	jtext_compact(&note->text, event->item);
	buf_addch(&note->text, '}');
	flight_add(flight, note);
}

static void
add_delta(struct flight *flight, size_t n)
{
	struct note *note = flight->first ? flight->tail : NULL;

	if (!n)
		return;
	if (note && note->kind == NOTE_DELTA && note->delta == flight->held_kind && !strcmp(note->item.s, flight->held_item.s)) {
		buf_add(&note->text, flight->held.s, n);
		flight_weigh(flight, n);
	} else {
		note = note_new(NOTE_DELTA);
		note->delta = flight->held_kind;
		buf_add(&note->item, flight->held_item.s, flight->held_item.len);
		buf_add(&note->text, flight->held.s, n);
		flight_add(flight, note);
	}
	buf_consume(&flight->held, n);
}

/* Text that might go on: pieces of one thing are held together. */
static void
hold(struct flight *flight, enum runtime_delta kind, const char *item, struct span text)
{
	if (kind != flight->held_kind || strcmp(item, flight->held_item.s) != 0) {
		flight_give_held(flight);
		flight->held_kind = kind;
		buf_reset(&flight->held_item);
		buf_addstr(&flight->held_item, item);
	}
	(void)utf8_repair(&flight->held, text.s, text.n);
	flight->held_since = clock_monotonic_ms();
	add_delta(flight, held_safe(flight->compass->settings.secrets, &flight->held));
}

/* A command may say more than anybody wants to keep. */
static void
pour(struct flight *flight, const char *item, struct span text)
{
	size_t room = COMPASS_OUTPUT_MAX - flight->poured;

	if (text.n > room)
		text.n = room;
	if (!text.n)
		return;
	hold(flight, RUNTIME_DELTA_COMMAND, item, text);
	flight->poured += text.n;
}

static void
on_delta(struct flight *flight, const struct runtime_event *event)
{
	switch (event->delta) {
	case RUNTIME_DELTA_MESSAGE: /* of all messages one text is made */
		hold(flight, RUNTIME_DELTA_MESSAGE, "", event->text);
		break;
	case RUNTIME_DELTA_COMMAND:
		pour(flight, event->item_id, event->text);
		break;
	case RUNTIME_DELTA_PLAN:
	case RUNTIME_DELTA_REASONING:
	case RUNTIME_DELTA_SUMMARY:
		hold(flight, event->delta, event->item_id, event->text);
		break;
	case RUNTIME_DELTA_FILE: /* the item has it all */
	case RUNTIME_DELTA_OTHER:
		break;
	}
}

void
flight_give_held(struct flight *flight)
{
	add_delta(flight, flight->held.len);
}

static void
tell(struct flight *flight, const char *method, struct buf *payload)
{
	struct note *note;

	flight_give_held(flight);
	note = note_new(NOTE_EVENT);
	note->method = method;
	note->text = *payload;
	buf_init(payload);
	flight_add(flight, note);
}

/* The members of that name of what the runtime said, as they stand there. */
static void
pass_on(struct flight *flight, const char *method, struct span params, const char *const *names)
{
	struct buf payload = BUF_INIT, text = BUF_INIT;
	struct span value;

	buf_addch(&payload, '{');
	for (; *names; names++)
		if (jtext_get(params, *names, &value)) {
			buf_reset(&text);
			jtext_compact(&text, value);
			jtext_add_raw(&payload, *names, text.s, text.len);
		}
	buf_addch(&payload, '}');
	tell(flight, method, &payload);
	buf_release(&text);
}

/* Trouble that the runtime gets over by itself; of the other kind the end tells. */
static void
on_error(struct flight *flight, struct span params)
{
	struct buf message = BUF_INIT, payload = BUF_INIT;
	struct span error, retry;

	if (jtext_get(params, "willRetry", &retry) && jtext_type(retry) == JTEXT_TRUE && jtext_get(params, "error", &error) &&
	    jtext_get_string(error, "message", &message)) {
		buf_addch(&payload, '{');
		jtext_add_buf(&payload, "message", &message);
		jtext_add_bool(&payload, "willRetry", true);
		buf_addch(&payload, '}');
		tell(flight, "error", &payload);
	}
	buf_release(&message);
}

static void
on_notice(struct flight *flight, const struct runtime_event *event)
{
	static const char *const plan[] = { "explanation", "plan", NULL }, *const diff[] = { "diff", NULL };

	if (!strcmp(event->method, "error"))
		on_error(flight, event->params);
	else if (!strcmp(event->method, "turn/plan/updated"))
		pass_on(flight, "turn.plan", event->params, plan);
	else if (!strcmp(event->method, "turn/diff/updated"))
		pass_on(flight, "turn.diff", event->params, diff);
}

static void
on_usage(struct flight *flight, const struct runtime_event *event)
{
	struct buf payload = BUF_INIT, text = BUF_INIT;

	buf_reset(&flight->usage);
	jtext_compact(&flight->usage, event->item);
	if (counts(flight) && !usage_same(&flight->spent, &event->spent)) {
		usage_add(&text, &event->spent);
		buf_addch(&payload, '{');
		jtext_add_raw(&payload, "usage", text.s, text.len);
		buf_addch(&payload, '}');
		tell(flight, "turn.usage", &payload);
	}
	flight->spent = event->spent;
	buf_release(&text);
}

/* What is asked, with our names of the thread and the turn: the runtime's own are nobody's business, and a pool's open the session. */
static void
add_asked(const struct flight *flight, struct span params, struct buf *to)
{
	buf_addch(to, '{');
	jtext_add_buf(to, "threadId", &flight->thread);
	jtext_add_buf(to, "turnId", &flight->turn);
	jtext_add_others(to, params, (const char *const[]){ "threadId", "turnId", NULL });
	buf_addch(to, '}');
}

static void
on_approval(struct flight *flight, const struct runtime_event *event)
{
	struct asked *asked = xcalloc(1, sizeof *asked);
	const char *kind = approval_kind_text(event->kind);
	struct note *note = note_new(NOTE_APPROVAL);
	enum runtime_decision decision = RUNTIME_DECLINE;
	int64_t now = clock_wall_ms(), wait;
	struct buf params = BUF_INIT;
	/* who said that nobody is to be asked gets nothing by asking */
	bool decided = !strcmp(flight->approval_policy.s, "never") || rules_decide(span_of(&flight->rules), kind, event->params, &decision);

	flight_give_held(flight);
	rules_timeout(span_of(&flight->rules), flight->compass->settings.approval_ms, &wait, &asked->late);
	buf_init(&asked->id);
	key_add_uuid(&asked->id);
	asked->number = event->approval;
	asked->deadline = deadline_in(wait);
	asked->next = flight->asked;
	flight->asked = asked;
	buf_add(&note->approval.id, asked->id.s, asked->id.len);
	buf_add(&note->approval.thread, flight->thread.s, flight->thread.len);
	buf_add(&note->approval.turn, flight->turn.s, flight->turn.len);
	note->approval.created_ms = now;
	add_asked(flight, event->params, &params);
	approval_doc(&note->approval, kind, event->item_id, span_of(&params), now, now + wait);
	buf_release(&params);
	if (decided) {
		note->decision = decision_text(decision);
		note->resolution = "policy";
	}
	flight_add(flight, note);
}

void
flight_resolve(struct flight *flight, struct asked *asked, const char *decision, const char *resolution)
{
	struct note *note = note_new(NOTE_RESOLVED);

	asked->resolving = true;
	buf_add(&note->approval.id, asked->id.s, asked->id.len);
	note->decision = decision;
	note->resolution = resolution;
	flight_add(flight, note);
}

static void
on_resolved(struct flight *flight, const struct runtime_event *event)
{
	struct asked *asked;

	for (asked = flight->asked; asked && asked->number != event->approval; asked = asked->next)
		;
	if (asked && event->how != RUNTIME_RESOLVED_ANSWERED)
		flight_resolve(flight, asked, "", "withdrawn");
}

static void
on_thread(struct flight *flight, const struct runtime_event *event)
{
	struct note *note = note_new(NOTE_NATIVE);

	buf_reset(&flight->native);
	buf_addstr(&flight->native, event->thread);
	buf_addstr(&note->text, event->thread);
	flight_add(flight, note);
}

void
flight_said(const struct runtime_event *event, void *payload)
{
	struct flight *flight = payload;

	if (flight->interrupted && event->type != RUNTIME_THREAD && event->type != RUNTIME_END)
		return;
	switch (event->type) {
	case RUNTIME_THREAD:
		on_thread(flight, event);
		break;
	case RUNTIME_ITEM_STARTED:
		on_item(flight, event, "item.started");
		break;
	case RUNTIME_ITEM_COMPLETED:
		on_item(flight, event, "item.completed");
		break;
	case RUNTIME_ITEM_DELTA:
		on_delta(flight, event);
		break;
	case RUNTIME_USAGE:
		on_usage(flight, event);
		break;
	case RUNTIME_APPROVAL:
		on_approval(flight, event);
		break;
	case RUNTIME_APPROVAL_RESOLVED:
		on_resolved(flight, event);
		break;
	case RUNTIME_NOTICE:
		on_notice(flight, event);
		break;
	case RUNTIME_END:
		flight_end(flight, event->end);
		break;
	case RUNTIME_TURN_STARTED:
		break;
	}
}
