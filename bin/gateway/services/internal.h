/* internal.h - what the files of services/ share. Private to services/. */
#ifndef SERVICES_INTERNAL_H
#define SERVICES_INTERNAL_H

#include "agents/agents.h"
#include "err.h"
#include "log/log.h"
#include "services/breaker.h"
#include "services/services.h"

struct event;
struct fetcher;
struct mcp;
struct op;
struct service;
struct step;

#define START_FAILURES 64   /* failed starts that are remembered for restartPolicy */
#define AGAIN_FIRST_MS 1000 /* before a start that failed is tried again; each further time twice as long */
#define AGAIN_LONGEST_MS 30000

struct services {
	struct services_settings settings;
	struct fetcher *fetcher;
	/* from the environment */
	int64_t timeout_ms, payload_max, concurrency, retry_max, backoff_ms;
	char *allowed_hosts; /* " host host ", lower case; NULL: all */
	struct breaker_settings breaker;
	bool record;
	struct service *list;
	bool forget;		    /* there may be one in the list whose agent is not there */
	struct retired *retired;    /* connections of manifests that were replaced or removed */
	struct event *sweep;	    /* frees them when they are quiet */
	struct event *turn;	    /* starts what waits, tells what is known */
	struct service_call *calls; /* all that are not yet told */
	unsigned loading;
	struct err load_err;
	void (*problem)(const struct err *err, void *payload);
	void *problem_payload;
	struct docs *docs;
};

/* What this process knows of a service beside its agent. */
struct service {
	struct services *services;
	struct buf id;
	struct mcp *mcp; /* NULL: not used yet */
	struct breaker breaker;
	int64_t failed_ms[START_FAILURES]; /* failed starts, a ring */
	unsigned next_failed;
	int64_t tried_ms[START_FAILURES]; /* those that were tried again by themselves, a ring */
	unsigned next_tried;
	struct event *again;	  /* the next such try; NULL: none was needed yet */
	int64_t pause_ms;	  /* before it */
	bool opened;		  /* the breaker has, and the step that says so is on its way */
	struct op *op, **last_op; /* the first one is at work */
	size_t n_ops;
	unsigned calls; /* of its tools, not yet told */
	struct step *step, **last_step;
	bool storing; /* the first step is with the store */
	struct service *next;
};

struct service *service_of(struct services *services, struct span id);		  /* made when it is not there */
const struct agent *service_agent(const struct service *service);		  /* NULL: it has been removed */
struct mcp *service_mcp(struct service *service);				  /* of its agent, a remote_mcp one */
void service_retire(struct service *service, const char *why);			  /* its connection ends; the next one is made anew */
bool services_install(struct services *services, struct agent *agent) USE_RESULT; /* it counts from now on; false: there are too many */
void services_report(struct services *services, const char *id, const char *why); /* of a stored service */
/* done() comes from the loop, with this error. */
void services_refuse(struct services *services, services_done_cb *done, void *payload, int http, const char *text);
/* For acts that nobody waits for. */
services_done_cb services_nobody;
/* Texts that stand in the way of asking the endpoint; false with the reason in why. */
bool service_may_ask(const struct service *service, struct buf *why);

/* ---- one change of a service's state, with the events that tell of it. Steps of one service follow each other: what a step does not name
 * stays as the step before it has left it. */
struct step {
	struct service *service;
	bool has_life, has_health, has_error, has_interface, restarted, remove;
	bool if_running; /* the state is only changed when the service runs then; its events are recorded all the same */
	enum lifecycle life;
	enum health health;
	struct buf error, interface;
	struct {
		const char *kind;
		enum level level;
		struct buf message, data; /* data "": none */
	} events[4];
	size_t n_events;
	/* ok: it is stored. Not ok: err says why. May be NULL. */
	void (*then)(bool ok, const struct err *err, void *payload);
	void *payload;
	/* private to step.c */
	struct agent_state state;
	struct step *next;
};
struct step *step_new(struct service *service);
/* Adds an event; data is a JSON object or NULL. */
void step_event(struct step *step, const char *kind, enum level level, const char *data, const char *fmt, ...) PRINTF(5, 6);
void step_run(struct step *step, void (*then)(bool ok, const struct err *err, void *payload), void *payload); /* takes it over */
void step_free(struct step *step);

/* again.c: restartPolicy */
void again_later(struct service *service, const struct agent *agent); /* its start has failed */
void again_note(struct service *service);			      /* it is tried now */
void again_never(struct service *service);			      /* it runs, or is not to */

/* acts.c */
void acts_try_again(struct service *service); /* when its last start failed and nothing was done to it since */
void acts_turn(struct services *services);    /* begins what waits */
void acts_free(struct service *service);

/* calls.c */
void calls_tell(struct services *services); /* what ended before it was sent */
void calls_free(struct services *services);

/* shape.c: documents */
void service_save(const struct agent *agent, struct buf *doc);
bool service_load(const struct buf *doc, struct agent **ret, struct err *err) USE_RESULT;
void state_save(const struct agent_state *state, struct buf *doc);
void state_load(const struct buf *doc, struct agent_state *state);

/* introspect.c: tools/list and its like, page by page. done: interface is the snapshot, or NULL and why. */
typedef void introspect_cb(const struct buf *interface, const char *why, void *payload);
void introspect(struct service *service, introspect_cb *done, void *payload);

#endif
