/* reply.h - which message of a run has been answered: a fold over the run's events, in order
 *
 * contracts: Clarity section 8. Messages of one run are answered strictly one after another: agent.chat.user_message
 * and agent.hitl_input queue; agent.step_started of the executor takes the oldest; agent.chat.assistant_message is its reply;
 * agent.waiting ends it (with level warn: with an error or because the agent is disabled). A terminal event ends everything.
 * Pure; memory is bounded by REPLY_PENDING_MAX (beyond it the oldest count as answered).
 */
#ifndef REPLY_H
#define REPLY_H

#include "compat.h"
#include "jtext.h"

#define REPLY_PENDING_MAX 4096

struct reply;

enum reply_state { REPLY_NONE, REPLY_TEXT, REPLY_DONE };

struct reply *reply_new(void);
void reply_free(struct reply *reply);

/* One event (its record as text). What it means for the message with seq `of` (pass -1 for none): */
struct reply_change {
	int64_t answered; /* seq of the message that this event finished, -1: none */
	int64_t text_for; /* seq of the message whose reply text this event carries, -1: none */
	bool failed;	  /* it was finished without a reply: an error or a disabled agent */
	bool terminal;	  /* the run is over */
};
void reply_event(struct reply *reply, int64_t seq, const char *kind, struct span event, struct reply_change *ret);

/* Nothing is unanswered and the last thing the run said is that it waits. */
bool reply_waiting(const struct reply *reply);
bool reply_terminal(const struct reply *reply);
size_t reply_pending(const struct reply *reply); /* unanswered messages */

#endif
