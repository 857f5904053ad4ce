/* chat.h - the door of chat/: messages of runs, answered one after another per run (Clarity contract sections 6.7, 7 and 8)
 *
 * A message is accepted in one change (terminal check, fallbacks, sanitising, event, the run's inbox, idempotency key); its answer is
 * produced after that has been committed, unless it is known at once and is part of that change. Different runs go side by side. A restart
 * takes up what was accepted and not begun, and closes what was begun as an error: it may have had an effect, so it is not repeated.
 */
#ifndef CHAT_H
#define CHAT_H

#include "buf.h"
#include "compat.h"
#include "jtext.h"

struct agent;
struct agents;
struct change;
struct change_context;
struct chat;
struct err;
struct entry;
struct event_base;
struct log;
struct services;
struct trace;

#define CHAT_MESSAGE_CHARS 2000		   /* UTF-16 units kept of a message, unless CLARITY_HITL_MAX_MESSAGE_CHARS says otherwise */
#define CHAT_COMMANDS_MAX 64		   /* handler processes at once; further messages wait */
#define CHAT_REPLY_MAX (16u * 1024 * 1024) /* bytes of a handler's line */

struct chat_settings {
	const char *default_mode; /* CLARITY_HITL_CHAT_MODE */
	size_t message_chars;
	struct services *services;     /* for remote handlers */
	const char *url;	       /* what handlers get as AGENT_RUNTIME_URL */
	const char *questions;	       /* and as CLARITY_HITL_DIR, so that agent-ask in a handler asks where people look */
	const struct secrets *secrets; /* the operator's rules, NULL: the built-in ones only */
};

/* ---- whoever runs turns of threads: an agent whose origin is a runtime answers in one. Comes from above (compass/), so it is a door of
 * functions. */

struct chat_turn {
	struct span run, text; /* copied */
	struct span options;   /* what chat_message had as turn, "" or SPAN_NONE without; copied */
	const struct agent *agent;
	const struct trace *trace; /* copied */
};
struct chat_turn_call;
/* ok: text is the answer; else it is the reason. error: JSON with its code and retryAt, "" without. usage: what the turn has cost as
 * usage_add() writes it, "" when that is not known. On the store's thread, in the change that stores the turn's end, whose stream is the
 * run: what the run says of it is stored with it, or not at all. May come again when that failed. */
typedef void chat_turn_stored(
    struct change_context *context, bool ok, struct span text, struct span error, struct span usage, void *payload);
/* Comes once, never from inside start(). stored: that has happened; else nothing has, and text is the reason. */
typedef void chat_turn_done(bool stored, struct span text, void *payload);
struct chat_turns {
	struct chat_turn_call *(*start)(
	    const struct chat_turn *turn, chat_turn_stored *stored, chat_turn_done *done, void *done_payload, void *payload);
	void (*stop)(struct chat_turn_call *call); /* its done() comes as ever */
	/* Ends a turn that is none of a run's: done comes once, when that is stored or cannot be, never from inside. */
	void (*interrupt)(struct span turn, void (*done)(void *done_payload), void *done_payload, void *payload);
	/* A message with turn options got no turn, or none that it could tell of; why may be "". */
	void (*missed)(struct span options, struct span why, void *payload);
	void *payload;
};

struct chat *chat_new(struct event_base *base, struct log *log, const struct agents *agents, const struct chat_settings *settings);
void chat_set_turns(struct chat *chat, const struct chat_turns *turns); /* copied; before the first message */
void chat_recover(struct chat *chat); /* after the log is open, and whenever another gateway's work has become ours */
/* Another gateway has stored this. */
void chat_heard(struct chat *chat, const struct entry *event);
/* Takes no new work; handlers that run get `grace_ms`, then their process groups are killed; cb when all is quiet. */
void chat_drain(struct chat *chat, int64_t grace_ms, void (*cb)(void *payload), void *payload);
void chat_rest(struct chat *chat); /* what is kept of what was said goes */
void chat_free(struct chat *chat);

/* Conversations with a message that is not answered yet, and handlers that are programs, at work and waiting for their turn. */
struct chat_stats {
	size_t busy, handlers;
};
struct chat_stats chat_stats(const struct chat *chat);

enum chat_channel { CHAT_MESSAGES, CHAT_HITL };

struct chat_message {
	struct span run, text, role; /* role: user, assistant, system (checked by the caller) */
	struct span service, agent;  /* as the request gave them, or SPAN_NONE */
	enum chat_channel channel;
	struct span kind; /* HITL: the event kind to record */
	struct span key;  /* idempotency key or SPAN_NONE */
	struct span
	    turn; /* JSON object: the message is to be this turn of the run's thread; it is not cut, and refused while another waits. SPAN_NONE: any */
	const struct trace *trace; /* what of others belongs to it; NULL: nothing known */
	uint64_t print;
};

/* On the store's thread: a stream without a row that is a thread's id becomes a run too, which the gateway's own runtime answers. False: it
 * is that of a thread that a desktop works on, and change->err says so. */
bool chat_adopt(struct change *change, struct change_context *context) USE_RESULT;

struct chat_answer {
	int http; /* 200, 409, 503 … */
	bool replayed;
	const char *body; /* compact JSON, borrowed */
	size_t body_len;
	int64_t retry_after_s; /* 0: none */
};
/* Everything in message is copied. cb runs on the loop when the message is stored or refused. */
void chat_post(
    struct chat *chat, const struct chat_message *message, void (*cb)(const struct chat_answer *answer, void *payload), void *payload);

/* One firing of a schedule: a run of its own (contract section 10). Everything is copied. */
struct chat_firing {
	const struct agent *agent;
	const char *tool; /* NULL: no handler; the run is over at once */
	struct span schedule, expr;
	int64_t fired_ms;
	int64_t missed;		  /* firings before it that did not happen */
	struct span doc_key, doc; /* kept in the same change (change_put()) */
};
/* fired() when it is stored, or not (then nothing happened); and if it is, ended() when the run's handler is done. Neither from inside the
 * call. next_ms: another gateway has fired it, and it is due again then; 0: none has. */
struct chat_firing_events {
	void (*fired)(bool ok, int64_t next_ms, void *payload);
	void (*ended)(void *payload);
};
void chat_fire(struct chat *chat, const struct chat_firing *firing, const struct chat_firing_events *events, void *payload);

/* Ends a run: what is being answered is stopped, what waits gets no answer, agent.run_cancelled is the last event. The answer is 202 once
 * that is decided and stored, 404 for a run that nobody knows, 409 for one that is over. A thread is taken up as a run and ended, its turn
 * interrupted first. Everything in cancel is copied. */
struct chat_cancel {
	struct span run, reason; /* reason: "" or SPAN_NONE without */
	struct span key;	 /* idempotency key or SPAN_NONE */
	uint64_t print;
};
void chat_cancel(
    struct chat *chat, const struct chat_cancel *cancel, void (*cb)(const struct chat_answer *answer, void *payload), void *payload);

#endif
