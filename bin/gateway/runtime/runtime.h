/* runtime.h - the door of runtime/: turns, calls and approvals of a runtime, a program that speaks agent-runtime(7) on its standard input
 * and output
 *
 * One struct runtime supervises one command. The program is started when it is first needed, in a process group of its own, greeted
 * (initialize, initialized), and then serves any number of threads. When it ends, everything that was under way fails at once and says so;
 * nothing is ever sent twice. The next need starts it again, after a pause that grows while it keeps ending. Each start is a generation;
 * whatever a child of an earlier generation may still say reaches nobody.
 *
 * Turns, calls and approvals are named by numbers that are never 0 and never used again, so a late use of one is harmless: it gives false.
 * All functions run on the loop's thread. No callback comes from inside the function that asked for it; inside a callback every function
 * may be called but runtime_free(). Spans and texts in a callback live until it returns. The process must ignore SIGPIPE.
 * There is no store, no HTTP and no policy here.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include "buf.h"
#include "compat.h"
#include "fault.h"
#include "jtext.h"
#include "usage.h"

#include <sys/types.h>

struct event_base;
struct runtime;
struct trace;

#define RUNTIME_LINE_MAX (16u * 1024 * 1024)   /* bytes in one line of the child; a longer one ends it */
#define RUNTIME_UNSENT_MAX (32u * 1024 * 1024) /* bytes the child has not read yet; past it nothing more is sent, RUNTIME_FAULT_BUSY */
#define RUNTIME_TEXT_MAX (16u * 1024 * 1024)   /* bytes of one turn's answer that runtime_end holds; the rest is in the deltas only */
#define RUNTIME_GARBAGE_MAX 100		       /* lines in a row that are no messages; one more ends the child */
#define RUNTIME_TURNS_MAX 256		       /* turns at once, waiting ones included */
#define RUNTIME_CALLS_MAX 256		       /* calls of runtime_call() at once */
#define RUNTIME_APPROVALS_MAX 64	       /* open approvals of one turn; further ones are declined */
#define RUNTIME_ERRORS_MAX 8192		       /* bytes kept of the end of the child's standard error */
#define RUNTIME_KEY_MAX 4096		       /* bytes of a key's file */
#define RUNTIME_INIT_TIMEOUT_MS 30000
#define RUNTIME_CALL_TIMEOUT_MS 30000
#define RUNTIME_INTERRUPT_TIMEOUT_MS 10000
#define RUNTIME_TERM_GRACE_MS 2000 /* after closing standard input and SIGTERM, before SIGKILL; always the whole group */
#define RUNTIME_PAUSE_MIN_MS 100   /* after an end that was not asked for: the first pause, doubling to ... */
#define RUNTIME_PAUSE_MAX_MS 30000 /* ... this; back to the first when a child stayed RUNTIME_STEADY_MS or completed a turn */
#define RUNTIME_STEADY_MS 10000
#define RUNTIME_PATIENCE_MS 1000 /* what is asked during a pause waits for its end if that is this near; else it fails at once */

/* "start", "gone", "turn-timeout" ... Static storage. */
const char *runtime_fault_word(enum runtime_fault fault);

enum runtime_state {
	RUNTIME_IDLE,	  /* not running; the next need starts it */
	RUNTIME_STARTING, /* started, not greeted yet */
	RUNTIME_READY,
	RUNTIME_ENDING,	 /* told to end, or ended and not yet reaped */
	RUNTIME_PAUSED,	 /* not running, and not started again before the pause is over */
	RUNTIME_STOPPED, /* for good */
};
const char *runtime_state_word(enum runtime_state state); /* static storage */

/* ---- a session host (Compass contract section 11) somewhere, instead of a command
 *
 * A thread is a session there: its id is the identifier. thread_params of a turn (and the params of thread/start) may have `identifier` and
 * `clientThreadId`, turn_params `clientThreadId` and `clientTurnId`: the names of these things here, which the host is told. Bootstrap goes
 * before each turn. A host that streams gives the pieces of the answer as they come. What it says about the turn is the end's metadata. A
 * host that streams and can ask what the runtime there wants approved is answered; one that cannot declines it itself. The options of a
 * turn go along in its body, which a host may pass over. */

#define RUNTIME_REQUEST_MS 30000 /* until a host's answer begins, and between two pieces of it */
#define RUNTIME_HOST_TURN_MS                                                                                                               \
	150000 /* the same for a turn, where nothing is set: a host that does not stream is silent until the turn has ended */
#define RUNTIME_HOST_SILENCE_MS 60000		   /* of a host that streams; it is to show itself more often */
#define RUNTIME_HOST_BODY_MAX (128u * 1024 * 1024) /* bytes of an answer */
#define RUNTIME_HOST_STREAM_MS 300000		   /* the same for the account's notices, of which a host may have none */
#define RUNTIME_HOST_TRIES 3			   /* of a request to a pool that was not sent, or for which it had no room (429) */
#define RUNTIME_HOST_PAUSE_MAX_MS 5000		   /* longest pause before the next try */
#define RUNTIME_HOST_STOP_MS 5000		   /* an interrupted turn the host does not end by then is left to itself */
#define RUNTIME_TOKEN_RESOURCE "https://dynamicsessions.io"

/* One in a container of our own (container.h); all texts borrowed. */
struct runtime_container {
	const char *engine; /* the command, its words parted by blanks: "podman --runtime runc" */
	const char *image;
	const char *memory, *cpus, *pids; /* as the engine takes them */
	const char *secret_file;	  /* holds the container's token, mode 0600; the container's name is made from its path */
	const char *env_file;		  /* NULL: none; further variables of the container, as keys of a model */
};

struct runtime_host {
	const char *endpoint;			   /* http://, https://, or unix:/path; its path is kept */
	const struct runtime_container *container; /* NULL: none; else there is no endpoint until it has been started */
	bool pool;				   /* Dynamic Sessions: a token for each request, and no account */
	int64_t request_ms;			   /* 0: RUNTIME_REQUEST_MS, and RUNTIME_HOST_TURN_MS for a turn */
	const char *token, *token_file;		   /* NULL: a managed identity's where it is a pool, else none */
	const char *token_resource, *token_client; /* of the managed identity; NULL: RUNTIME_TOKEN_RESOURCE, the only identity there is */
};
/* NULL, or what is wrong with such an endpoint; static. */
const char *runtime_host_wrong(const char *endpoint);

/* ---- the runtime itself */

struct runtime_settings {
	const char *const *argv;	 /* NULL-ended; copied, as everything here is; NULL with a host */
	const struct runtime_host *host; /* instead of a command; borrowed, with its texts */
	const char *dir;		 /* the child's working directory; NULL: ours */
	const char *const *env;		 /* NULL-ended "NAME=value", besides PATH, HOME and the like; NULL: none */
	bool whole_env;			 /* it gets all of our environment, then env */
	bool keep;			 /* start it now, and again when it ended, without being asked */
	int64_t idle_ms;		 /* end it when it had nothing to do for this long; 0: never */
	int64_t init_timeout_ms;	 /* these: 0 takes the default above */
	int64_t call_timeout_ms;	 /* thread/start, thread/resume, turn/start and the calls below */
	int64_t interrupt_timeout_ms;	 /* a turn that was told to stop and has not by then: the child is ended, others' turns with it */
	int64_t approval_timeout_ms;	 /* an approval nobody answered is declined; 0: it waits as long as its turn */
	int64_t pause_min_ms, pause_max_ms;
	size_t line_max;
	/* It logs in with a key before it is ready, unless it has an account or needs none: the file's, else the environment's. Read at
	 * each start, kept nowhere. NULL: not. */
	const char *key_file, *key_variable;
	const char *oldest; /* version that its greeting must have at least, or it is ended (VERSION); NULL: any */
};

struct runtime_gone {
	uint64_t generation;
	enum runtime_fault fault; /* NONE: it was asked to (idle, stop) */
	int exit_status;	  /* -1 when a signal ended it, or it never ran */
	int signal;		  /* 0 when it ended by itself */
	const char *message;	  /* one line, safe to show; with the last line of its standard error */
	int64_t pause_ms;	  /* until it may be started again */
};

/* Each may be NULL. */
struct runtime_calls {
	void (*state)(enum runtime_state state, uint64_t generation, void *payload); /* each change */
	void (*gone)(const struct runtime_gone *gone, void *payload); /* once a generation, after everything that failed by it */
	/* account/updated, account/login/completed, account/rateLimits/updated, mcpServer/oauthLogin/completed */
	void (*account)(const char *method, struct span params, void *payload);
	/* What belongs to no turn of ours: warnings, configWarning, deprecationNotice; and lines of standard error (method "stderr",
	 * params a JSON string). For logs. */
	void (*notice)(const char *method, struct span params, void *payload);
};

/* Never fails; a command that cannot be started shows when it is needed. base, and payload, must outlive it. */
struct runtime *runtime_new(
    struct event_base *base, const struct runtime_settings *settings, const struct runtime_calls *calls, void *payload);

/* Takes nothing new; turns are interrupted and get their end (STOPPING) at the latest after grace_ms, then the child's group is ended.
 * done comes once, when there is no child left; NULL is allowed. */
void runtime_stop(struct runtime *runtime, int64_t grace_ms, void (*done)(void *payload), void *payload);

/* Kills what is left of the group, and frees. No callback comes any more, also not for what was under way. Accepts NULL. */
void runtime_free(struct runtime *runtime);

struct runtime_status {
	enum runtime_state state;
	pid_t pid;		/* 0: no child */
	uint64_t generation;	/* starts so far, this one included */
	uint64_t ends;		/* ends that were not asked for */
	int64_t ready_ms;	/* wall clock of its readiness, 0: not ready */
	int64_t pause_ms;	/* still to wait in RUNTIME_PAUSED */
	size_t turns, calls;	/* under way or waiting */
	uint64_t garbage, late; /* lines that were no messages; answers to nothing that waited */
	const char *agent;	/* userAgent of its greeting, "" before; borrowed until the loop runs again, like the next two */
	const char *last_error; /* message of the last end, "" */
	const char *errors;	/* the end of its standard error; raw, escape it before showing */
	size_t errors_len;
};
void runtime_status(const struct runtime *runtime, struct runtime_status *ret);

/* While held (calls count), nothing is read from the child and no deadline of ours passes: for a caller whose own queues are full. The
 * child waits on its pipe and loses nothing. */
void runtime_hold(struct runtime *runtime);
void runtime_release(struct runtime *runtime);

/* ---- calls: one request, one answer */

struct runtime_reply {
	enum runtime_fault fault; /* NONE: result is its answer */
	struct span result;	  /* JSON; {} when it gave none */
	int64_t rpc_code;	  /* REFUSED: the code of its error, else 0 */
	const char *message;	  /* not NONE: one line, safe to show; REFUSED: the child's own words */
	const char *code;	  /* REFUSED by a session host: the code for it, else ""; status is the HTTP status that goes with it */
	int status;
	int64_t retry_after_ms; /* PAUSED: when to come again, else 0 */
};
typedef void runtime_reply_cb(const struct runtime_reply *reply, void *payload);

/* Any method; params is JSON text or SPAN_NONE (then {} is sent). timeout_ms 0: call_timeout_ms. Starts the child when there is none. The
 * callback comes exactly once. What was sent before the child ended is not sent again. */
void runtime_call(struct runtime *runtime, const char *method, struct span params, int64_t timeout_ms, runtime_reply_cb *cb, void *payload);

void runtime_account_read(struct runtime *runtime, bool refresh_token, runtime_reply_cb *cb, void *payload);
/* params: {"type":"chatgpt"}, {"type":"apiKey","apiKey":...} or {"type":"chatgptAuthTokens",...}; sent as given, kept nowhere, wiped
 * after. */
void runtime_account_login(struct runtime *runtime, struct span params, runtime_reply_cb *cb, void *payload);
void runtime_account_login_cancel(struct runtime *runtime, struct span login_id, runtime_reply_cb *cb, void *payload); /* text, not JSON */
void runtime_account_logout(struct runtime *runtime, runtime_reply_cb *cb, void *payload);
void runtime_account_limits(struct runtime *runtime, runtime_reply_cb *cb, void *payload);

/* ---- turns */

struct runtime_turn_request {
	/* The runtime's own id of the thread, as an earlier RUNTIME_THREAD gave it; SPAN_NONE: a new thread is started. A thread that the
	 * child of this generation has not loaded is resumed first. */
	struct span thread;
	bool new_if_lost; /* when it cannot be resumed: start a new one (lost in RUNTIME_THREAD), else the turn fails with NO_THREAD */
	struct span thread_params; /* JSON object, SPAN_NONE: further members of thread/start and thread/resume */
	struct span turn_params;   /* JSON object, SPAN_NONE: further members of turn/start, as executionHost for agent-runtime-mock */
	struct span text;	   /* what the person says: bytes, not JSON; what is not UTF-8 in it becomes U+FFFD */
	struct span input;	   /* JSON array of UserInput instead of text, or SPAN_NONE */
	/* Options of turn/start; SPAN_NONE: not sent. They stay with the thread (agent-runtime(7)). */
	struct span cwd, model, effort, personality; /* text */
	struct span approval_policy;		     /* text; or JSON when it begins with '{' */
	struct span sandbox_policy; /* JSON; the strings "read-only", "workspace-write" and "danger-full-access" become their objects */
	int64_t timeout_ms;	    /* of the whole turn; its clock stands while an approval is open; 0: no limit */
	const struct trace *trace;  /* goes beside the params of turn/start (agent-runtime(7)); NULL: none */
};

enum runtime_event_type {
	RUNTIME_THREAD,		   /* thread, started (a new one), lost: keep the id, it is what the next turn gives as `thread` */
	RUNTIME_TURN_STARTED,	   /* turn_id: from now on it has begun and may have effects */
	RUNTIME_ITEM_STARTED,	   /* item_id, item_type, item */
	RUNTIME_ITEM_DELTA,	   /* item_id, delta, text */
	RUNTIME_ITEM_COMPLETED,	   /* item_id, item_type, item */
	RUNTIME_USAGE,		   /* params.tokenUsage as `item`; spent: by this turn so far */
	RUNTIME_APPROVAL,	   /* approval, kind, item_id: answer it with runtime_approval_answer() */
	RUNTIME_APPROVAL_RESOLVED, /* approval, how: once for each RUNTIME_APPROVAL, at the latest before RUNTIME_END */
	RUNTIME_NOTICE, /* anything else about the turn: error with willRetry, turn/diff/updated, turn/plan/updated, warning ... */
	RUNTIME_END,	/* end: exactly once, the last one */
};

enum runtime_delta {
	RUNTIME_DELTA_MESSAGE,
	RUNTIME_DELTA_PLAN,
	RUNTIME_DELTA_REASONING,
	RUNTIME_DELTA_SUMMARY,
	RUNTIME_DELTA_COMMAND,
	RUNTIME_DELTA_FILE,
	RUNTIME_DELTA_OTHER
};

enum runtime_approval_kind {
	RUNTIME_APPROVE_COMMAND,     /* item/commandExecution/requestApproval; params: command, cwd, reason ... */
	RUNTIME_APPROVE_FILE,	     /* item/fileChange/requestApproval; the changes are in the ITEM_STARTED with this item_id */
	RUNTIME_APPROVE_PERMISSIONS, /* item/permissions/requestApproval */
	RUNTIME_APPROVE_QUESTION,    /* item/tool/requestUserInput: answer with a result {"answers":{ID:{"answers":[TEXT...]}}} */
	RUNTIME_APPROVE_OTHER,	     /* any other request about the turn: answer with a result, or decline */
};

enum runtime_decision { RUNTIME_ACCEPT, RUNTIME_ACCEPT_SESSION, RUNTIME_DECLINE, RUNTIME_CANCEL };

enum runtime_resolved {
	RUNTIME_RESOLVED_ANSWERED,  /* by runtime_approval_answer() */
	RUNTIME_RESOLVED_TIMEOUT,   /* approval_timeout_ms passed: declined */
	RUNTIME_RESOLVED_WITHDRAWN, /* the child asks no more, the turn ended or was interrupted, or the child is gone */
};

enum runtime_outcome { RUNTIME_COMPLETED, RUNTIME_INTERRUPTED, RUNTIME_FAILED };

struct runtime_end {
	enum runtime_outcome outcome;
	enum runtime_fault fault; /* NONE unless FAILED */
	const char *message;	  /* FAILED: one line, safe to show; else "" */
	const char *code;	  /* of a session host: the code for it; else "" */
	struct span metadata;	  /* of a session host: its runtimeMetadata, JSON; SPAN_NONE: it gave none */
	const char *info; /* codexErrorInfo as a word: "usageLimitExceeded", "contextWindowExceeded" ...; "" or NULL when there is none */
	int64_t http;	  /* the provider's HTTP status inside codexErrorInfo; 0: none */
	int64_t rpc_code; /* REFUSED: its code */
	int64_t retry_after_ms; /* PAUSED: when to come again */
	int64_t retry_at_ms;	/* LIMIT: wall clock, 0: nobody knows */
	bool sent;		/* turn/start had been sent, so it may have had effects; false: nothing happened, it may be asked again */
	bool forced;		/* the child did not say the end itself; we closed the turn */
	/* The answer: all agent messages, as bytes, a blank line between two; also the part before a failure. It is what the texts of the
	 * RUNTIME_DELTA_MESSAGE events give one after another, so it must not be sent as a delta once more. */
	struct span text;
	bool text_cut; /* longer than RUNTIME_TEXT_MAX; the events had all of it */
	bool counted;  /* spent is known */
	struct usage spent;
};

struct runtime_event {
	enum runtime_event_type type;
	uint64_t turn; /* our number, as runtime_turn_start() gave it */
	uint64_t generation;
	const char *method;    /* the message behind it ("item/agentMessage/delta"), "" when it is our own doing */
	struct span params;    /* its params, JSON as the child wrote it; SPAN_NONE when our own doing */
	const char *thread;    /* the runtime's thread id, "" while unknown */
	const char *turn_id;   /* the runtime's turn id, "" while unknown */
	const char *item_id;   /* "" when it concerns none */
	const char *item_type; /* "agentMessage", "commandExecution", "fileChange", "reasoning" ... */
	struct span item;      /* JSON */
	enum runtime_delta delta;
	/* Bytes, decoded. Of a DELTA_MESSAGE: with the blank line that parts it from the message before; a message that came without
	 * deltas gives one with all of it, ahead of its ITEM_COMPLETED. */
	struct span text;
	struct usage spent; /* USAGE */
	bool started, lost; /* THREAD: a new thread; although one was asked for */
	uint64_t approval;
	enum runtime_approval_kind kind;
	enum runtime_resolved how;
	enum runtime_decision decision; /* APPROVAL_RESOLVED, ANSWERED or TIMEOUT */
	const struct runtime_end *end;	/* END */
};
typedef void runtime_event_cb(const struct runtime_event *event, void *payload);

/* Everything in request is copied. Events come until RUNTIME_END, which always comes: after the runtime's own end, a failure, a deadline or
 * the child's end. At most one turn at once on one thread of the runtime (BUSY). */
uint64_t runtime_turn_start(struct runtime *runtime, const struct runtime_turn_request *request, runtime_event_cb *cb, void *payload);

/* Reaches the runtime as soon as it can be (before its turn has begun it is remembered). True: the turn ends as INTERRUPTED, whatever the
 * runtime says from now on, within interrupt_timeout_ms; until then only USAGE, APPROVAL_RESOLVED and END come. False: it has ended
 * already. */
bool runtime_turn_interrupt(struct runtime *runtime, uint64_t turn);

struct runtime_answer {
	enum runtime_decision decision;
	struct span result; /* JSON: sent as it is, and decision only reported; SPAN_NONE: made from decision */
};
/* False: it is not open (any more), or result is no JSON. True: sent, and RUNTIME_APPROVAL_RESOLVED follows. */
bool runtime_approval_answer(struct runtime *runtime, uint64_t approval, const struct runtime_answer *answer);

#endif
