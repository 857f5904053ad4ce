/* run.c - a run's message as a turn
 *
 * The run's thread has the run's id. The first message makes it, in the workspace that the manifest names. Who reads the run is told there
 * what a run says; items and approvals are told once, to the readers of both (store.h, enum sharing). The runtime keeps what was said
 * before.
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "agents/agents.h"
#include "chat/chat.h"
#include "compass/internal.h"
#include "compass/note.h"
#include "compass/run.h"
#include "key.h"
#include "utf8.h"
#include "xalloc.h"

#define TITLE_CHARS 200 /* of the contract */

struct chat_turn_call {
	struct compass *compass;
	const struct agent *agent;
	struct buf run, text, turn, options;
	struct buf native, rules, why; /* from the store */
	struct trace trace;
	chat_turn_stored *stored;
	chat_turn_done *done;
	void *payload;
	bool busy;		     /* a turn of the thread is in progress */
	struct chat_turn_call *next; /* parked */
};

/* ---- the beginning, on the store's thread */

static void
make_thread(struct chat_turn_call *call, struct change_context *context, struct thread *thread)
{
	struct buf payload = BUF_INIT;

	buf_add(&thread->id, call->run.s, call->run.len);
	buf_add(&thread->workspace, call->agent->runtime.workspace.s, call->agent->runtime.workspace.len);
	buf_add(&thread->title, call->agent->name.s, utf8_utf16_prefix(call->agent->name.s, call->agent->name.len, TITLE_CHARS));
	thread->mode = THREAD_CLOUD;
	thread->host = THREAD_DYNAMIC_SESSIONS;
	thread->session = true;
	thread->created_ms = thread->updated_ms = change_now_ms(context);
	change_share_thread(context, span_of(&thread->id));
	change_thread_put(context, thread);
	buf_addstr(&payload, "{\"thread\":");
	form_thread(&payload, thread);
	buf_addch(&payload, '}');
	(void)change_emit_thread(
	    context, span_of(&thread->id), (struct span){ "thread.started", 14 }, SPAN_NONE, SPAN_NONE, span_of(&payload));
	buf_release(&payload);
}

static void
make_turn(struct chat_turn_call *call, struct change_context *context, struct thread *thread, struct turn *turn)
{
	buf_add(&turn->id, call->turn.s, call->turn.len);
	buf_add(&turn->thread, thread->id.s, thread->id.len);
	buf_add(&turn->input, call->text.s, call->text.len);
	if (call->options.len) {
		(void)jtext_get_string(span_of(&call->options), "parentTurnId", &turn->parent);
		(void)jtext_get_string(span_of(&call->options), "sourceTurnId", &turn->source);
		(void)jtext_get_string(span_of(&call->options), "clientRequestId", &turn->request);
	}
	key_add_uuid(&turn->user_message);
	turn->mode = THREAD_CLOUD;
	turn->host = THREAD_DYNAMIC_SESSIONS;
	turn->started_ms = change_now_ms(context);
	if (!change_turn_add(context, turn)) {
		struct turn other;

		turn_init(&other);
		call->busy = change_turn_open(context, span_of(&thread->id), &other);
		if (!call->busy)
			buf_addstr(&call->why, "the turn was started before");
		turn_release(&other);
		return;
	}
	thread->status = THREAD_IN_PROGRESS;
	thread->updated_ms = turn->started_ms;
	change_thread_put(context, thread);
	turn_emit_started(context, turn);
	buf_add(&call->native, thread->native.s, thread->native.len);
	buf_add(&call->rules, thread->rules.s, thread->rules.len);
}

static bool
apply_start(struct change *change, const void *row, struct change_context *context)
{
	struct chat_turn_call *call = change->payload;
	struct thread thread;
	struct turn turn;

	(void)row;
	buf_reset(&call->native);
	buf_reset(&call->rules);
	buf_reset(&call->why);
	call->busy = false;
	thread_init(&thread);
	turn_init(&turn);
	if (!change_thread_get(context, span_of(&call->run), &thread) && !strcmp(call->agent->service.s, AGENT_THREADS))
		buf_addf(&call->why, "the thread is not there any more: %s", call->run.s);
	else if (!thread.id.len)
		make_thread(call, context, &thread);
	else if (!change_thread_shared(context, span_of(&call->run)))
		buf_addf(&call->why, "a thread has this run's id: %s", call->run.s);
	if (!call->why.len)
		make_turn(call, context, &thread, &turn);
	if (!call->why.len && !call->busy)
		form_turn_answer(&change->answer, &turn);
	thread_release(&thread);
	turn_release(&turn);
	return true;
}

static void
fly(struct chat_turn_call *call, const struct buf *answer)
{
	struct call *asking = run_asking(call->compass, span_of(&call->turn));
	const struct agent *agent = call->agent;
	const struct buf *rules = call->rules.len ? &call->rules : &agent->runtime.rules;
	struct flight_order order = { .run = call,
		.wants = &agent->runtime,
		.trace = &call->trace,
		.options = span_or_none(&call->options),
		.timeout_ms = agent->timeout_ms,
		.runtime = call->compass->runtime };
	struct buf *const texts[] = { &order.turn, &order.thread, &order.native, &order.rules, &order.text };
	const struct buf *const from[] = { &call->turn, &call->run, &call->native, rules, &call->text };
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		buf_init(texts[i]);
		buf_add(texts[i], from[i]->s, from[i]->len);
	}
	if (agent->argv &&
	    !engine_find(call->compass, (const char *const *)(uintptr_t)agent->argv, agent->directory.len ? agent->directory.s : NULL,
		&order.runtime))
		order.full = true;
	if (asking && !asking->async)
		order.waiting = asking;
	flight_start_run(call->compass, &order);
	if (asking && asking->async)
		call_reply(asking, 202, answer);
}

/* The turn of the thread that is in progress is none of the run's: it was begun before the thread became one. */
static void
park(struct chat_turn_call *call)
{
	call->next = call->compass->parked;
	call->compass->parked = call;
}

static void
done_start(struct change *change)
{
	struct chat_turn_call *call = change->payload;

	if (change->result != CHANGE_DONE)
		buf_addstr(&call->why, change->err.text[0] ? change->err.text : "unable to store the turn");
	if (call->why.len)
		run_turn_ended(call, &call->why);
	else if (call->busy)
		park(call);
	else
		fly(call, &change->answer);
	change_free(change);
}

static void
store_start(struct chat_turn_call *call)
{
	struct change *change = change_new(done_start, call);

	change->apply = apply_start;
	log_change(call->compass->settings.log, change);
}

void
runs_tick(struct compass *compass)
{
	struct chat_turn_call *call, *next;

	call = compass->parked;
	compass->parked = NULL;
	for (; call; call = next) {
		next = call->next;
		store_start(call);
	}
}

static struct chat_turn_call *
start(const struct chat_turn *turn, chat_turn_stored *stored, chat_turn_done *done, void *done_payload, void *payload)
{
	struct chat_turn_call *call = xcalloc(1, sizeof *call);

	call->compass = payload;
	call->agent = agent_ref(turn->agent);
	call->stored = stored;
	call->done = done;
	call->payload = done_payload;
	buf_init(&call->run);
	buf_init(&call->text);
	buf_init(&call->turn);
	buf_init(&call->options);
	buf_init(&call->native);
	buf_init(&call->rules);
	buf_init(&call->why);
	trace_copy(&call->trace, turn->trace);
	buf_add(&call->run, turn->run.s, turn->run.n);
	buf_add(&call->text, turn->text.s, turn->text.n);
	buf_add(&call->options, turn->options.s, turn->options.n);
	if (!call->options.len || !jtext_get_string(span_of(&call->options), "turnId", &call->turn))
		key_add_uuid(&call->turn);
	store_start(call);
	return call;
}

/* ---- the end */

void
run_turn_store(const struct chat_turn_call *call, struct change_context *context, const struct note *end)
{
	struct buf text = BUF_INIT, code = BUF_INIT;
	bool ok = !end->lost && end->status == THREAD_COMPLETED;

	if (ok)
		buf_add(&text, end->text.s, end->text.len);
	else if (end->lost)
		buf_addstr(&text, "the turn was interrupted");
	else if (jtext_get_string(span_of(&end->error), "message", &text) && jtext_get_string(span_of(&end->error), "code", &code))
		buf_addf(&text, "%s(%s)", text.len ? " " : "", code.s);
	call->stored(context, ok, span_of(&text), ok || end->lost ? SPAN_NONE : span_of(&end->error), span_of(&end->usage), call->payload);
	buf_release(&text);
	buf_release(&code);
}

void
run_turn_drop(struct chat_turn_call *call)
{
	agent_unref(call->agent);
	buf_release(&call->run);
	buf_release(&call->text);
	buf_release(&call->turn);
	buf_release(&call->options);
	buf_release(&call->native);
	buf_release(&call->rules);
	buf_release(&call->why);
	trace_release(&call->trace);
	free(call);
}

void
run_turn_ended(struct chat_turn_call *call, const struct buf *why)
{
	call->done(!why, why ? span_of(why) : SPAN_NONE, call->payload);
	run_turn_drop(call);
}

/* ---- an end that somebody asks for */

struct stop {
	struct compass *compass;
	struct buf turn, answer;
	void (*done)(void *payload); /* NULL: nobody waits for it */
	void *payload;
};

static bool
apply_stop(struct change *change, const void *row, struct change_context *context)
{
	struct stop *stop = change->payload;
	struct thread thread;
	struct turn turn;

	(void)row;
	thread_init(&thread);
	turn_init(&turn);
	if (change_turn_get(context, span_of(&stop->turn), &turn) && turn.status == THREAD_IN_PROGRESS &&
	    change_thread_get(context, span_of(&turn.thread), &thread) && turn_interrupt(context, &thread, &turn))
		form_turn_answer(&stop->answer, &turn);
	thread_release(&thread);
	turn_release(&turn);
	return true;
}

static void
done_stop(struct change *change)
{
	struct stop *stop = change->payload;

	/* not stored: the runtime is told all the same, and the turn ends with what it says */
	flight_interrupt(stop->compass, &stop->turn, &stop->answer);
	if (stop->done)
		stop->done(stop->payload);
	buf_release(&stop->turn);
	buf_release(&stop->answer);
	free(stop);
	change_free(change);
}

static void
interrupt(struct span turn, void (*done)(void *done_payload), void *done_payload, void *payload)
{
	struct stop *stop = xcalloc(1, sizeof *stop);
	struct change *change = change_new(done_stop, stop);

	stop->compass = payload;
	stop->done = done;
	stop->payload = done_payload;
	buf_init(&stop->turn);
	buf_init(&stop->answer);
	buf_add(&stop->turn, turn.s, turn.n);
	change->apply = apply_stop;
	log_change(stop->compass->settings.log, change);
}

static void
stop(struct chat_turn_call *call)
{
	struct chat_turn_call **at;

	for (at = &call->compass->parked; *at && *at != call; at = &(*at)->next)
		;
	if (*at) {
		*at = call->next;
		buf_addstr(&call->why, "the turn was interrupted");
		run_turn_ended(call, &call->why);
		return;
	}
	interrupt(span_of(&call->turn), NULL, NULL, call->compass);
}

void
runs_free(struct compass *compass)
{
	struct chat_turn_call *call;
	struct call *asking;

	while ((call = compass->parked)) {
		compass->parked = call->next;
		run_turn_drop(call);
	}
	while ((asking = compass->asking)) {
		compass->asking = asking->next;
		call_free(asking);
	}
}

void
compass_run_turns(struct compass *compass, struct chat *chat, struct chat_turns *ret)
{
	compass->chat = chat;
	*ret = (struct chat_turns){ .start = start, .stop = stop, .interrupt = interrupt, .missed = run_missed, .payload = compass };
}
