/* apply.c - a manifest that somebody brings becomes a service, or another service's new manifest */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "services/internal.h"
#include "xalloc.h"

struct apply {
	struct services *services;
	struct agent *agent;
	services_done_cb *done;
	void *payload;
};

static bool
apply_manifest(struct change *change, const void *row, struct change_context *context)
{
	const struct apply *apply = change->payload;
	const struct agent *agent = apply->agent;
	struct buf key = BUF_INIT, doc = BUF_INIT, text = BUF_INIT;

	(void)row;
	buf_addf(&key, "service/%s", agent->service.s);
	service_save(agent, &doc);
	change_put(context, span_of(&key), span_of(&doc));
	change_tell(context, span_of(&key));
	if (apply->services->record) {
		buf_reset(&doc);
		buf_addch(&doc, '{');
		jtext_add_text(&doc, "origin", agent_origin_text(agent));
		jtext_add_buf(&doc, "module", &agent->module);
		buf_addch(&doc, '}');
		buf_addf(&text, "Manifest applied for %s", agent->service.s);
		change_emit(context, STREAM_NONE, "service.manifest_applied", LEVEL_INFO, SPAN_NONE, span_of(&text),
		    span_of(&agent->service), span_of(&doc));
	}
	buf_release(&key);
	buf_release(&doc);
	buf_release(&text);
	return true;
}

void
services_nobody(int http, const struct buf *body, const char *error, void *payload)
{
	(void)http;
	(void)body;
	(void)error;
	(void)payload;
}

static bool
same_origin(const struct agent *a, const struct agent *b)
{
	return a->origin == b->origin && !strcmp(a->endpoint.s, b->endpoint.s) && !strcmp(a->auth_ref.s, b->auth_ref.s) &&
	    a->remote_timeout_ms == b->remote_timeout_ms && a->payload_max == b->payload_max && a->concurrency == b->concurrency;
}

bool
services_install(struct services *services, struct agent *agent)
{
	struct span id = { agent->service.s, agent->service.len };
	const struct agent *old = agents_by_service(services->settings.agents, id);
	bool other = old && !same_origin(old, agent);

	if (!agents_put(services->settings.agents, agent))
		return false;
	if (other)
		service_retire(service_of(services, id), "the service's manifest was replaced");
	return true;
}

/* The manifest is stored. */
static void
install(const struct apply *apply)
{
	struct services *services = apply->services;
	struct span id = { apply->agent->service.s, apply->agent->service.len };
	bool is_new = !agents_by_service(services->settings.agents, id);
	struct buf body = BUF_INIT;

	if (!services_install(services, apply->agent)) {
		/* checked before; two at once have taken the last place */
		agent_unref(apply->agent);
		apply->done(503, NULL, "unable to keep more services", apply->payload);
		return;
	}
	buf_addstr(&body, "{\"service\":");
	service_record(apply->agent, clock_wall_ms(), &body);
	buf_addch(&body, '}');
	apply->done(200, &body, NULL, apply->payload);
	buf_release(&body);
	if (is_new && apply->agent->autostart && apply->agent->enabled)
		services_act(services, SERVICES_START, id, false, services_nobody, NULL);
}

static void
after_apply(struct change *change)
{
	struct apply *apply = change->payload;

	if (change->result == CHANGE_DONE)
		install(apply);
	else {
		agent_unref(apply->agent);
		apply->done(change->result == CHANGE_REFUSED ? 400 : 503, NULL, change->err.text, apply->payload);
	}
	free(apply);
	change_free(change);
}

/* A refusal goes through the store's queue too, so that done() never comes from inside. */
static bool
apply_refusal(struct change *change, const void *row, struct change_context *context)
{
	(void)change;
	(void)row;
	(void)context;
	return false;
}

struct refusal {
	services_done_cb *done;
	void *payload;
	int http;
	struct buf text;
};

static void
after_refusal(struct change *change)
{
	struct refusal *refusal = change->payload;

	refusal->done(refusal->http, NULL, refusal->text.s, refusal->payload);
	buf_release(&refusal->text);
	free(refusal);
	change_free(change);
}

void
services_refuse(struct services *services, services_done_cb *done, void *payload, int http, const char *text)
{
	struct refusal *refusal = xcalloc(1, sizeof *refusal);
	struct change *change = change_new(after_refusal, refusal);

	refusal->done = done;
	refusal->payload = payload;
	refusal->http = http;
	buf_init(&refusal->text);
	buf_addstr(&refusal->text, text);
	change->apply = apply_refusal;
	log_change(services->settings.log, change);
}

void
services_apply(struct services *services, struct span manifest, services_done_cb *done, void *payload)
{
	const struct agent *old;
	struct agent *agent;
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	struct apply *apply;
	struct change *change;

	if (!agent_parse(manifest.s, manifest.n, "", &agent, &err)) {
		services_refuse(services, done, payload, 400, err.text);
		return;
	}
	old = agents_by_service(services->settings.agents, span_of(&agent->service));
	if (old && old->path.len) {
		buf_addf(&text, "service is declared in the directory of agents: %s (change its file)", agent->service.s);
		services_refuse(services, done, payload, 409, text.s);
	} else if ((agent->origin == ORIGIN_COMMAND || agent->origin == ORIGIN_RUNTIME) && !services->settings.apply_commands) {
		buf_addf(&text, "%s origins come from the directory of agents (or start the gateway with --apply-commands)",
		    agent_origin_text(agent));
		services_refuse(services, done, payload, 403, text.s);
	} else if (!old && agents_count(services->settings.agents) >= AGENTS_MAX)
		services_refuse(services, done, payload, 503, "unable to keep more services");
	else {
		agent->updated_ms = clock_wall_ms();
		agent->created_ms = old ? old->created_ms : agent->updated_ms;
		apply = xcalloc(1, sizeof *apply);
		apply->services = services;
		apply->agent = agent;
		apply->done = done;
		apply->payload = payload;
		change = change_new(after_apply, apply);
		change->apply = apply_manifest;
		log_change(services->settings.log, change);
		agent = NULL;
	}
	agent_unref(agent);
	buf_release(&text);
}
