/* internal.h - what the files of compass/ share. Private to compass/. */
#ifndef COMPASS_INTERNAL_H
#define COMPASS_INTERNAL_H

#include "auth/auth.h"
#include "buf.h"
#include "compass/codes.h"
#include "compass/compass.h"
#include "compat.h"
#include "jtext.h"
#include "log/log.h"
#include "runtime/runtime.h"
#include "store/thread.h"
#include "trace.h"

struct agent_runtime;
struct chat;
struct chat_turn_call;
struct engine;
struct entry;
struct event;
struct board;
struct flight;
struct notice;
struct secrets;
struct watcher;

/* ---- what can be wrong: the codes of contract/openapi.json. One without a message needs the caller's. */

#define PROBLEMS(X) COMPASS_CODES(X)

enum problem {
	PROBLEM_NONE,
#define PROBLEM_ENUM(name, status, code, message) PROBLEM_##name,
	PROBLEMS(PROBLEM_ENUM)
#undef PROBLEM_ENUM
	    PROBLEM_COUNT
};

struct compass {
	struct compass_settings settings;
	struct runtime *runtime;
	struct engine *engines; /* runtimes of runs' agents */
	struct board *board;
	struct chat *chat;	       /* what runs are told by; NULL: there is none */
	struct call *asking;	       /* who started a turn of a run, until the turn has begun */
	struct chat_turn_call *parked; /* runs' turns that wait for a turn of the thread to end */
	struct flight *flights;	       /* turns that the runtime works on, and their last events on the way to the store */
	struct watcher *watchers;      /* open WebSockets */
	struct notice *notices;	       /* runtime notifications, oldest first */
	size_t n_notices;
	int64_t last_notice;
	const char *auth_mode; /* that the runtime notified last; NULL: none */
	struct event *tick;
	uint64_t ended[3]; /* turns, by enum runtime_outcome */
	bool draining;
	size_t stopping; /* runtimes that are not gone yet */
	void (*drained)(void *payload);
	void *drained_payload;
};
void compass_quiet(struct compass *compass); /* a turn has left */

/* ---- upgrade.c: a request with an Upgrade header. False: its path is no stream's, and it is a request like any other. */
bool upgrade_handle(struct compass *compass, struct request *request) USE_RESULT;
void upgrade_required(struct request *request); /* a plain request to a stream's path: 426 */

void account_heard(struct compass *compass, const char *method, struct span params); /* a notification of the runtime */

/* ---- call.c: one request on its way through the store */

void refuse_with(struct request *request, int status, const char *code, const char *message, const char *const *headers);
void refuse_problem(struct request *request, enum problem problem);

/* Members of the bodies, by the names they have there. */
struct call {
	struct compass *compass;
	struct request *request; /* NULL: answered */
	struct principal *who;
	struct buf thread, other; /* path parameters: the thread; the turn or approval */
	struct span body;	  /* the JSON value, SPAN_NONE without one; lives as long as the request */
	/* what apply has found out */
	enum problem problem;
	/* parsed */
	int mode, host; /* -1: not given */
	struct buf title, workspace, text;
	struct buf request_id, parent, source;
	struct buf model, effort, personality, approval_policy, sandbox_policy; /* sandbox_policy: JSON */
	struct buf rules;							/* JSON */
	struct buf cwd;
	struct buf decision, reason, result;
	bool has_title, has_archived, archived, has_rules;
	bool made_rules;   /* rules and cwd are what the store said, not the caller */
	bool async, known; /* known: the turn was there before */
	bool of_run;	   /* the thread is a run too */
	struct call *next; /* among those that wait for a run's turn */
	int state, limit;
	int64_t after;
	struct buf keys;   /* scratch */
	struct buf made;   /* id of the new thread or turn */
	struct buf native; /* the thread's runtime id */
	struct approval approval;
	struct trace trace;
	void (*step)(struct call *, struct change_context *, struct thread *, struct turn *, struct buf *); /* a call_step */
};

/* Takes who and what is in the two texts. */
struct call *call_begin(struct compass *compass, struct request *request, struct principal *who, struct buf *thread, struct buf *other);
void call_free(struct call *call);
void call_reply(struct call *call, int status, const struct buf *body); /* answers and frees */
void call_refuse(struct call *call, enum problem problem);		/* the same with an error */
void call_fail_text(struct call *call, int status, const char *code, const char *message, const char *const *headers);
bool call_refused(struct call *call,
    const struct change *change); /* true: answered and freed because the change did not work out; a problem in the call counts */
typedef bool call_apply(struct change *change, const void *row, struct change_context *context);
void call_store(struct call *call, call_apply *apply, void (*done)(struct change *)); /* a change with that apply, given to the store */
/* What most changes do at last: answers with change->answer, 201 when the call made something. */
void call_done(struct change *change);

/* The change as a step in the thread of the call, which is there and which its caller may see. The turn is an empty one for the step's use;
 * a problem set in the call undoes all. */
typedef void call_step(struct call *call, struct change_context *context, struct thread *thread, struct turn *turn, struct buf *answer);
struct change *call_change_in(struct call *call, call_step *step, void (*done)(struct change *)); /* step NULL: that it is there is all */
void call_store_in(struct call *call, call_step *step, void (*done)(struct change *));

/* True: the runtime did not do it, and that is answered; status and code when it refused and did not name its own. */
bool call_runtime_failed(struct call *call, const struct runtime_reply *reply, int status, const char *code);
bool call_has_runtime(struct call *call); /* false: the provider has none, and that is answered (503) */
bool call_member(const struct call *call, const struct buf *workspace);

typedef void handler_fn(struct call *call);
handler_fn threads_create, threads_list, threads_get, threads_patch, threads_delete, threads_mode; /* threads.c */
handler_fn turns_start, turns_get, turns_interrupt;						   /* turns.c */
handler_fn events_batch, events_list;								   /* events.c */
handler_fn approvals_list, approvals_get, approvals_answer;					   /* approvals.c */
handler_fn base_health, base_ping;							/* compass.c: anybody's, call.who is NULL */
handler_fn account_read, account_login, account_cancel, account_logout, account_limits; /* account.c */

/* Our environment without the secrets that open this gateway. To be freed; the texts are the environment's own. */
const char **compass_environment(void);
void compass_notice(const char *method, struct span params, void *payload); /* of a runtime, to the operator */
void compass_gone(const struct runtime_gone *gone, void *payload);

/* ---- valid.c: the contract's validation (section 5); the first issue ends it */

struct valid {
	struct buf message; /* "": no issue yet */
	struct span object;
};
#define VALID_INIT                                                                                                                         \
	{                                                                                                                                  \
		.message = BUF_INIT                                                                                                        \
	}
bool valid_body(struct valid *valid, struct span body);
enum { VALID_REQUIRED = 1, VALID_TRIM = 2 };
/* True: given and good. min: characters at least; max in UTF-16 units, 0: any. */
bool valid_string(struct valid *valid, const char *key, unsigned flags, size_t min, size_t max, struct buf *to);
/* Index of the word, -1: not given (or an issue). */
int valid_enum(struct valid *valid, const char *key, unsigned flags, const char *const *words, size_t n);
bool valid_bool(struct valid *valid, const char *key, bool *ret);
bool valid_array(struct valid *valid, const char *key, struct span *ret); /* required */
/* A number of the query: *ret stays when it is not given. */
void valid_query(struct valid *valid, const struct request *request, const char *key, int64_t min, int64_t max, int64_t *ret);
int valid_query_enum(struct valid *valid, const struct request *request, const char *key, const char *const *words, size_t n);
void valid_issue(struct valid *valid, const char *fmt, ...) PRINTF(2, 3);
const char *valid_type(struct span value); /* "string", ... */
/* True: there was an issue, and the call is answered with it. */
bool valid_failed(struct valid *valid, struct call *call);
extern const char *const valid_modes[THREAD_MODE_COUNT], *const valid_hosts[THREAD_HOST_COUNT];

/* ---- form.c */
void form_thread(struct buf *to, const struct thread *thread);
void form_turn(struct buf *to, const struct turn *turn);
void form_turn_answer(struct buf *to, const struct turn *turn); /* {"turn":...,"outputText":...} */
void form_event(struct buf *to, const struct entry *event);
void form_frame(struct buf *to, const struct entry *event);

/* ---- turns.c: on the store's thread, what a turn leaves in the log */
void turn_emit(struct change_context *context, const struct turn *turn, const char *method, const struct buf *payload);
void turn_emit_started(struct change_context *context, const struct turn *turn);
bool turn_interrupt(struct change_context *context, struct thread *thread, struct turn *turn); /* false: it had ended before */
void turn_emit_delta(struct change_context *context, const struct turn *turn, struct span text);
/* status, output and error are set; metadata SPAN_NONE: none; usage: JSON, "" or SPAN_NONE: not known. False: it had ended before. */
bool turn_finish(struct change_context *context, struct turn *turn, struct span metadata, struct span usage);

void turn_add_error(struct buf *to, const char *message, const char *code);

/* ---- held.c: bytes at the front of a text that may be given on now; the rest may be a part of a secret */
size_t held_safe(const struct secrets *secrets, const struct buf *held);

/* ---- flight.c: turns under way */
/* The store has the turn of this call: the runtime gets it. Unless the call is asynchronous it waits for the turn's end, and is answered
 * then. */
void flight_start(struct call *call);
/* The same of a run's message. Texts are taken; the turn's end goes to run_turn_ended(). */
struct flight_order {
	struct chat_turn_call *run;
	struct runtime *runtime;
	const struct agent_runtime *wants;
	struct buf turn, thread, native, rules, text;
	struct span options;  /* JSON object: what this turn wants otherwise than the agent; SPAN_NONE: nothing */
	struct call *waiting; /* to be answered at the end, or NULL */
	int64_t timeout_ms;   /* 0: as all */
	const struct trace *trace;
	bool full; /* there are too many runtimes: it fails, and is told so */
};
void flight_start_run(struct compass *compass, struct flight_order *order);
void flight_interrupt(struct compass *compass, const struct buf *turn, const struct buf *answer); /* the store has it as interrupted */
void flight_host_thread(const struct buf *thread, struct buf *to); /* how a session host knows the thread: params of thread/start */
void flight_approve(struct compass *compass, const struct approval *approval, enum runtime_decision decision,
    struct span result); /* the store has it as resolved */
bool flight_flies(const struct compass *compass, const struct runtime *runtime);
bool flight_is_here(const struct compass *compass, const struct buf *turn);
void flights_tick(struct compass *compass); /* approvals whose time has passed, what the store could not take before */
void flights_recover(struct compass *compass);
void flights_free(struct compass *compass);
void flights_count(const struct compass *compass, struct compass_stats *stats);

/* ---- approvals.c, on the store's thread */
void approvals_give_up(struct change_context *context, const struct turn *turn); /* nobody asks any more */
void approval_record(struct change_context *context, const struct turn *turn, struct approval *approval);
/* False: it was not pending. `by` and `reason` may be "". */
bool approval_resolve(struct change_context *context, struct approval *approval, const char *decision, const char *resolution,
    struct span by, struct span reason);
void approval_doc(struct approval *approval, const char *kind, const char *item, struct span params, int64_t now_ms, int64_t expires_ms);

/* On the loop: the approval lies among the questions for people, and what one of them answered there. */
void approval_put_on_board(struct compass *compass, const struct approval *approval);
void approvals_from_board(const struct buf *id, const struct buf *answer, void *payload);

/* ---- others.c: the result that came with an answer lies there for the gateway whose turn it is */
void approval_result_key(const struct buf *id, struct buf *to);

/* ---- rules: who answers an approval without a person */
enum runtime_decision decision_of(const char *text);
const char *decision_text(enum runtime_decision decision);
const char *approval_kind_text(enum runtime_approval_kind kind);
/* True: the rules, JSON as in a thread, decide this one. */
bool rules_decide(struct span rules, const char *kind, struct span params, enum runtime_decision *ret) USE_RESULT;
void rules_timeout(struct span rules, int64_t fallback_ms, int64_t *ret_ms, enum runtime_decision *ret_decision);

/* ---- watch.c: WebSockets */
void watch_thread(struct compass *compass, struct request *request, struct principal *who, const struct buf *thread);
void watch_runtime(struct compass *compass, struct request *request, struct principal *who);
void watch_notice(struct compass *compass, const char *method, struct span params);
void watch_forget_notices(struct compass *compass);
void watchers_tick(struct compass *compass);
void watchers_close(struct compass *compass);
void watchers_gone(struct compass *compass, const struct buf *thread); /* the thread was deleted */

#endif
