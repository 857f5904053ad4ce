/* fault.h - what goes wrong with a runtime, and what is said of it: a code (of contract/openapi.json, TurnErrorCode) and what to do.
 * Pure. */
#ifndef FAULT_H
#define FAULT_H

#include "compat.h"

struct buf;

enum runtime_fault {
	RUNTIME_FAULT_NONE,	    /* of what failed: there is no runtime to ask */
	RUNTIME_FAULT_START,	    /* the command cannot be started, or ended or was silent before it was ready */
	RUNTIME_FAULT_MISSING,	    /* the same, and the reason is that there is no such program */
	RUNTIME_FAULT_VERSION,	    /* the same, and it is too old */
	RUNTIME_FAULT_CONFIG,	    /* its own configuration is broken */
	RUNTIME_FAULT_PAUSED,	    /* it ended too often; retry_after_ms says when it is tried again */
	RUNTIME_FAULT_GONE,	    /* the child ended while this was under way */
	RUNTIME_FAULT_PROTOCOL,	    /* it broke the protocol and was ended, or its answer made no sense */
	RUNTIME_FAULT_TIMEOUT,	    /* no answer to a call within its deadline */
	RUNTIME_FAULT_TURN_TIMEOUT, /* the turn took longer than it may */
	RUNTIME_FAULT_REFUSED,	    /* it answered with an error; rpc_code and message are its own, also for AUTH and CONFIG then */
	RUNTIME_FAULT_NO_THREAD,    /* it does not know the thread (any more) */
	RUNTIME_FAULT_TURN,	    /* the turn ended as failed; info says why */
	RUNTIME_FAULT_AUTH,	    /* the same, and the reason is the account: not logged in, or unauthorized */
	RUNTIME_FAULT_LIMIT,	    /* the same, and the reason is a limit of the account or the model; retry_at_ms may say until when */
	RUNTIME_FAULT_MODEL,	    /* the same, and the reason is the model: unreachable, overloaded, cut off */
	RUNTIME_FAULT_BUSY,	    /* a limit of runtime.h, or a turn in progress on that thread */
	RUNTIME_FAULT_INPUT,	    /* what we were given cannot be sent: no JSON, or not UTF-8 */
	RUNTIME_FAULT_STOPPING,	    /* runtime_stop() was called */
};

const char *fault_code(enum runtime_fault fault);

/* What somebody can do about it; "": the message says it, or nobody knows. */
const char *fault_hint(enum runtime_fault fault);

/* The same about a code that no fault has: those of session hosts, containers and pools. "": the message says it. */
const char *fault_hint_of_code(const char *code);

/* The fault that has this code alone; NONE: a code of several, or of none. */
enum runtime_fault fault_of_code(const char *code);

/* Appends the error of a turn, {"message","code"?,"hint"?,"retryAt"?}: what is NULL, "" or 0 is left out. */
void fault_add(struct buf *to, const char *message, const char *code, const char *hint, int64_t retry_at_ms);

#endif
