/* acts.c - start, stop and the like: what is done to one service, one after another */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "clock.h"
#include "mcp/mcp.h"
#include "services/internal.h"
#include "status.h"
#include "program.h"
#include "xalloc.h"

struct op {
	struct service *service;
	enum services_act act;
	bool cleanup;
	bool again; /* tried by itself */
	bool begun;
	services_done_cb *done;
	void *payload;
	struct op *next;
};

/* ---- the end of an act */

static void
op_finish(struct op *op, int http, const struct buf *body, const char *error)
{
	struct service *service = op->service;

	service->op = op->next;
	if (!service->op)
		service->last_op = &service->op;
	service->n_ops--;
	op->done(http, body, error, op->payload);
	event_active(service->services->turn, EV_TIMEOUT, 1);
	free(op);
}

static void fail(struct op *op, int http, const char *fmt, ...) PRINTF(3, 4);

static void
fail(struct op *op, int http, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list args;

	va_start(args, fmt);
	buf_vaddf(&text, fmt, args);
	va_end(args);
	op_finish(op, http, NULL, text.s);
	buf_release(&text);
}

static void
not_found(struct op *op)
{
	fail(op, 404, "service not found: %s", op->service->id.s);
}

/* {"service": as it is now} */
static void
reply_service(struct op *op)
{
	const struct agent *agent = service_agent(op->service);
	struct buf body = BUF_INIT;

	if (!agent) {
		not_found(op);
		return;
	}
	buf_addstr(&body, "{\"service\":");
	service_record(agent, clock_wall_ms(), &body);
	buf_addch(&body, '}');
	op_finish(op, 200, &body, NULL);
	buf_release(&body);
}

static void
after_act(bool ok, const struct err *err, void *payload)
{
	struct op *op = payload;

	if (ok)
		reply_service(op);
	else
		op_finish(op, err->http ? err->http : 503, NULL, err->text);
}

/* ---- start */

/* A module is looked at, not run: it must be there and be one. */
static void
check_wasm(const struct services *services, const struct agent *agent, struct buf *why)
{
	static const char magic[8] = { 0, 'a', 's', 'm', 1, 0, 0, 0 };
	enum chat_mode fallback = !strcmp(services->settings.default_mode, "echo") ? CHAT_ECHO
	    : !strcmp(services->settings.default_mode, "disabled")		   ? CHAT_DISABLED
										   : CHAT_AUTO;
	enum chat_mode mode = agent->chat_mode_set ? agent->chat_mode : fallback;
	char bytes[sizeof magic];
	int fd;

	/* one that was declared beside the gateway says what it needs: nothing, in these modes */
	if (agent->path.len && mode != CHAT_AUTO)
		return;
	fd = open(agent->wasm.s, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		buf_addf(why, "wasm artifact missing: %s", agent->wasm.s);
	else if (read(fd, bytes, sizeof bytes) != sizeof bytes || memcmp(bytes, magic, sizeof magic) != 0)
		buf_addf(why, "wasm artifact is no WebAssembly module: %s", agent->wasm.s);
	else if (!agent->is_agent || mode == CHAT_AUTO)
		buf_addf(why, "local_wasm handlers are not run by this gateway: use chat mode echo, or a command or remote_mcp origin");
	if (fd >= 0)
		close(fd);
}

/* As execvp() will look for it. */
static void
check_command(const struct agent *agent, struct buf *why)
{
	const char *program = agent->argv[0];
	struct buf file = BUF_INIT;

	if (!program_find(program, &file))
		buf_addf(why, "unable to run '%s': %s", program, strerror(strchr(program, '/') ? errno : ENOENT));
	buf_release(&file);
}

/* Has it failed too often (restartPolicy), this time included? */
static bool
fails_too_often(struct service *service, const struct agent *agent)
{
	int64_t now = clock_monotonic_ms(), failures = 0;
	int i;

	service->failed_ms[service->next_failed] = now;
	service->next_failed = (service->next_failed + 1) % START_FAILURES;
	if (!agent->restarts)
		return false;
	for (i = 0; i < START_FAILURES; i++)
		failures += service->failed_ms[i] && now - service->failed_ms[i] < agent->window_s * 1000;
	return failures > agent->max_restarts;
}

static void
add_reason(struct buf *data, const char *key, const char *why)
{
	buf_reset(data);
	buf_addch(data, '{');
	jtext_add_text(data, key, why);
	buf_addch(data, '}');
}

static void
finish_start(struct op *op, const char *why)
{
	struct service *service = op->service;
	const struct agent *agent = service_agent(service);
	const char *id = service->id.s;
	struct buf data = BUF_INIT;
	struct step *step;
	bool quarantine;

	if (!agent) {
		not_found(op);
		return;
	}
	step = step_new(service);
	step->has_life = step->has_health = step->has_error = true;
	quarantine = why && !op->again && fails_too_often(service, agent);
	step->life = quarantine ? LIFE_QUARANTINED : why ? LIFE_STOPPED : LIFE_RUNNING;
	step->health = why ? HEALTH_DEGRADED : HEALTH_HEALTHY;
	if (why) {
		buf_addstr(&step->error, why);
		add_reason(&data, "error", why);
		step_event(step, "service.start_warning", LEVEL_WARN, data.s, "Service start warning for %s", id);
		add_reason(&data, "reason", why);
		if (quarantine)
			step_event(step, "service.quarantined", LEVEL_ERROR, data.s, "Service quarantined: %s", id);
		else
			step_event(step, "service.start_failed", LEVEL_ERROR, data.s, "Service start failed: %s", id);
	} else
		step_event(step, "service.started", LEVEL_INFO, NULL, "Service started: %s", id);
	if (op->act == SERVICES_RESTART || op->again) {
		step->restarted = true;
		step_event(step, "service.restarted", LEVEL_INFO, NULL, "Service restarted: %s", id);
	}
	if (why && !quarantine)
		again_later(service, agent);
	else
		again_never(service);
	breaker_reset(&service->breaker);
	buf_release(&data);
	step_run(step, after_act, op);
}

static void
after_opening(const struct mcp_answer *answer, void *payload)
{
	finish_start(payload, answer->outcome == MCP_OK ? NULL : answer->why);
}

static void
begin_start(struct op *op, const struct agent *agent)
{
	struct service *service = op->service;
	struct mcp_request request = { .method = NULL };
	struct buf why = BUF_INIT;

	switch (agent->origin) {
	case ORIGIN_LOCAL_WASM:
		check_wasm(service->services, agent, &why);
		break;
	case ORIGIN_RUNTIME:
		if (agent->argv) /* else it is the gateway's own */
			check_command(agent, &why);
		break;
	case ORIGIN_COMMAND:
		check_command(agent, &why);
		break;
	case ORIGIN_REMOTE_MCP:
		if (service_may_ask(service, &why)) {
			mcp_forget(service_mcp(service));
			mcp_call(service_mcp(service), &request, after_opening, op);
			return;
		}
		break;
	}
	finish_start(op, why.len ? why.s : NULL);
	buf_release(&why);
}

static void
check_start(struct op *op, const struct agent *agent)
{
	if (agent->state.lifecycle == LIFE_QUARANTINED)
		fail(op, 409, "service is quarantined: %s (use unquarantine first)", op->service->id.s);
	else if (!agent->enabled)
		fail(op, 409, "service is not enabled by its manifest: %s", op->service->id.s);
	else
		begin_start(op, agent);
}

/* ---- stop */

static struct step *
stop_step(struct service *service)
{
	struct step *step = step_new(service);
	struct buf why = BUF_INIT;

	buf_addf(&why, "service is not running: %s", service->id.s);
	service_retire(service, why.s);
	again_never(service);
	breaker_reset(&service->breaker);
	step->has_life = step->has_health = true;
	step->life = LIFE_STOPPED;
	step->health = HEALTH_UNKNOWN;
	step_event(step, "service.stopped", LEVEL_INFO, NULL, "Service stopped: %s", service->id.s);
	buf_release(&why);
	return step;
}

static void
after_stop(bool ok, const struct err *err, void *payload)
{
	struct op *op = payload;
	const struct agent *agent = service_agent(op->service);

	if (!ok)
		op_finish(op, err->http ? err->http : 503, NULL, err->text);
	else if (!agent)
		not_found(op);
	else
		begin_start(op, agent);
}

static void
begin_restart(struct op *op, const struct agent *agent)
{
	if (agent->state.lifecycle == LIFE_QUARANTINED || !agent->enabled)
		check_start(op, agent); /* says why not */
	else
		step_run(stop_step(op->service), after_stop, op);
}

static void
begin_stop(struct op *op, const struct agent *agent)
{
	/* a quarantine is only ended by name */
	if (agent->state.lifecycle == LIFE_QUARANTINED)
		reply_service(op);
	else
		step_run(stop_step(op->service), after_act, op);
}

static void
begin_unquarantine(struct op *op, const struct agent *agent)
{
	struct service *service = op->service;
	struct step *step;

	if (agent->state.lifecycle != LIFE_QUARANTINED) {
		reply_service(op);
		return;
	}
	breaker_reset(&service->breaker);
	memset(service->failed_ms, 0, sizeof service->failed_ms);
	step = step_new(service);
	step->has_life = step->has_health = step->has_error = true;
	step->life = LIFE_STOPPED;
	step->health = HEALTH_UNKNOWN;
	step_event(step, "service.unquarantined", LEVEL_INFO, NULL, "Service unquarantined: %s", service->id.s);
	step_run(step, after_act, op);
}

/* ---- introspection */

static void
after_interface(bool ok, const struct err *err, void *payload)
{
	struct op *op = payload;
	const struct agent *agent = service_agent(op->service);
	struct buf body = BUF_INIT;

	if (!ok)
		op_finish(op, err->http ? err->http : 503, NULL, err->text);
	else if (!agent)
		not_found(op);
	else {
		buf_addf(&body, "{\"interface\":%s}", agent->state.interface.s);
		op_finish(op, 200, &body, NULL);
		buf_release(&body);
	}
}

static void
after_introspection(const struct buf *interface, const char *why, void *payload)
{
	struct op *op = payload;
	struct service *service = op->service;
	struct span snapshot, revision;
	struct buf data = BUF_INIT;
	struct step *step;

	if (!interface) {
		fail(op, 502, "%s", why);
		return;
	}
	step = step_new(service);
	step->if_running = step->has_health = step->has_error = step->has_interface = true;
	step->health = HEALTH_HEALTHY;
	buf_add(&step->interface, interface->s, interface->len);
	snapshot = span_of(interface);
	jtext_get(snapshot, "interfaceRevision", &revision);
	buf_addf(&data, "{\"revision\":%.*s}", (int)revision.n, revision.s);
	step_event(step, "service.interface_refreshed", LEVEL_INFO, data.s, "Interface refreshed for %s", service->id.s);
	buf_release(&data);
	step_run(step, after_interface, op);
}

/* ---- remove */

static void
after_remove(bool ok, const struct err *err, void *payload)
{
	struct op *op = payload;
	struct buf body = BUF_INIT;

	if (!ok) {
		op_finish(op, err->http ? err->http : 503, NULL, err->text);
		return;
	}
	buf_addstr(&body, "{\"removed\":true,\"artifactRemoved\":false");
	jtext_add_buf(&body, "serviceId", &op->service->id);
	buf_addch(&body, '}');
	op_finish(op, 200, &body, NULL);
	buf_release(&body);
}

static void
begin_remove(struct op *op, const struct agent *agent)
{
	struct service *service = op->service;
	struct buf why = BUF_INIT;
	struct step *step;

	if (agent->path.len) {
		fail(op, 409, "service is declared in the directory of agents: %s (remove its file)", service->id.s);
		return;
	}
	buf_addf(&why, "service not found: %s", service->id.s);
	service_retire(service, why.s);
	again_never(service);
	buf_release(&why);
	step = step_new(service);
	step->remove = true;
	/* what a manifest points at is not the gateway's to remove */
	step_event(step, "service.removed", LEVEL_INFO,
	    op->cleanup ? "{\"cleanupArtifacts\":true,\"artifactRemoved\":false}"
			: "{\"cleanupArtifacts\":false,\"artifactRemoved\":false}",
	    "Service removed: %s", service->id.s);
	step_run(step, after_remove, op);
}

/* ---- one after another */

static bool
failed_last(const struct agent *agent)
{
	return agent->enabled && agent->restarts && agent->state.lifecycle == LIFE_STOPPED && agent->state.health == HEALTH_DEGRADED;
}

static void
op_begin(struct op *op)
{
	const struct agent *agent = service_agent(op->service);

	op->begun = true;
	if (!agent) {
		not_found(op);
		return;
	}
	if (op->again && !failed_last(agent)) {
		reply_service(op);
		return;
	}
	if (op->again)
		again_note(op->service);
	switch (op->act) {
	case SERVICES_START:
		check_start(op, agent);
		break;
	case SERVICES_STOP:
		begin_stop(op, agent);
		break;
	case SERVICES_RESTART:
		begin_restart(op, agent);
		break;
	case SERVICES_INTROSPECT:
		introspect(op->service, after_introspection, op);
		break;
	case SERVICES_UNQUARANTINE:
		begin_unquarantine(op, agent);
		break;
	case SERVICES_REMOVE:
		begin_remove(op, agent);
		break;
	}
}

void
acts_turn(struct services *services)
{
	struct service *service, *next;

	for (service = services->list; service; service = next) {
		next = service->next;
		if (service->op && !service->op->begun)
			op_begin(service->op);
	}
}

static struct op *
op_add(struct service *service, enum services_act act, services_done_cb *done, void *payload)
{
	struct op *op = xcalloc(1, sizeof *op);

	op->service = service;
	op->act = act;
	op->done = done;
	op->payload = payload;
	*service->last_op = op;
	service->last_op = &op->next;
	service->n_ops++;
	event_active(service->services->turn, EV_TIMEOUT, 1);
	return op;
}

void
services_act(struct services *services, enum services_act act, struct span id, bool cleanup, services_done_cb *done, void *payload)
{
	struct service *service = service_of(services, id);

	if (service->n_ops >= SERVICES_OPS_MAX)
		services_refuse(services, done, payload, 503, "too many requests for this service wait already");
	else
		op_add(service, act, done, payload)->cleanup = cleanup;
}

void
acts_try_again(struct service *service)
{
	if (!service->n_ops)
		op_add(service, SERVICES_START, services_nobody, NULL)->again = true;
}

void
acts_free(struct service *service)
{
	struct op *op;

	while ((op = service->op)) {
		service->op = op->next;
		free(op);
	}
}
