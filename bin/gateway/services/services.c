/* services.c - the set of services: taken up at the start, applied, and what this process knows of each */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/event.h>

#include "clock.h"
#include "fetch/fetch.h"
#include "mcp/mcp.h"
#include "num.h"
#include "services/internal.h"
#include "status.h"
#include "xalloc.h"

#define SWEEP_MS 200 /* how often retired connections are looked at */

struct retired {
	struct mcp *mcp;
	struct retired *next;
};

/* ---- the environment (contract section 17) */

static int64_t
from_env(const char *name, int64_t fallback)
{
	const char *text = getenv(name);
	int64_t n;

	return text && num_i64(text, strlen(text), &n) && n > 0 && n <= INT64_C(1) << 31 ? n : fallback;
}

static double
rate_from_env(const char *name, double fallback)
{
	const char *text = getenv(name);
	char *end;
	double rate;

	if (!text || !*text)
		return fallback;
	rate = strtod(text, &end);
	return *end || !(rate > 0 && rate <= 1) ? fallback : rate;
}

/* "a, B" as " a b ". */
static char *
hosts_from_env(const char *name)
{
	const char *text = getenv(name);
	struct buf hosts = BUF_INIT;

	if (!text || !text[strspn(text, " ,\t")])
		return NULL;
	buf_addch(&hosts, ' ');
	for (; *text; text++) {
		char c = *text;

		buf_addch(&hosts, c == ',' || c == '\t' ? ' ' : c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c);
	}
	buf_addch(&hosts, ' ');
	return buf_detach(&hosts, NULL);
}

static bool
flag_from_env(const char *name)
{
	static const char *const yes[] = { "1", "true", "yes", "on" };
	const char *text = getenv(name);
	size_t i;

	if (!text)
		return true;
	for (i = 0; i < ARRAY_LEN(yes); i++)
		if (!strcasecmp(text, yes[i]))
			return true;
	return false;
}

/* ---- one service */

struct service *
service_of(struct services *services, struct span id)
{
	struct service *service;

	for (service = services->list; service; service = service->next)
		if (service->id.len == id.n && !memcmp(service->id.s, id.s, id.n))
			return service;
	service = xcalloc(1, sizeof *service);
	service->services = services;
	buf_init(&service->id);
	buf_add(&service->id, id.s, id.n);
	service->last_op = &service->op;
	service->last_step = &service->step;
	service->next = services->list;
	services->list = service;
	services->forget |= !service_agent(service);
	return service;
}

const struct agent *
service_agent(const struct service *service)
{
	return agents_by_service(service->services->settings.agents, span_of(&service->id));
}

struct mcp *
service_mcp(struct service *service)
{
	const struct services *services = service->services;
	const struct agent *agent = service_agent(service);
	struct mcp_settings settings = {
		.name = service->id.s, .retry_max = (unsigned)services->retry_max, .retry_backoff_ms = services->backoff_ms
	};

	if (service->mcp)
		return service->mcp;
	settings.endpoint = agent->endpoint.s;
	settings.auth_ref = agent->auth_ref.len ? agent->auth_ref.s : NULL;
	settings.sse = agent->sse;
	settings.timeout_ms = agent->remote_timeout_ms ? agent->remote_timeout_ms : services->timeout_ms;
	settings.payload_max = (size_t)(agent->payload_max ? agent->payload_max : services->payload_max);
	settings.concurrency = (unsigned)(agent->concurrency ? agent->concurrency : services->concurrency);
	service->mcp = mcp_new(services->settings.base, services->fetcher, &settings);
	return service->mcp;
}

void
service_retire(struct service *service, const char *why)
{
	struct services *services = service->services;
	struct timeval after = { 0, SWEEP_MS * 1000 };
	struct retired *retired;

	if (!service->mcp)
		return;
	mcp_stop(service->mcp, why);
	retired = xcalloc(1, sizeof *retired);
	retired->mcp = service->mcp;
	retired->next = services->retired;
	services->retired = retired;
	service->mcp = NULL;
	event_add(services->sweep, &after);
}

static void
on_sweep(evutil_socket_t fd, short what, void *payload)
{
	struct services *services = payload;
	struct retired **at = &services->retired;
	struct timeval again = { 0, SWEEP_MS * 1000 };

	(void)fd;
	(void)what;
	while (*at) {
		struct retired *retired = *at;

		if (mcp_count(retired->mcp)) {
			at = &retired->next;
			continue;
		}
		*at = retired->next;
		mcp_free(retired->mcp);
		free(retired);
	}
	if (services->retired)
		event_add(services->sweep, &again);
}

bool
service_may_ask(const struct service *service, struct buf *why)
{
	const char *hosts = service->services->allowed_hosts;
	const struct agent *agent = service_agent(service);
	struct buf mark = BUF_INIT;
	bool ok;

	if (!hosts)
		return true;
	buf_addf(&mark, " %s ", agent->host.s);
	ok = strstr(hosts, mark.s);
	buf_release(&mark);
	if (!ok)
		buf_addf(why, "remote endpoint host '%s' is not in CLARITY_REMOTE_ALLOWED_HOSTS", agent->host.s);
	return ok;
}

bool
services_record(const struct services *services)
{
	return services->record;
}

/* ---- taking up what was stored */

void
services_report(struct services *services, const char *id, const char *why)
{
	struct err err = ERR_INIT;

	err_set(&err, STATUS_CONFIG, "unable to use the stored service '%s': %s", id, why);
	services->problem(&err, services->problem_payload);
}

static void
take_service(struct services *services, const struct doc *doc)
{
	const char *id = doc->key.s + strlen("service/");
	struct agent *agent;
	struct err err = ERR_INIT;

	if (agents_by_service(services->settings.agents, (struct span){ id, strlen(id) })) {
		services_report(services, id, "a file in the directory of agents declares it");
		return;
	}
	if (!service_load(&doc->text, &agent, &err)) {
		services_report(services, id, err.text);
		return;
	}
	if (!agents_put(services->settings.agents, agent)) {
		services_report(services, id, "there are too many");
		agent_unref(agent);
	}
}

static void
take_state(struct services *services, const struct doc *doc)
{
	const char *id = doc->key.s + strlen("state/");
	struct agent_state *state = agents_state(services->settings.agents, (struct span){ id, strlen(id) });

	if (!state)
		return; /* its file has gone; it may come back */
	state_load(&doc->text, state);
	state->since_ms = clock_wall_ms();
}

static void
on_docs(struct docs *docs)
{
	struct services *services = docs->payload;
	bool manifests = !strcmp(docs->prefix, "service/");
	size_t i;

	services->loading--;
	if (docs->err.status)
		services->load_err = docs->err;
	for (i = 0; i < docs->n; i++)
		if (manifests)
			take_service(services, &docs->list[i]);
		else
			take_state(services, &docs->list[i]);
	docs_free(docs);
}

bool
services_load(struct services *services, void (*problem)(const struct err *err, void *payload), void *payload, struct err *err)
{
	const struct agents *agents = services->settings.agents;
	size_t i;

	services->problem = problem;
	services->problem_payload = payload;
	services->loading = 2;
	log_docs(services->settings.log, docs_new("service/", on_docs, services));
	log_docs(services->settings.log, docs_new("state/", on_docs, services));
	log_settle(services->settings.log);
	if (services->load_err.status) {
		*err = services->load_err;
		return err_prefix(err, "unable to read the services");
	}
	for (i = 0; i < agents_count(agents); i++) {
		const struct agent *agent = agents_at(agents, i);

		if (agent->enabled && agent->autostart && agent->state.lifecycle == LIFE_REGISTERED)
			services_act(services, SERVICES_START, span_of(&agent->service), false, services_nobody, NULL);
		else if (agent->enabled && agent->state.lifecycle == LIFE_STOPPED && agent->state.health == HEALTH_DEGRADED)
			again_later(service_of(services, span_of(&agent->service)), agent);
	}
	return true;
}

/* ---- life cycle */

static void on_turn(evutil_socket_t fd, short what, void *payload);

struct services *
services_new(const struct services_settings *settings)
{
	struct services *services = xcalloc(1, sizeof *services);

	services->settings = *settings;
	services->timeout_ms = from_env("CLARITY_REMOTE_DEFAULT_TIMEOUT_MS", 20000);
	services->payload_max = from_env("CLARITY_REMOTE_MAX_PAYLOAD_BYTES", 1048576);
	services->concurrency = from_env("CLARITY_REMOTE_MAX_CONCURRENCY", 8);
	services->retry_max = from_env("CLARITY_REMOTE_RETRY_MAX", 0);
	services->backoff_ms = from_env("CLARITY_REMOTE_RETRY_BACKOFF_MS", 150);
	services->allowed_hosts = hosts_from_env("CLARITY_REMOTE_ALLOWED_HOSTS");
	services->breaker.window_ms = from_env("CLARITY_TOOL_CIRCUIT_WINDOW_SECONDS", 60) * 1000;
	services->breaker.min_calls = (unsigned)from_env("CLARITY_TOOL_CIRCUIT_MIN_CALLS", 8);
	services->breaker.rate = rate_from_env("CLARITY_TOOL_CIRCUIT_ERROR_RATE", 0.6);
	services->record = flag_from_env("CLARITY_AUDIT_INCLUDE_LIFECYCLE");
	services->fetcher = fetcher_new(settings->base, "agent-gateway/" PACKAGE_VERSION);
	services->sweep = event_new(settings->base, -1, 0, on_sweep, services);
	services->turn = event_new(settings->base, -1, 0, on_turn, services);
	return services;
}

static void
service_free(struct service *service)
{
	struct step *step;

	mcp_free(service->mcp);
	again_never(service);
	acts_free(service);
	while ((step = service->step)) {
		service->step = step->next;
		step_free(step);
	}
	buf_release(&service->id);
	free(service);
}

/* Of a service that was removed nothing is kept. */
static void
forget_removed(struct services *services)
{
	struct service **at = &services->list;

	if (!services->forget)
		return;
	services->forget = false;
	while (*at) {
		struct service *service = *at;
		bool busy = service->op || service->step || service->calls || service->mcp;

		if (busy || service_agent(service)) {
			services->forget |= busy && !service_agent(service);
			at = &service->next;
			continue;
		}
		*at = service->next;
		service_free(service);
	}
}

static void
on_turn(evutil_socket_t fd, short what, void *payload)
{
	(void)fd;
	(void)what;
	calls_tell(payload);
	acts_turn(payload);
	forget_removed(payload);
}

void
services_stop(struct services *services)
{
	struct service *service;

	for (service = services->list; service; service = service->next)
		if (service->mcp)
			mcp_stop(service->mcp, "the gateway is stopping");
}

void
services_free(struct services *services)
{
	struct service *service;
	struct retired *retired;

	if (!services)
		return;
	while ((service = services->list)) {
		services->list = service->next;
		service_free(service);
	}
	while ((retired = services->retired)) {
		services->retired = retired->next;
		mcp_free(retired->mcp);
		free(retired);
	}
	calls_free(services);
	fetcher_free(services->fetcher);
	event_free(services->sweep);
	event_free(services->turn);
	free(services->allowed_hosts);
	free(services);
}
