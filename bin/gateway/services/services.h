/* services.h - the door of services/: which agents there are, whether they run, and calls of their tools (Clarity contract sections 9 and
 * 12)
 *
 * Manifests that are applied, and what each service is doing, are documents in the store: what was answered survives a kill. Agents of the
 * directory of manifests belong to their files; of them only the state is stored. What is done to one service is done in the order in which
 * it was asked for; different services do not wait for each other. Events service.* are recorded in the transaction of the change that they
 * tell of.
 *
 * A tool call that finds the other side out of order counts for the service's circuit breaker; when it opens, the service is quarantined
 * until somebody says otherwise.
 */
#ifndef SERVICES_H
#define SERVICES_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"

struct agent;
struct agents;
struct err;
struct event_base;
struct log;
struct service_call;
struct secrets;
struct services;
struct trace;

#define SERVICES_OPS_MAX 1000		      /* of one service that wait */
#define SERVICES_INTERFACE_MAX (1024u * 1024) /* bytes of what introspection finds */
#define SERVICES_PAGES_MAX 100		      /* of one list that is introspected */

struct services_settings {
	const struct secrets *secrets; /* the operator's rules; NULL: the built-in ones only */
	struct event_base *base;
	struct log *log;
	struct agents *agents;
	const char *default_mode; /* of chats whose manifest says nothing: "auto", "echo" or "disabled" */
	bool apply_commands;	  /* command origins may be applied, not only declared in files */
};

/* The limits come from the environment (contract section 17). */
struct services *services_new(const struct services_settings *settings);
/* Takes up what was stored; waits for the store. A stored manifest that cannot be used is reported and left alone. Then starts what starts
 * by itself. False: the store cannot be read. */
bool services_load(
    struct services *services, void (*problem)(const struct err *err, void *payload), void *payload, struct err *err) USE_RESULT;
/* Another gateway on the same store has changed the document under this key. */
void services_heard(struct services *services, struct span key);
/* Calls that are under way end, refused. */
void services_stop(struct services *services);
void services_free(struct services *services); /* accepts NULL */

/* ---- what is done to services. http: the status; body: the compact JSON answer, or error: the text. Once, never from inside the call. */

typedef void services_done_cb(int http, const struct buf *body, const char *error, void *payload);

/* manifest: JSON. 400 with the contract's text when it is wrong. */
void services_apply(struct services *services, struct span manifest, services_done_cb *done, void *payload);

enum services_act { SERVICES_START, SERVICES_STOP, SERVICES_RESTART, SERVICES_INTROSPECT, SERVICES_UNQUARANTINE, SERVICES_REMOVE };
void services_act(
    struct services *services, enum services_act act, struct span service, bool cleanup, services_done_cb *done, void *payload);

/* ---- calls of tools */

/* ok: result is compact JSON. Not ok: why. Once, never from inside services_call(). */
typedef void services_call_cb(bool ok, struct span result, const char *why, void *payload);

struct services_request {
	struct span service, tool, arguments; /* arguments: a JSON object */
	const char *session, *run;	      /* NULL: none */
	int64_t timeout_ms;		      /* 0: the service's */
	const struct trace *trace;	      /* NULL: none */
};
struct service_call *services_call(
    struct services *services, const struct services_request *request, services_call_cb *done, void *payload);
void service_call_end(struct service_call *call, const char *why); /* its done() comes as ever, with this reason */

/* Is this kind of event recorded (CLARITY_AUDIT_INCLUDE_LIFECYCLE)? */
bool services_record(const struct services *services);

/* ---- what services look like (contract section 12), compact */

void service_summary(const struct agent *agent, int64_t now_ms, struct buf *to); /* an item of GET /api/services */
void service_record(const struct agent *agent, int64_t now_ms, struct buf *to);	 /* {manifest, runtime, interfaceSnapshot?} */
void service_interface(const struct agent *agent, struct buf *to); /* the members of the snapshot, nulls and empty lists without one */

#endif
