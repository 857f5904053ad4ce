/* serve.h - the side of a runtime: agent-runtime(7) on standard input and output, for programs that bring their own engine
 *
 * The program has the loop. It waits for serve_fd() and whatever its engine waits for, calls serve_read() when there is input, and ends
 * when that says so. serve_read() answers what needs no engine (greeting, threads, account) and calls the engine for turns; the engine says
 * what comes by the functions below. Threads and what was said in them are kept in a directory, one file each, so that another process can
 * resume them.
 *
 * The manner is that of the Codex app-server: errors are -32600, what is no message gets no answer, a second turn on a thread is steered
 * into the first one.
 */
#ifndef SERVE_H
#define SERVE_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"
#include "key.h"
#include "trace.h"

struct err;
struct serve;

#define SERVE_LINE_MAX (64u * 1024 * 1024)   /* bytes in one line of the client */
#define SERVE_THREAD_MAX (64u * 1024 * 1024) /* bytes of a thread's file; a longer one is not resumed */
#define SERVE_ID KEY_UUID		     /* bytes of an id, with the NUL */

struct said_text {
	const char *role; /* "user", "assistant" */
	struct buf text;
};

struct serve_thread {
	char id[SERVE_ID];
	struct buf cwd, model, approval, sandbox; /* sandbox: JSON */
	struct buf instructions;		  /* base and developer instructions, "" without */
	struct buf session;			  /* the engine's own name for it, kept with it; "" */
	struct buf preview;
	int64_t created, updated; /* Unix seconds */
	struct said_text *said;
	size_t n_said;
	struct serve_turn *turn; /* in progress, or NULL */
	void *engine;		 /* the engine's own */
	struct serve_thread *next;
	bool ephemeral, on_disk;
	bool torn; /* its file ends in half a line */
};

struct serve_turn {
	struct serve *serve;
	struct serve_thread *thread;
	char id[SERVE_ID], item[SERVE_ID]; /* item: the open message, "" when none */
	struct buf input;		   /* what the person says */
	struct buf effort;		   /* "" without */
	struct trace trace;		   /* of the request behind it, to pass on */
	struct buf message, answer;	   /* of the open message; of all messages */
	int64_t usage[4];		   /* input, cached, output, reasoning */
	bool interrupted;
	int64_t retry_at_ms; /* of a limit: wall clock of its end, 0: not known; for serve_end() */
	unsigned asks;	     /* requests of ours that wait for the client */
	void *engine;
};

struct serve_engine {
	const char *name;					  /* modelProvider */
	const char *model;					  /* of threads that name none; "" when the engine knows */
	void (*turn)(struct serve_turn *turn);			  /* begin it; the end may come from inside */
	void (*steer)(struct serve_turn *turn, struct span text); /* NULL: the text is added to what was said, and the turn goes on */
	void (*interrupt)(struct serve_turn *turn);		  /* stop; serve_end() must follow, now or soon */
	void (*forget)(struct serve_thread *thread);		  /* NULL: nothing to free */
	/* A key that was given at run time, "" for logout; NULL: there are no accounts. */
	void (*key)(struct serve *serve, const char *key);
	bool (*has_key)(const struct serve *serve);
	void (*models)(struct serve *serve,
	    const char *request); /* NULL: the engine's one model is listed. Answers by serve_answer() or serve_refuse(). */
	void *payload;
};

/* directory: where threads are kept, NULL: nowhere. False: err (STATUS_CONFIG). engine is borrowed. */
struct serve *serve_new(const struct serve_engine *engine, const char *directory, struct err *err);
void serve_free(struct serve *serve);
void *serve_engine_payload(const struct serve *serve);

int serve_fd(void);
/* Reads what there is. False: the input has ended. */
bool serve_read(struct serve *serve) USE_RESULT;

/* ---- for the engine */

void serve_answer(const char *request, const char *result); /* JSON texts */
void serve_refuse(const char *request, const char *message);
void serve_notify(struct serve *serve, const char *method, const struct buf *params); /* JSON */

/* Text of the answer, as it comes; opens a message when none is open. */
void serve_delta(struct serve_turn *turn, const char *s, size_t n);
void serve_reasoning(struct serve_turn *turn, const char *s, size_t n);
/* Ends the open message; the next text opens another. */
void serve_message_end(struct serve_turn *turn);
/* An item of another type, JSON with "id" and "type". */
void serve_item(struct serve_turn *turn, bool completed, const struct buf *item);
/* Asks the client about the turn. answered comes once with the result, or SPAN_NONE (refused, or the turn is over). */
void serve_ask(struct serve_turn *turn, const char *method, const struct buf *params,
    void (*answered)(struct serve_turn *turn, struct span result, void *payload), void *payload);
/* completed when message is NULL, else failed (with codexErrorInfo as JSON, or NULL); a turn that was interrupted ends so whatever is
 * said. */
void serve_end(struct serve_turn *turn, const char *message, const char *info, const char *details);
void serve_session(struct serve_thread *thread, const char *s, size_t n); /* the engine's name for it */

#endif
