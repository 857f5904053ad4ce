/* calls.c - calls of a service's tools, and what their ends say of its health */
#include "compat.h"

#include <stdlib.h>

#include <event2/event.h>

#include "clock.h"
#include "mcp/mcp.h"
#include "services/internal.h"
#include "xalloc.h"

struct service_call {
	struct services *services;
	struct service *service;
	struct mcp_call *call; /* NULL: it never was one, or has ended */
	struct buf why;
	bool ended; /* before it was sent: why is to be told */
	services_call_cb *done;
	void *payload;
	struct service_call *next, **prev;
};

static void
call_free(struct service_call *call)
{
	*call->prev = call->next;
	if (call->next)
		call->next->prev = call->prev;
	buf_release(&call->why);
	free(call);
}

static void
finish(struct service_call *call, bool ok, struct span result, const char *why)
{
	call->service->calls--;
	call->done(ok, result, why, call->payload);
	call_free(call);
}

/* ---- health */

static void
after_opened(bool ok, const struct err *err, void *payload)
{
	struct service *service = payload;
	struct buf why = BUF_INIT;

	(void)err;
	service->opened = false;
	if (!ok)
		return; /* not stored: the next outage opens it again */
	buf_addf(&why, "service is quarantined: %s (use unquarantine first)", service->id.s);
	service_retire(service, why.s);
	buf_release(&why);
}

static void
take_outage(struct service *service, const struct agent *agent, const struct mcp_answer *answer)
{
	bool open = breaker_add(&service->breaker, &service->services->breaker, clock_monotonic_ms(), true) && !service->opened &&
	    agent->state.lifecycle == LIFE_RUNNING;
	struct step *step = step_new(service);
	struct buf data = BUF_INIT;

	step->if_running = step->has_health = step->has_error = true;
	step->health = HEALTH_DEGRADED;
	buf_addstr(&step->error, answer->why);
	buf_addch(&data, '{');
	jtext_add_text(&data, "error", answer->why);
	jtext_add_i64(&data, "retries", answer->retries);
	buf_addch(&data, '}');
	step_event(step, "service.remote_error", LEVEL_ERROR, data.s, "Remote request failed: tools/call");
	if (open) {
		service->opened = true;
		step->has_life = true;
		step->life = LIFE_QUARANTINED;
		buf_reset(&data);
		buf_addch(&data, '{');
		jtext_add_text(&data, "reason", answer->why);
		buf_addch(&data, '}');
		step_event(step, "service.quarantined", LEVEL_ERROR, data.s, "Service quarantined: %s", service->id.s);
	}
	buf_release(&data);
	step_run(step, open ? after_opened : NULL, service);
}

/* It answered, be it with a refusal: it is there. */
static void
take_sign_of_life(struct service *service, const struct agent *agent)
{
	struct step *step;

	(void)breaker_add(&service->breaker, &service->services->breaker, clock_monotonic_ms(), false);
	if (agent->state.health == HEALTH_HEALTHY || agent->state.lifecycle != LIFE_RUNNING)
		return;
	step = step_new(service);
	step->if_running = step->has_health = step->has_error = true;
	step->health = HEALTH_HEALTHY;
	step_run(step, NULL, NULL);
}

static void
on_answer(const struct mcp_answer *answer, void *payload)
{
	struct service_call *call = payload;
	const struct agent *agent = service_agent(call->service);

	call->call = NULL;
	if (agent && answer->outcome == MCP_OUTAGE)
		take_outage(call->service, agent, answer);
	else if (agent && answer->outcome == MCP_OK)
		take_sign_of_life(call->service, agent);
	finish(call, answer->outcome == MCP_OK, answer->result, answer->why);
}

/* ---- the door */

/* Nothing stands in the way of asking; false with the reason in why. */
static bool
may_call(const struct service *service, const char *tool, struct buf *why)
{
	const struct agent *agent = service_agent(service);

	if (!agent)
		buf_addf(why, "service not found: %s", service->id.s);
	else if (agent->state.lifecycle != LIFE_RUNNING)
		buf_addf(why, "service is not running: %s", service->id.s);
	else if (agent->origin != ORIGIN_REMOTE_MCP)
		buf_addf(why, "unsupported local tool: %s", tool);
	else if (!agent_allows_tool(agent, tool))
		buf_addf(why, "tool '%s' is not allowed by remote policy", tool);
	else
		(void)service_may_ask(service, why);
	return !why->len;
}

struct service_call *
services_call(struct services *services, const struct services_request *request, services_call_cb *done, void *payload)
{
	struct service_call *call = xcalloc(1, sizeof *call);
	struct mcp_request ask = { .method = "tools/call",
		.session = request->session,
		.run = request->run,
		.timeout_ms = request->timeout_ms,
		.trace = request->trace };
	struct buf tool = BUF_INIT, params = BUF_INIT;

	call->services = services;
	call->service = service_of(services, request->service);
	call->service->calls++;
	call->done = done;
	call->payload = payload;
	buf_init(&call->why);
	call->next = services->calls;
	call->prev = &services->calls;
	if (call->next)
		call->next->prev = &call->next;
	services->calls = call;
	buf_add(&tool, request->tool.s, request->tool.n);
	if (may_call(call->service, tool.s, &call->why)) {
		buf_addch(&params, '{');
		jtext_add_buf(&params, "name", &tool);
		jtext_add_raw(&params, "arguments", request->arguments.s, request->arguments.n);
		buf_addch(&params, '}');
		ask.params = span_of(&params);
		call->call = mcp_call(service_mcp(call->service), &ask, on_answer, call);
	} else {
		call->ended = true;
		event_active(services->turn, EV_TIMEOUT, 1);
	}
	buf_release(&tool);
	buf_release(&params);
	return call;
}

void
service_call_end(struct service_call *call, const char *why)
{
	if (call->call)
		mcp_end(call->call, why);
}

void
calls_tell(struct services *services)
{
	struct service_call *call = services->calls;

	while (call) {
		if (!call->ended) {
			call = call->next;
			continue;
		}
		call->ended = false;
		finish(call, false, SPAN_NONE, call->why.s);
		call = services->calls; /* done() may have begun others */
	}
}

void
calls_free(struct services *services)
{
	while (services->calls)
		call_free(services->calls);
}
