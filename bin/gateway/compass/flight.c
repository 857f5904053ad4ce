/* flight.c - turns under way: what the runtime says becomes events, in its order, each stored before anybody hears of it
 *
 * What comes while the store works gathers: further text of the same message goes into one note, so a fast runtime makes few large events and a
 * slow one many small ones. When too much waits, nothing more is read from the runtime.
 *
 * An event of the turn is only stored while the turn is in progress; so an interrupt, which ends it in the store, ends everything else with it.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "agents/agents.h"
#include "clock.h"
#include "compass/desk.h"
#include "compass/internal.h"
#include "compass/note.h"
#include "compass/run.h"
#include "key.h"
#include "utf8.h"
#include "xalloc.h"

#define HELD_MS 250 /* silence after which text that might go on is given as it is */

/* One that is asked, or will be as soon as the store has it. */
struct asked {
	struct buf id;
	uint64_t number; /* the runtime's */
	int64_t deadline;
	enum runtime_decision late; /* when the deadline passes */
	bool stored, resolving;
	struct asked *next;
};

struct flight {
	struct compass *compass;
	struct runtime *runtime;						      /* NULL: there is none */
	struct chat_turn_call *run;						      /* a run's message, or NULL */
	struct buf turn, thread, native, rules, message;			      /* message: id of the assistant's message */
	struct buf text, model, effort, personality, approval_policy, sandbox_policy; /* what the runtime is asked for */
	struct trace trace;
	struct buf cwd, thread_params; /* the same; params: JSON */
	enum thread_host host;
	int64_t timeout_ms;
	struct call *waiting;	   /* to be answered at the end */
	uint64_t number;	   /* the runtime's, 0: waits for the one before on this thread */
	struct note *first, *tail; /* not yet given to the store */
	size_t bytes;
	struct buf held;    /* text that may be a part of a secret */
	int64_t held_since; /* when it last grew */
	struct asked *asked;
	struct buf usage;
	bool storing; /* a batch is on its way */
	bool stalled, over, interrupted;
	bool failed; /* the store refused: again with the next tick */
	struct flight *next;
};

static void pump(struct flight *flight);
static void give_held(struct flight *flight);
static void depart(struct flight *flight);

/* ---- notes */

static void
weigh(struct flight *flight, size_t n)
{
	flight->bytes += n;
	if (flight->bytes > COMPASS_NOTES_MAX && !flight->stalled && flight->runtime) {
		flight->stalled = true;
		runtime_hold(flight->runtime);
	}
}

static void
add(struct flight *flight, struct note *note)
{
	*(flight->first ? &flight->tail->next : &flight->first) = note;
	flight->tail = note;
	weigh(flight, note->text.len + 1);
	pump(flight);
}

/* ---- the loop: what follows from stored notes */

static void
answer_waiting(struct flight *flight, const struct buf *body)
{
	struct call *call = flight->waiting;

	flight->waiting = NULL;
	if (call)
		call_reply(call, 200, body);
}

static struct asked *
find_asked(const struct flight *flight, const struct buf *id)
{
	struct asked *asked;

	for (asked = flight->asked; asked; asked = asked->next)
		if (!strcmp(asked->id.s, id->s))
			return asked;
	return NULL;
}

static void
forget_asked(struct flight *flight, struct asked *asked)
{
	struct asked **at;

	for (at = &flight->asked; *at != asked; at = &(*at)->next)
		;
	*at = asked->next;
	desk_take_back(flight->compass->desk, &asked->id);
	buf_release(&asked->id);
	free(asked);
}

static void
tell_runtime(struct flight *flight, struct asked *asked, enum runtime_decision decision, struct span result)
{
	struct runtime_answer answer = { .decision = decision, .result = result };

	/* false: it is asked no more, and its own word about that comes or came */
	(void)runtime_approval_answer(flight->runtime, asked->number, &answer);
	forget_asked(flight, asked);
}

static void
after(struct flight *flight, const struct note *note)
{
	struct asked *asked = note->kind == NOTE_APPROVAL || note->kind == NOTE_RESOLVED ? find_asked(flight, &note->approval.id) : NULL;

	if (!asked)
		return;
	asked->stored = true;
	asked->resolving = false;
	if (note->kind == NOTE_APPROVAL && !note->lost && !*note->resolution)
		approval_put_on_desk(flight->compass, &note->approval);
	if (note->lost || !*note->resolution)
		return;
	if (!*note->decision)
		forget_asked(flight, asked);
	else
		tell_runtime(flight, asked, decision_of(note->decision), SPAN_NONE);
}

static void
release(struct flight *flight)
{
	if (flight->stalled) {
		flight->stalled = false;
		runtime_release(flight->runtime);
	}
}

/* The store could not take them: they are tried again, and only who waits for an answer is told now. */
static void
keep(struct flight *flight, struct note *notes)
{
	struct call *call = flight->waiting;
	struct note *note;

	for (note = notes; note->next; note = note->next)
		;
	note->next = flight->first;
	if (!flight->first)
		flight->tail = note;
	flight->first = notes;
	flight->failed = true;
	if (flight->over && call) {
		flight->waiting = NULL;
		call_refuse(call, PROBLEM_STORE);
	}
}

static void
done_notes(struct change *change)
{
	struct batch *batch = change->payload;
	struct flight *flight = batch->flight;
	struct note *note, *stored = batch->notes;
	bool ended = false;

	flight->storing = false;
	buf_release(&batch->turn);
	buf_release(&batch->message);
	free(batch);
	if (change->result != CHANGE_DONE) {
		keep(flight, stored);
		change_free(change);
		return;
	}
	for (note = stored; note; note = note->next) {
		flight->bytes -= note->text.len + 1;
		ended |= note->kind == NOTE_END;
		after(flight, note);
		if (note->kind == NOTE_END && flight->run) {
			run_turn_ended(flight->run, note);
			flight->run = NULL;
		}
	}
	if (flight->bytes <= COMPASS_NOTES_MAX / 2)
		release(flight);
	if (ended)
		answer_waiting(flight, &change->answer);
	notes_free(stored);
	change_free(change);
	if (ended)
		depart(flight);
	else
		pump(flight);
}

static void
pump(struct flight *flight)
{
	struct change *change;
	struct batch *batch;

	if (flight->storing || !flight->first || flight->failed)
		return;
	batch = xcalloc(1, sizeof *batch);
	batch->flight = flight;
	buf_init(&batch->turn);
	buf_init(&batch->message);
	buf_add(&batch->turn, flight->turn.s, flight->turn.len);
	buf_add(&batch->message, flight->message.s, flight->message.len);
	batch->notes = flight->first;
	flight->storing = true;
	flight->first = flight->tail = NULL;
	change = change_new(done_notes, batch);
	change->apply = notes_apply;
	log_change(flight->compass->settings.log, change);
}

/* ---- the end */

static const char *
code_of(const struct runtime_end *end)
{
	switch (end->fault) {
	case RUNTIME_FAULT_AUTH:
		return "AGENT_RUNTIME_AUTH_REQUIRED";
	case RUNTIME_FAULT_TURN_TIMEOUT:
		return "AGENT_TURN_TIMEOUT";
	case RUNTIME_FAULT_TURN:
	case RUNTIME_FAULT_REFUSED:
	case RUNTIME_FAULT_NO_THREAD:
	case RUNTIME_FAULT_INPUT:
		return "RUNTIME_EXECUTION_FAILED";
	case RUNTIME_FAULT_NONE:
	case RUNTIME_FAULT_START:
	case RUNTIME_FAULT_PAUSED:
	case RUNTIME_FAULT_GONE:
	case RUNTIME_FAULT_PROTOCOL:
	case RUNTIME_FAULT_TIMEOUT:
	case RUNTIME_FAULT_BUSY:
	case RUNTIME_FAULT_STOPPING:
		break;
	}
	return "AGENT_RUNTIME_UNAVAILABLE";
}

static void
add_metadata(const struct flight *flight, struct buf *to)
{
	enum compass_provider provider = flight->runtime == flight->compass->runtime ? flight->compass->settings.provider
										     : PROVIDER_LOCAL_PROCESS;
	const char *driver = compass_provider_text(provider);

	buf_addch(to, '{');
	jtext_add_string(to, "driver", driver, strlen(driver));
	jtext_add_string(to, "turnId", flight->turn.s, flight->turn.len);
	if (flight->usage.len && provider != PROVIDER_MOCK)
		jtext_add_raw(to, "tokenUsage", flight->usage.s, flight->usage.len);
	buf_addch(to, '}');
}

static void
end(struct flight *flight, const struct runtime_end *end)
{
	struct note *note;

	give_held(flight);
	note = note_new(NOTE_END);
	flight->over = true;
	flight->compass->ended[end->outcome]++;
	switch (end->outcome) {
	case RUNTIME_COMPLETED:
		note->status = THREAD_COMPLETED;
		(void)utf8_repair(&note->text, end->text.s, end->text.n);
		add_metadata(flight, &note->metadata);
		break;
	case RUNTIME_INTERRUPTED:
		note->status = THREAD_INTERRUPTED;
		turn_add_error(&note->error, "Interrupted by the runtime", "AGENT_TURN_INTERRUPTED");
		break;
	case RUNTIME_FAILED:
		note->status = THREAD_ERROR;
		turn_add_error(&note->error, end->message, code_of(end));
		break;
	}
	add(flight, note);
}

/* ---- what the runtime says */

static void
on_item(struct flight *flight, const struct runtime_event *event, const char *method)
{
	struct note *note;

	/* messages are told by their deltas */
	if (!strcmp(event->item_type, "agentMessage") || !strcmp(event->item_type, "userMessage") || !event->item.s)
		return;
	give_held(flight);
	note = note_new(NOTE_EVENT);
	note->method = method;
	buf_addch(&note->text, '{');
	jtext_add_string(&note->text, "type", event->item_type, strlen(event->item_type));
	jtext_add_string(&note->text, "itemId", event->item_id, strlen(event->item_id));
	buf_addstr(&note->text, ",\"item\":");
	jtext_compact(&note->text, event->item);
	buf_addch(&note->text, '}');
	add(flight, note);
}

static void
add_delta(struct flight *flight, size_t n)
{
	struct note *note = flight->first ? flight->tail : NULL;

	if (!n)
		return;
	if (note && note->kind == NOTE_DELTA) {
		buf_add(&note->text, flight->held.s, n);
		weigh(flight, n);
	} else {
		note = note_new(NOTE_DELTA);
		buf_add(&note->text, flight->held.s, n);
		add(flight, note);
	}
	buf_consume(&flight->held, n);
}

static void
on_delta(struct flight *flight, struct span text)
{
	(void)utf8_repair(&flight->held, text.s, text.n);
	flight->held_since = clock_monotonic_ms();
	add_delta(flight, held_safe(flight->compass->settings.secrets, &flight->held));
}

/* Before anything else is told. */
static void
give_held(struct flight *flight)
{
	add_delta(flight, flight->held.len);
}

/* Trouble that the runtime gets over by itself. */
static void
on_notice(struct flight *flight, const struct runtime_event *event)
{
	struct buf message = BUF_INIT;
	struct note *note;
	struct span error;

	if (!strcmp(event->method, "error") && jtext_get(event->params, "error", &error) && jtext_get_string(error, "message", &message)) {
		note = note_new(NOTE_EVENT);
		note->method = "error";
		buf_addch(&note->text, '{');
		jtext_add_string(&note->text, "message", message.s, message.len);
		jtext_add_bool(&note->text, "willRetry", true);
		buf_addch(&note->text, '}');
		add(flight, note);
	}
	buf_release(&message);
}

static void
on_approval(struct flight *flight, const struct runtime_event *event)
{
	struct asked *asked = xcalloc(1, sizeof *asked);
	const char *kind = approval_kind_text(event->kind);
	struct note *note = note_new(NOTE_APPROVAL);
	enum runtime_decision decision = RUNTIME_DECLINE;
	int64_t now = clock_wall_ms(), wait;
	/* who said that nobody is to be asked gets nothing by asking */
	bool decided = !strcmp(flight->approval_policy.s, "never") || rules_decide(span_of(&flight->rules), kind, event->params, &decision);

	give_held(flight);
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
	approval_doc(&note->approval, kind, event->item_id, event->params, now, now + wait);
	if (decided) {
		note->decision = decision_text(decision);
		note->resolution = "policy";
	}
	add(flight, note);
}

static void
resolve(struct flight *flight, struct asked *asked, const char *decision, const char *resolution)
{
	struct note *note = note_new(NOTE_RESOLVED);

	asked->resolving = true;
	buf_add(&note->approval.id, asked->id.s, asked->id.len);
	note->decision = decision;
	note->resolution = resolution;
	add(flight, note);
}

static void
on_resolved(struct flight *flight, const struct runtime_event *event)
{
	struct asked *asked;

	for (asked = flight->asked; asked && asked->number != event->approval; asked = asked->next)
		;
	if (asked && event->how != RUNTIME_RESOLVED_ANSWERED)
		resolve(flight, asked, "", "withdrawn");
}

static void
on_thread(struct flight *flight, const struct runtime_event *event)
{
	struct note *note = note_new(NOTE_NATIVE);

	buf_reset(&flight->native);
	buf_addstr(&flight->native, event->thread);
	buf_addstr(&note->text, event->thread);
	add(flight, note);
}

static void
on_event(const struct runtime_event *event, void *payload)
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
		if (event->delta == RUNTIME_DELTA_MESSAGE)
			on_delta(flight, event->text);
		break;
	case RUNTIME_USAGE:
		buf_reset(&flight->usage);
		if (event->item.s)
			jtext_compact(&flight->usage, event->item);
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
		end(flight, event->end);
		break;
	case RUNTIME_TURN_STARTED:
		break;
	}
}

/* ---- beginning */

static struct span
some(const struct buf *text)
{
	return text->len ? span_of(text) : SPAN_NONE;
}

static void
ask_runtime(struct flight *flight)
{
	struct compass *compass = flight->compass;
	struct runtime_end unavailable = { .outcome = RUNTIME_FAILED, .fault = RUNTIME_FAULT_START };
	struct runtime_turn_request request = { .thread = some(&flight->native),
		.new_if_lost = true,
		.text = span_of(&flight->text),
		.model = some(&flight->model),
		.effort = some(&flight->effort),
		.personality = some(&flight->personality),
		.approval_policy = some(&flight->approval_policy),
		.sandbox_policy = some(&flight->sandbox_policy),
		.cwd = some(&flight->cwd),
		.thread_params = some(&flight->thread_params),
		.timeout_ms = flight->timeout_ms,
		.trace = &flight->trace };
	struct buf params = BUF_INIT, why = BUF_INIT;

	if (compass->settings.provider == PROVIDER_MOCK && flight->runtime == compass->runtime) {
		buf_addf(&params, "{\"executionHost\":\"%s\"}", thread_host_text(flight->host));
		request.turn_params = span_of(&params);
	}
	if (flight->runtime)
		flight->number = runtime_turn_start(flight->runtime, &request, on_event, flight);
	else {
		buf_addf(&why, "Runtime provider %s is unavailable: %s", compass_provider_text(compass->settings.provider),
		    compass->settings.missing);
		unavailable.message = why.s;
		end(flight, &unavailable);
	}
	buf_release(&params);
	buf_release(&why);
}

static struct flight *
of_thread(const struct compass *compass, const struct buf *thread)
{
	struct flight *flight;

	for (flight = compass->flights; flight; flight = flight->next)
		if (!strcmp(flight->thread.s, thread->s))
			return flight;
	return NULL;
}

static void
take(struct buf *to, struct buf *from)
{
	*to = *from;
	buf_init(from);
}

static struct flight *
join(struct flight *flight)
{
	struct flight **at;

	for (at = &flight->compass->flights; *at; at = &(*at)->next)
		;
	*at = flight;
	return flight;
}

static void
begin(struct flight *flight)
{
	struct flight *before = of_thread(flight->compass, &flight->thread);

	(void)join(flight);
	/* the runtime may still be busy with an interrupted turn of this thread: it comes when that has left */
	if (!before)
		ask_runtime(flight);
}

void
flight_start(struct call *call)
{
	struct flight *flight = xcalloc(1, sizeof *flight);

	flight->compass = call->compass;
	flight->runtime = call->compass->runtime;
	flight->timeout_ms = call->compass->settings.turn_ms;
	buf_init(&flight->cwd);
	buf_init(&flight->thread_params);
	buf_init(&flight->turn);
	buf_add(&flight->turn, call->made.s, call->made.len);
	buf_init(&flight->thread);
	buf_add(&flight->thread, call->thread.s, call->thread.len);
	take(&flight->native, &call->native);
	take(&flight->rules, &call->rules);
	take(&flight->text, &call->text);
	take(&flight->model, &call->model);
	take(&flight->effort, &call->effort);
	take(&flight->personality, &call->personality);
	take(&flight->approval_policy, &call->approval_policy);
	take(&flight->sandbox_policy, &call->sandbox_policy);
	buf_init(&flight->message);
	key_add_uuid(&flight->message);
	buf_init(&flight->usage);
	buf_init(&flight->held);
	flight->host = (enum thread_host)call->host;
	trace_copy(&flight->trace, &call->trace);
	if (!call->async)
		flight->waiting = call;
	begin(flight);
}

/* What each new thread of the agent is told. */
static void
add_thread_params(const struct agent_runtime *wants, struct buf *to)
{
	if (!wants->system.len)
		return;
	buf_addch(to, '{');
	jtext_add_string(to, "developerInstructions", wants->system.s, wants->system.len);
	buf_addch(to, '}');
}

static void
copy(struct buf *to, const struct buf *from)
{
	buf_init(to);
	buf_add(to, from->s, from->len);
}

void
flight_start_run(struct compass *compass, struct flight_order *order)
{
	struct flight *flight = xcalloc(1, sizeof *flight);
	const struct agent_runtime *wants = order->wants;
	struct runtime_end full = {
		.outcome = RUNTIME_FAILED, .fault = RUNTIME_FAULT_BUSY, .message = "too many runtimes are at work; come again later"
	};

	flight->compass = compass;
	flight->runtime = order->runtime;
	flight->run = order->run;
	flight->timeout_ms = order->timeout_ms ? order->timeout_ms : compass->settings.turn_ms;
	take(&flight->turn, &order->turn);
	take(&flight->thread, &order->thread);
	take(&flight->native, &order->native);
	take(&flight->rules, &order->rules);
	take(&flight->text, &order->text);
	copy(&flight->model, &wants->model);
	copy(&flight->effort, &wants->effort);
	copy(&flight->personality, &wants->personality);
	copy(&flight->approval_policy, &wants->approval_policy);
	copy(&flight->sandbox_policy, &wants->sandbox);
	copy(&flight->cwd, &wants->cwd);
	buf_init(&flight->thread_params);
	add_thread_params(wants, &flight->thread_params);
	buf_init(&flight->message);
	key_add_uuid(&flight->message);
	buf_init(&flight->usage);
	buf_init(&flight->held);
	flight->host = THREAD_DYNAMIC_SESSIONS;
	trace_copy(&flight->trace, order->trace);
	if (order->full)
		end(join(flight), &full);
	else
		begin(flight);
}

/* ---- the end of it */

static void
flight_free(struct flight *flight)
{
	struct buf *const texts[] = { &flight->turn, &flight->thread, &flight->native, &flight->rules, &flight->message, &flight->text,
		&flight->model, &flight->effort, &flight->personality, &flight->approval_policy, &flight->sandbox_policy, &flight->usage,
		&flight->held, &flight->cwd, &flight->thread_params };
	size_t i;

	while (flight->asked)
		forget_asked(flight, flight->asked);
	notes_free(flight->first);
	trace_release(&flight->trace);
	for (i = 0; i < ARRAY_LEN(texts); i++)
		buf_release(texts[i]);
	free(flight);
}

static void
depart(struct flight *flight)
{
	struct compass *compass = flight->compass;
	struct flight **at, *next;

	for (at = &compass->flights; *at != flight; at = &(*at)->next)
		;
	*at = flight->next;
	release(flight);
	next = of_thread(compass, &flight->thread);
	if (next && !next->number && !next->over) {
		buf_reset(&next->native);
		buf_add(&next->native, flight->native.s, flight->native.len);
		ask_runtime(next);
	}
	flight_free(flight);
	compass_quiet(compass);
}

void
flights_free(struct compass *compass)
{
	while (compass->flights) {
		struct flight *flight = compass->flights;

		compass->flights = flight->next;
		if (flight->waiting)
			call_free(flight->waiting);
		if (flight->run)
			run_turn_ended(flight->run, NULL);
		flight_free(flight);
	}
}

bool
flight_flies(const struct compass *compass, const struct runtime *runtime)
{
	const struct flight *flight;

	for (flight = compass->flights; flight && flight->runtime != runtime; flight = flight->next)
		;
	return flight;
}

static struct flight *
of_turn(const struct compass *compass, const struct buf *turn)
{
	struct flight *flight;

	for (flight = compass->flights; flight; flight = flight->next)
		if (!strcmp(flight->turn.s, turn->s))
			return flight;
	return NULL;
}

void
flight_interrupt(struct compass *compass, const struct buf *turn, const struct buf *answer)
{
	struct runtime_end never = { .outcome = RUNTIME_INTERRUPTED };
	struct flight *flight = of_turn(compass, turn);

	if (!flight)
		return;
	flight->interrupted = true;
	buf_reset(&flight->held);
	answer_waiting(flight, answer);
	if (flight->number)
		(void)runtime_turn_interrupt(flight->runtime, flight->number); /* false: its end is on the way already */
	else if (!flight->over)
		end(flight, &never);
}

void
flight_approve(struct compass *compass, const struct approval *approval, enum runtime_decision decision, struct span result)
{
	struct flight *flight = of_turn(compass, &approval->turn);
	struct asked *asked = flight ? find_asked(flight, &approval->id) : NULL;

	if (asked)
		tell_runtime(flight, asked, decision, result);
}

void
flights_tick(struct compass *compass)
{
	struct flight *flight, *next;
	struct asked *asked;

	for (flight = compass->flights; flight; flight = next) {
		next = flight->next;
		if (flight->held.len && clock_monotonic_ms() - flight->held_since >= HELD_MS)
			give_held(flight);
		for (asked = flight->asked; asked; asked = asked->next)
			if (asked->stored && !asked->resolving && !deadline_left(asked->deadline))
				resolve(flight, asked, decision_text(asked->late), "timeout");
		if (flight->failed) {
			flight->failed = false;
			pump(flight);
		}
	}
}

void
flights_count(const struct compass *compass, struct compass_stats *stats)
{
	const struct flight *flight;
	const struct asked *asked;

	for (flight = compass->flights; flight; flight = flight->next) {
		stats->turns += !flight->over;
		for (asked = flight->asked; asked; asked = asked->next)
			stats->approvals++;
	}
}
