/* flight.c - turns under way: what the runtime says becomes events, in its order, each stored before anybody hears of it
 *
 * What comes while the store works gathers: further text of the same message goes into one note, so a fast runtime makes few large events
 * and a slow one many small ones. When too much waits, nothing more is read from the runtime.
 *
 * An event of the turn is only stored while the turn is in progress; so an interrupt, which ends it in the store, ends everything else with
 * it.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "agents/agents.h"
#include "clock.h"
#include "compass/board.h"
#include "compass/flight.h"
#include "compass/internal.h"
#include "compass/note.h"
#include "compass/run.h"
#include "key.h"
#include "utf8.h"
#include "xalloc.h"

#define HELD_MS 250 /* silence after which text that might go on is given as it is */

static void pump(struct flight *flight);
static void depart(struct flight *flight);

/* ---- notes */

void
flight_weigh(struct flight *flight, size_t n)
{
	flight->bytes += n;
	if (flight->bytes > COMPASS_NOTES_MAX && !flight->stalled && flight->runtime) {
		flight->stalled = true;
		runtime_hold(flight->runtime);
	}
}

void
flight_add(struct flight *flight, struct note *note)
{
	*(flight->first ? &flight->tail->next : &flight->first) = note;
	flight->tail = note;
	flight_weigh(flight, note->text.len + 1);
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
	board_take_back(flight->compass->board, &asked->id);
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
		approval_put_on_board(flight->compass, &note->approval);
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
			run_turn_ended(flight->run, NULL);
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
	batch->run = flight->run;
	buf_init(&batch->turn);
	buf_init(&batch->message);
	buf_add(&batch->turn, flight->turn.s, flight->turn.len);
	buf_add(&batch->message, flight->message.s, flight->message.len);
	batch->notes = flight->first;
	flight->storing = true;
	flight->first = flight->tail = NULL;
	change = change_new(done_notes, batch);
	change->apply = notes_apply;
	if (flight->run)
		buf_add(&change->stream, flight->thread.s, flight->thread.len);
	log_change(flight->compass->settings.log, change);
}

/* ---- beginning */

void
flight_host_thread(const struct buf *thread, struct buf *to)
{
	struct buf identifier = BUF_INIT;

	buf_addf(&identifier, "thr-%s", thread->s);
	buf_addch(to, '{');
	jtext_add_buf(to, "identifier", &identifier);
	jtext_add_buf(to, "clientThreadId", thread);
	buf_addch(to, '}');
	buf_release(&identifier);
}

static void
ask_runtime(struct flight *flight)
{
	struct compass *compass = flight->compass;
	struct runtime_end unavailable = { .outcome = RUNTIME_FAILED };
	struct runtime_turn_request request = { .thread = span_or_none(&flight->native),
		.new_if_lost = true,
		.text = span_of(&flight->text),
		.model = span_or_none(&flight->model),
		.effort = span_or_none(&flight->effort),
		.personality = span_or_none(&flight->personality),
		.approval_policy = span_or_none(&flight->approval_policy),
		.sandbox_policy = span_or_none(&flight->sandbox_policy),
		.cwd = span_or_none(&flight->cwd),
		.thread_params = span_or_none(&flight->thread_params),
		.timeout_ms = flight->timeout_ms,
		.trace = &flight->trace };
	struct buf params = BUF_INIT, session = BUF_INIT, why = BUF_INIT;
	struct span told;

	if (compass->settings.host && flight->runtime == compass->runtime) {
		flight_host_thread(&flight->thread, &session);
		request.thread_params = span_of(&session);
		buf_addch(&params, '{');
		jtext_add_buf(&params, "clientThreadId", &flight->thread);
		jtext_add_buf(&params, "clientTurnId", &flight->turn);
		if (flight->thread_params.len && jtext_get(span_of(&flight->thread_params), "developerInstructions", &told))
			jtext_add_raw(&params, "developerInstructions", told.s, told.n);
		buf_addch(&params, '}');
		request.turn_params = span_of(&params);
	} else if (compass->settings.provider == PROVIDER_MOCK && flight->runtime == compass->runtime) {
		buf_addf(&params, "{\"executionHost\":\"%s\"}", thread_host_text(flight->host));
		request.turn_params = span_of(&params);
	}
	if (flight->runtime)
		flight->number = runtime_turn_start(flight->runtime, &request, flight_said, flight);
	else {
		buf_addf(&why, "Runtime provider %s is unavailable: %s", compass_provider_text(compass->settings.provider),
		    compass->settings.missing);
		unavailable.message = why.s;
		flight_end(flight, &unavailable);
	}
	buf_release(&params);
	buf_release(&session);
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
	take(&flight->cwd, &call->cwd);
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
	buf_init(&flight->held_item);
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
	jtext_add_buf(to, "developerInstructions", &wants->system);
	buf_addch(to, '}');
}

static void
copy(struct buf *to, const struct buf *from)
{
	buf_init(to);
	buf_add(to, from->s, from->len);
}

static void
want_otherwise(struct flight *flight, struct span options)
{
	struct buf *const texts[] = { &flight->model, &flight->effort, &flight->personality, &flight->approval_policy };
	static const char *const names[] = { "model", "effort", "personality", "approvalPolicy" };
	struct span value;
	size_t i;

	for (i = 0; options.n && i < ARRAY_LEN(texts); i++)
		if (jtext_get(options, names[i], &value)) {
			buf_reset(texts[i]);
			(void)jtext_string(value, texts[i]);
		}
	if (options.n && jtext_get(options, "sandboxPolicy", &value)) {
		buf_reset(&flight->sandbox_policy);
		jtext_compact(&flight->sandbox_policy, value);
	}
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
	want_otherwise(flight, order->options);
	buf_init(&flight->thread_params);
	add_thread_params(wants, &flight->thread_params);
	buf_init(&flight->message);
	key_add_uuid(&flight->message);
	buf_init(&flight->usage);
	buf_init(&flight->held);
	buf_init(&flight->held_item);
	flight->host = THREAD_DYNAMIC_SESSIONS;
	flight->waiting = order->waiting;
	trace_copy(&flight->trace, order->trace);
	if (order->full)
		flight_end(join(flight), &full);
	else
		begin(flight);
}

/* ---- the end of it */

static void
flight_free(struct flight *flight)
{
	struct buf *const texts[] = { &flight->turn, &flight->thread, &flight->native, &flight->rules, &flight->message, &flight->text,
		&flight->model, &flight->effort, &flight->personality, &flight->approval_policy, &flight->sandbox_policy, &flight->usage,
		&flight->held, &flight->held_item, &flight->cwd, &flight->thread_params };
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
			run_turn_drop(flight->run);
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

bool
flight_is_here(const struct compass *compass, const struct buf *turn)
{
	return of_turn(compass, turn) != NULL;
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
		flight_end(flight, &never);
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
			flight_give_held(flight);
		for (asked = flight->asked; asked; asked = asked->next)
			if (asked->stored && !asked->resolving && !deadline_left(asked->deadline))
				flight_resolve(flight, asked, decision_text(asked->late), "timeout");
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
