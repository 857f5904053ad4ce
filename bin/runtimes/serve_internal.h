/* serve_internal.h - what serve.c, serve_threads.c and serve_turns.c share */
#ifndef SERVE_INTERNAL_H
#define SERVE_INTERNAL_H

#include "line.h"
#include "serve.h"
#include "status.h"

/* A request of ours that the client has not answered. */
struct ask {
	int64_t id;
	struct serve_turn *turn;
	void (*answered)(struct serve_turn *turn, struct span result, void *payload);
	void *payload;
	struct ask *next;
};

struct serve {
	const struct serve_engine *engine;
	char *directory; /* NULL: nothing is kept */
	struct line in;
	bool greeted;
	char **quiet; /* notifications the client does not want */
	size_t n_quiet;
	struct serve_thread *threads;
	struct ask *asks;
	int64_t next_ask;
};

/* serve_turns.c: requests about turns; an answer of the client to a request of ours */
void turn_start(struct serve *serve, const char *request, struct span params, struct span trace); /* trace: SPAN_NONE without */
void turn_steer(struct serve *serve, const char *request, struct span params);
void turn_interrupt(struct serve *serve, const char *request, struct span params);
void serve_take_reply(struct serve *serve, struct span message, int64_t id);

/* serve_threads.c */
void thread_start(struct serve *serve, const char *request, struct span params);
void thread_resume(struct serve *serve, const char *request, struct span params);
void thread_list(struct serve *serve, const char *request);
/* The thread the params name; NULL: refused. */
struct serve_thread *thread_of(struct serve *serve, const char *request, struct span params);
void thread_take(struct serve_thread *thread, struct span params); /* cwd, model, approvalPolicy, sandbox: they stay with the thread */
void thread_say(struct serve *serve, struct serve_thread *thread, const char *role, const char *s, size_t n); /* remembered, and kept */

#endif
