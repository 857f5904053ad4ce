/* internal.h - what the files of clarity/ share. Private to clarity/. */
#ifndef CLARITY_INTERNAL_H
#define CLARITY_INTERNAL_H

#include "buf.h"
#include "clarity/clarity.h"
#include "compat.h"
#include "jtext.h"
#include "store/store.h"

struct entry;
struct event;
struct sse_client;

struct clarity {
	struct clarity_settings settings;
	struct sse_client *clients; /* open streams */
	struct event *tick;
};

/* A request that waits for the store. */
struct asked {
	struct clarity *clarity;
	struct request *request;
	struct buf run; /* decoded id, "" without */
	bool paged;	/* ?after= was given */
	int64_t after;
	int limit;
};
struct asked *asked_new(struct clarity *clarity, struct request *request, const struct buf *run);
void asked_free(struct asked *asked);

/* shape.c - what things look like on this wire */
void shape_event(const struct entry *event, struct buf *to); /* contract section 4, compact */
void shape_reply(
    struct request *request, int status, const char *const *headers, const struct buf *compact); /* pretty, as the contract prints */
int shape_limit(const struct request *request, int fallback);					 /* contract section 2 */
int shape_limit_of(const struct request *request, const char *name, int fallback);
/* The cursor of ?after= or Last-Event-ID. True: given; -1 in *ret when it is no cursor. */
bool shape_after(const struct request *request, bool header_too, int64_t *ret);
uint64_t shape_print(const struct request *request); /* fingerprint of path and body */
/* The body as a JSON object; an empty one is {}, and so is every other JSON value but null: none of them has members. False: answered. */
bool shape_body(struct request *request, struct span *ret);

/* words.c - an event that is stored in a thread's vocabulary, as an event of a run */
struct words {
	const char *kind; /* static */
	enum level level;
	struct buf message, data; /* data: compact JSON object */
};
void words_of_thread(const struct entry *event, struct words *ret);
void words_release(struct words *words);

/* conversation.c - what a request for the events of an id means: a run's, or a thread's as a run's for a member of its workspace */
struct conversation {
	bool thread;
	enum sharing shared; /* deltas for those who ask for them: `Prefer: deltas` or ?deltas=true */
};
typedef void conversation_cb(struct clarity *clarity, struct request *request, const struct buf *id, const struct conversation *what);
/* cb: now or later; whatever it is given lives as long as the call. */
void conversation_find(struct clarity *clarity, struct request *request, const struct buf *id, conversation_cb *cb);

/* Handlers; run is the decoded :id. Each answers. */
typedef void handler_fn(struct clarity *clarity, struct request *request, const struct buf *run);
handler_fn post_event;						/* events.c */
handler_fn list_events, list_runs, list_run_events, list_audit; /* lists.c */
handler_fn stream_run, stream_all;				/* stream.c */
handler_fn post_message, post_hitl, post_cancel;		/* messages.c */
handler_fn get_registry, get_status;				/* status.c */
handler_fn get_a2a, post_a2a;					/* a2a.c */

handler_fn post_mcp; /* mcp.c */
handler_fn list_services, get_service, get_service_interface, get_service_logs, get_service_events,
    get_service_details; /* services.c; run is the service's id */
handler_fn apply_service, start_service, stop_service, restart_service, introspect_service, unquarantine_service, remove_service;

void streams_tick(struct clarity *clarity);
void streams_close(struct clarity *clarity);

#endif
