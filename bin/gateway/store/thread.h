/* thread.h - threads, their turns and the approvals these ask for: rows of the store, kept in the transaction of the events that tell of
 * them
 *
 * For apply functions of a change only, on the store's thread. One turn in progress per thread, whoever asks at the same time: a unique
 * index holds it. A turn ends once: ending it is an update that looks for one in progress. Secrets are taken out of a turn's texts here
 * (secrets.h).
 *
 * Each function that fails on the disk makes the whole batch fail (CHANGE_FAILED) and answers as if there were nothing.
 */
#ifndef THREAD_H
#define THREAD_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"
#include "store/store.h"

struct change_context;

enum thread_status { THREAD_IDLE, THREAD_IN_PROGRESS, THREAD_COMPLETED, THREAD_INTERRUPTED, THREAD_ERROR, THREAD_STATUS_COUNT };
enum thread_mode { THREAD_CLOUD, THREAD_LOCAL, THREAD_MODE_COUNT };
enum thread_host { THREAD_DYNAMIC_SESSIONS, THREAD_DESKTOP_LOCAL, THREAD_HOST_COUNT };
const char *thread_status_text(enum thread_status status); /* "inProgress" */
const char *thread_mode_text(enum thread_mode mode);
const char *thread_host_text(enum thread_host host);

struct thread {
	struct buf id, workspace;
	struct buf title;  /* "": none */
	struct buf native; /* the runtime's own id of it, "": not known to the runtime yet */
	struct buf rules;  /* JSON: who answers its approvals, "": nobody said */
	struct buf cwd;	   /* where its turns are, for good; "": where the runtime is */
	enum thread_status status;
	enum thread_mode mode;
	enum thread_host host;
	bool archived;
	bool session;				     /* it has been a cloud thread: it has a session identifier */
	int64_t created_ms, updated_ms, switched_ms; /* switched 0: never */
};

struct turn {
	struct buf id, thread;
	struct buf input, output;
	struct buf error;			    /* JSON object, "": none */
	struct buf parent, source;		    /* turns, "": none */
	struct buf request;			    /* clientRequestId, "": none */
	struct buf user_message, assistant_message; /* ids of messages, "": none */
	bool has_output;
	enum thread_status status; /* never THREAD_IDLE */
	enum thread_mode mode;
	enum thread_host host;
	int64_t started_ms, completed_ms; /* completed 0: in progress */
	int64_t owner;			  /* change_gateway() of who works on it */
};

struct approval {
	struct buf id, thread, turn;
	struct buf doc; /* JSON object: what is shown of it */
	bool pending;
	int64_t created_ms;
};

void thread_init(struct thread *thread);
void thread_release(struct thread *thread);
void turn_init(struct turn *turn);
void turn_release(struct turn *turn);
void approval_init(struct approval *approval);
void approval_release(struct approval *approval);
void approval_copy(struct approval *to, const struct approval *from); /* into one that is not initialised */

/* An event of a thread; turn SPAN_NONE: of none; by: the user who sent it, SPAN_NONE: the gateway's own word; payload: compact JSON. Its
 * cursor. */
int64_t change_emit_thread(
    struct change_context *context, struct span thread, struct span method, struct span turn, struct span by, struct span payload);

/* A run that is a thread too: what happens in it is also for the readers of the run. For good. */
void change_share_thread(struct change_context *context, struct span thread);
bool change_thread_shared(struct change_context *context, struct span thread);
/* A thread that becomes a run too: its events so far are the run's from now on, and so is the end of the turn that is in progress. */
void change_adopt_thread(struct change_context *context, struct span thread);
/* Was this turn begun before its thread became a run? Then the run has no words of its own about its end. */
bool change_turn_alone(struct change_context *context, struct span turn);
void change_turn_alone_over(struct change_context *context, struct span turn);
/* The run side's word about a thread: its own readers do not see it. */
int64_t change_emit_run_word(struct change_context *context, struct span thread, const char *kind, enum level level, struct span data);

/* Those that fill *ret expect it initialised and empty. */
bool change_thread_get(struct change_context *context, struct span id, struct thread *ret) USE_RESULT;
void change_thread_put(struct change_context *context, const struct thread *thread); /* a new one, or what it has become */
void change_thread_drop(struct change_context *context, struct span id);	     /* its turns and approvals too; events stay */
enum thread_state { THREAD_REGULAR, THREAD_ARCHIVED, THREAD_ALL };
typedef void thread_each_cb(const struct thread *thread, void *payload);
void change_thread_list(struct change_context *context, struct span workspace, enum thread_state state, int limit, thread_each_cb *cb,
    void *payload); /* newest change first */

bool change_turn_get(struct change_context *context, struct span id, struct turn *ret) USE_RESULT;
bool change_turn_by_request(struct change_context *context, struct span thread, struct span request, struct turn *ret) USE_RESULT;
bool change_turn_open(struct change_context *context, struct span thread,
    struct turn *ret) USE_RESULT; /* the one in progress; thread SPAN_NONE: any that an earlier gateway
										   left behind, and that is this one's to end */
bool change_turn_add(struct change_context *context,
    struct turn *turn) USE_RESULT; /* false: the thread has one in progress, or one with this request; nothing is stored */
bool change_turn_end(struct change_context *context,
    struct turn *turn) USE_RESULT; /* status, output, error, assistant_message; false: it was not in progress */

bool change_approval_get(struct change_context *context, struct span id, struct approval *ret) USE_RESULT;
void change_approval_add(struct change_context *context, const struct approval *approval);
bool change_approval_end(struct change_context *context, struct span id, struct span doc) USE_RESULT; /* false: it was not pending */
typedef void approval_each_cb(const struct approval *approval, void *payload);
/* Oldest first; turn SPAN_NONE: all of the thread. */
void change_approval_list(
    struct change_context *context, struct span thread, struct span turn, bool pending, int limit, approval_each_cb *cb, void *payload);

#endif
