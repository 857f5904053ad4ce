/* history.h - what was said before, for the handler of one message (Clarity contract section 8). Pure. Private to chat/.
 *
 * Unlike the reference, no message that came later, and no reply to one, is ever in it: user messages up to the one being answered, each
 * followed by its own reply.
 */
#ifndef CHAT_HISTORY_H
#define CHAT_HISTORY_H

#include "buf.h"
#include "compat.h"

struct entry;

struct history {
	struct buf messages; /* [{"role":...,"content":...},...], compact, oldest first */
	size_t total, used;  /* messages there were, and are */
	size_t chars;	     /* UTF-16 units of what is used */
	bool truncated;
};

/* Are the newest `n` events of the run enough for max_turns messages before and with seq? Messages that came later may have pushed earlier ones out.
 * Only asked when there may be older events than these. */
bool history_reaches(struct entry **events, size_t n, int64_t seq, size_t max_turns);

/* events: agent.chat.* of the run in seq order. seq: the message being answered. */
void history_make(struct entry **events, size_t n, int64_t seq, size_t max_turns, size_t max_chars, struct history *ret);
void history_release(struct history *history);

#endif
