/* heard.c - what another gateway on the same store has done to a service is so here too */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "services/internal.h"
#include "xalloc.h"

struct heard {
	struct services *services;
	struct buf key;
};

static void
removed(struct services *services, struct span id)
{
	struct service *service = service_of(services, id);
	struct buf why = BUF_INIT;

	buf_addf(&why, "service not found: %.*s", (int)id.n, id.s);
	service_retire(service, why.s);
	again_never(service);
	agents_remove(services->settings.agents, id);
	services->forget = true;
	buf_release(&why);
}

static void
hear_manifest(struct services *services, struct span id, const struct buf *doc)
{
	const struct agent *agent = agents_by_service(services->settings.agents, id);
	struct agent *fresh;
	struct err err = ERR_INIT;

	if (agent && agent->path.len)
		return; /* here it belongs to a file */
	if (!doc) {
		if (agent)
			removed(services, id);
		return;
	}
	if (!service_load(doc, &fresh, &err)) {
		services_report(services, id.s, err.text);
		return;
	}
	if (!services_install(services, fresh)) {
		services_report(services, id.s, "there are too many");
		agent_unref(fresh);
	}
}

static void
hear_state(struct services *services, struct span id, const struct buf *doc)
{
	struct agent_state *state = agents_state(services->settings.agents, id);
	enum lifecycle before;
	struct service *service;

	if (!state || !doc)
		return;
	before = state->lifecycle;
	state_load(doc, state);
	if (state->lifecycle == before)
		return;
	state->since_ms = clock_wall_ms();
	service = service_of(services, id);
	breaker_reset(&service->breaker);
	if (state->lifecycle != LIFE_RUNNING)
		service_retire(service, "another gateway has stopped the service");
	else
		again_never(service);
}

static void
on_docs(struct docs *docs)
{
	struct heard *heard = docs->payload;
	const struct buf *doc = NULL;
	const char *id = strchr(heard->key.s, '/') + 1;
	struct span span = { id, strlen(id) };
	size_t i;

	/* others begin with the same letters */
	for (i = 0; i < docs->n && !doc; i++)
		if (!strcmp(docs->list[i].key.s, heard->key.s))
			doc = &docs->list[i].text;
	if (docs->err.status)
		services_report(heard->services, id, docs->err.text);
	else if (!strncmp(heard->key.s, "service/", 8))
		hear_manifest(heard->services, span, doc);
	else
		hear_state(heard->services, span, doc);
	docs_free(docs);
	buf_release(&heard->key);
	free(heard);
}

void
services_heard(struct services *services, struct span key)
{
	struct heard *heard;

	if (strncmp(key.s, "service/", 8) != 0 && strncmp(key.s, "state/", 6) != 0)
		return;
	heard = xcalloc(1, sizeof *heard);
	heard->services = services;
	buf_init(&heard->key);
	buf_add(&heard->key, key.s, key.n);
	log_docs(services->settings.log, docs_new(heard->key.s, on_docs, heard));
}
