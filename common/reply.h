/* reply.h - which message of a run has been answered: a fold over the run's events, in order
 *
 * Clarity contract, section 8. Messages of one run are answered strictly one after another: agent.chat.user_message and
 * agent.hitl_input queue; agent.chat.assistant_message is the reply to the oldest; agent.waiting ends it (with level warn: with
 * an error or because the agent is disabled). A terminal event ends everything. Work that begins (a step, a call, a start) means
 * that the run no longer waits. The fold may begin in the middle of a run: an end without a message is nobody's.
 * Pure; memory is bounded by REPLY_PENDING_MAX (beyond it the oldest count as answered).
 */
#ifndef REPLY_H
#define REPLY_H

#include "compat.h"
#include "jtext.h"

#define REPLY_PENDING_MAX 4096

struct reply;

struct reply *reply_new(void);
void reply_free(struct reply *reply);

/* What one event means. */
struct reply_change {
	int64_t answered; /* seq of the message that this event finished, -1: none */
	int64_t text_for; /* seq of the message whose reply text this event carries, -1: none */
	bool failed;	  /* it was finished without a reply: an error or a disabled agent */
	bool terminal;	  /* the run is over */
};
/* The next event, each once: its seq (-1 without), kind and whole record. */
void reply_event(struct reply *reply, int64_t seq, const char *kind, struct span event, struct reply_change *ret);

/* Nothing is unanswered and the last thing the run said is that it waits. */
bool reply_waiting(const struct reply *reply);
bool reply_terminal(const struct reply *reply);
size_t reply_pending(const struct reply *reply); /* unanswered messages */

#endif
