/* compass.h - the door of compass/: threads, turns, their events and approvals, and the runtime's account, on /v1/agent (Compass contract)
 *
 * Routes, validation, shapes and texts are the contract's; where it lists a weakness, this does not have it:
 *  - One turn in progress per thread, held by the store. An interrupt reaches the runtime and is final. What was in progress when the
 *    gateway ended is closed as error when it starts again. A turn's error has a code beside its message.
 *  - Deltas are item.delta events as the runtime gives them; their texts in order are the answer. Further items of a turn come as
 *    item.started and item.completed.
 *  - `Prefer: respond-async` or `?wait=false` answers the start of a turn with 202 at once. A client that goes away ends no turn.
 *  - A runtime's request for approval is approval.requested; POST .../approvals/:approvalId answers it, or the thread's rules do, or its
 *    time passes.
 *  - A WebSocket gives every event after its cursor once and in order, pings, cuts a reader off that is too slow (1013: come back with the
 *    last cursor), ends when the caller's right ends (1008), and looks at Origin.
 *  - A stranger to a workspace gets 404 for its threads. The account needs the admin scope.
 */
#ifndef COMPASS_H
#define COMPASS_H

#include "compat.h"

struct auth;
struct chat;
struct chat_turns;
struct compass;
struct err;
struct entry;
struct event_base;
struct log;
struct request;
struct roots;
struct runtime;
struct runtime_host;
struct secrets;

#define COMPASS_BODY_MAX 102400			  /* bytes of a request's body (contract section 2) */
#define COMPASS_BATCH_MAX 1000			  /* events of one events:batch */
#define COMPASS_TURN_MS (INT64_C(1800) * 1000)	  /* of one turn, when nothing else is set; its clock stands while an approval is open */
#define COMPASS_APPROVAL_MS (INT64_C(300) * 1000) /* an approval nobody answers is declined after this time */
#define COMPASS_OUTPUT_MAX                                                                                                                 \
	(1024u * 1024) /* bytes of a turn's output of commands that are told as they run; their ends have what the runtime kept */
#define COMPASS_NOTES_MAX (1024u * 1024) /* bytes of a turn's events that wait for the store; beyond it the runtime waits */

enum compass_provider { PROVIDER_MOCK, PROVIDER_DYNAMIC_SESSIONS, PROVIDER_LOCAL_PROCESS, PROVIDER_LOCAL_DOCKER, PROVIDER_COUNT };
const char *compass_provider_text(enum compass_provider provider);
/* The provider of that name, letter case and blanks around it ignored. False: none. */
bool compass_provider_of(const char *text, enum compass_provider *ret) USE_RESULT;

struct compass_settings {
	struct event_base *base;
	struct log *log;
	struct auth *auth;
	const char *questions;	       /* directory of the questions for people, where approvals are put too; NULL: none */
	const struct secrets *secrets; /* the operator's rules; borrowed */
	enum compass_provider provider;
	const char *const *
	    command; /* NULL-ended: the stdio runtime; NULL: there is none, and without a host either `missing` says what is missing for it */
	const struct runtime_host *host;       /* a session host instead of a command; borrowed */
	const char *missing;		       /* "AGENT_RUNTIME_ENDPOINT is missing" */
	const char *oldest;		       /* version that the command must have, or NULL: any */
	const struct roots *roots;	       /* below which threads may be; borrowed */
	bool api_key;			       /* it logs in by itself: AGENT_RUNTIME_API_KEY_FILE, else OPENAI_API_KEY */
	bool enabled, cloud, local, switching; /* the contract's feature flags */
	int64_t turn_ms, approval_ms;
	void (*say)(const char *text, void *payload); /* what an operator should know: the runtime's notices; may be NULL */
	void *say_payload;
};

/* Errors: STATUS_CONFIG: the directory of the questions. */
struct compass *compass_new(const struct compass_settings *settings, struct err *err);

/* Closes the turns that an earlier gateway left in progress: before the first request, and whenever another gateway's turns have become
 * ours. */
void compass_recover(struct compass *compass);
/* Another gateway of the same store has stored this. */
void compass_heard(struct compass *compass, const struct entry *event);

/* Ends the streams and the turns; cb comes when nothing is under way any more. */
void compass_drain(struct compass *compass, int64_t grace_ms, void (*cb)(void *payload), void *payload);
void compass_free(struct compass *compass); /* after the server; accepts NULL */

struct compass_stats {
	uint64_t completed, interrupted, failed; /* turns, since the beginning */
	size_t turns, approvals;		 /* in progress; asked and not answered */
	bool has_runtime;
	const char *runtime_state;     /* a word of runtime_state_word() */
	uint64_t starts, unasked_ends; /* of the runtime's process; unasked: it ended by itself */
};
struct compass_stats compass_stats(const struct compass *compass);
/* What runs whose agent is a runtime are answered by (chat.h), and what a turn on a run's thread is told to; chat is borrowed. */
void compass_run_turns(struct compass *compass, struct chat *chat, struct chat_turns *ret);

/* Answers it, now or later. False: no path of this room (nothing answered). */
bool compass_handle(struct compass *compass, struct request *request) USE_RESULT;

#endif
