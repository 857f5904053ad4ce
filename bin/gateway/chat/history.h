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

/* What one chat event says. */
struct said {
	int64_t turn, seq;  /* order: by the message it belongs to (a reply stands with its message), then by time */
	const char *role;   /* "user", "assistant", "system" */
	struct buf content; /* trimmed; "": it says nothing, and counts for nothing */
	size_t chars;	    /* UTF-16 units */
};
void said_of(const struct entry *event, struct said *ret);
void said_release(struct said *said);

struct history {
	struct buf messages; /* [{"role":...,"content":...},...], compact, oldest first; "" when the texts were not asked for */
	size_t total, used;  /* messages there were, and are */
	size_t chars;	     /* UTF-16 units of what is used */
	bool truncated;
};

/* Are the newest `n` events of the run enough for max_turns messages before and with seq? Messages that came later may have pushed earlier
 * ones out. Only asked when there may be older events than these. */
bool history_reaches(const struct said *said, size_t n, int64_t seq, size_t max_turns);

/* said: of the run's agent.chat.* events in seq order. seq: the message being answered. */
void history_make(const struct said *said, size_t n, int64_t seq, size_t max_turns, size_t max_chars, bool texts, struct history *ret);
void history_release(struct history *history);

#endif
