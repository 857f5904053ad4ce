/* step.c - one change of a service's state, with the events that tell of it */
#include "compat.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "secrets.h"
#include "services/internal.h"
#include "xalloc.h"

struct step *
step_new(struct service *service)
{
	struct step *step = xcalloc(1, sizeof *step);

	step->service = service;
	buf_init(&step->error);
	buf_init(&step->interface);
	buf_init(&step->state.last_error);
	buf_init(&step->state.interface);
	return step;
}

void
step_free(struct step *step)
{
	size_t i;

	for (i = 0; i < step->n_events; i++) {
		buf_release(&step->events[i].message);
		buf_release(&step->events[i].data);
	}
	buf_release(&step->error);
	buf_release(&step->interface);
	buf_release(&step->state.last_error);
	buf_release(&step->state.interface);
	free(step);
}

void
step_event(struct step *step, const char *kind, enum level level, const char *data, const char *fmt, ...)
{
	va_list args;

	step->events[step->n_events].kind = kind;
	step->events[step->n_events].level = level;
	buf_init(&step->events[step->n_events].message);
	buf_init(&step->events[step->n_events].data);
	va_start(args, fmt);
	buf_vaddf(&step->events[step->n_events].message, fmt, args);
	va_end(args);
	if (data)
		buf_addstr(&step->events[step->n_events].data, data);
	step->n_events++;
}

static void
put(struct change_context *context, const char *kind, const struct buf *id, struct span doc)
{
	struct buf key = BUF_INIT;

	buf_addf(&key, "%s/", kind);
	buf_add(&key, id->s, id->len);
	change_put(context, span_of(&key), doc);
	change_tell(context, span_of(&key));
	buf_release(&key);
}

static bool
apply_step(struct change *change, const void *row, struct change_context *context)
{
	const struct step *step = change->payload;
	const struct buf *id = &step->service->id;
	struct buf doc = BUF_INIT;
	size_t i;

	(void)row;
	if (step->remove) {
		put(context, "service", id, SPAN_NONE);
		put(context, "state", id, SPAN_NONE);
	} else {
		state_save(&step->state, &doc);
		put(context, "state", id, span_of(&doc));
	}
	for (i = 0; step->service->services->record && i < step->n_events; i++)
		change_emit(context, STREAM_NONE, step->events[i].kind, step->events[i].level, SPAN_NONE, span_of(&step->events[i].message),
		    span_of(id), span_or_none(&step->events[i].data));
	buf_release(&doc);
	return true;
}

static void
swap(struct buf *a, struct buf *b)
{
	struct buf c = *a;

	*a = *b;
	*b = c;
}

static void start(struct service *service);

static void
take(struct service *service, const struct step *step)
{
	service->storing = false;
	service->step = step->next;
	if (!service->step)
		service->last_step = &service->step;
}

static void
after_step(struct change *change)
{
	struct step *step = change->payload;
	struct service *service = step->service;
	struct agents *agents = service->services->settings.agents;
	struct span id = { service->id.s, service->id.len };
	struct agent_state *state = agents_state(agents, id);
	bool ok = change->result == CHANGE_DONE;

	if (ok && step->remove) {
		agents_remove(agents, id);
		service->services->forget = true;
	}
	if (ok && !step->remove && state) {
		swap(&state->last_error, &step->state.last_error);
		swap(&state->interface, &step->state.interface);
		state->lifecycle = step->state.lifecycle;
		state->health = step->state.health;
		state->since_ms = step->state.since_ms;
		state->heartbeat_ms = step->state.heartbeat_ms;
		state->restarts = step->state.restarts;
	}
	take(service, step);
	if (step->then)
		step->then(ok, &change->err, step->payload);
	step_free(step);
	change_free(change);
	start(service);
}

/* The state as the step leaves it. */
static void
make_state(struct step *step, const struct agent_state *from)
{
	struct agent_state *state = &step->state;
	bool changes = !step->if_running || from->lifecycle == LIFE_RUNNING;

	state->lifecycle = changes && step->has_life ? step->life : from->lifecycle;
	state->health = changes && step->has_health ? step->health : from->health;
	state->restarts = from->restarts + (step->restarted ? 1 : 0);
	state->heartbeat_ms = changes ? clock_wall_ms() : from->heartbeat_ms;
	state->since_ms = step->has_life && changes ? clock_wall_ms() : from->since_ms;
	if (changes && step->has_error)
		/* what the other side said is shown and kept */
		(void)secrets_text(step->service->services->settings.secrets, step->error.s, step->error.len, &state->last_error);
	else
		buf_add(&state->last_error, from->last_error.s, from->last_error.len);
	if (step->has_interface)
		swap(&state->interface, &step->interface);
	else
		buf_add(&state->interface, from->interface.s, from->interface.len);
}

/* Hands the first one to the store. */
static void
start(struct service *service)
{
	struct step *step = service->step;
	const struct agent *agent = service_agent(service);
	struct change *change;

	if (!step || service->storing)
		return;
	if (!agent) {
		/* it was removed while this waited: nothing is left to change */
		struct err gone = ERR_INIT;

		err_set(&gone, 1, "service not found: %s", service->id.s);
		gone.http = 404;
		take(service, step);
		if (step->then)
			step->then(false, &gone, step->payload);
		step_free(step);
		start(service);
		return;
	}
	service->storing = true;
	make_state(step, &agent->state);
	change = change_new(after_step, step);
	change->apply = apply_step;
	log_change(service->services->settings.log, change);
}

void
step_run(struct step *step, void (*then)(bool ok, const struct err *err, void *payload), void *payload)
{
	struct service *service = step->service;

	step->then = then;
	step->payload = payload;
	*service->last_step = step;
	service->last_step = &step->next;
	start(service);
}
