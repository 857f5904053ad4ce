/* recent.h - what the newest chat events say of the runs that are talked to, in memory. Loop thread. Private to chat/.
 *
 * A message needs what was said before it; reading that for each message anew would be most of the work of answering one. A run comes in
 * with a page that was read (recent_take()), is brought up to date by every event that is committed (recent_add(), in seq order), and goes
 * when others were talked to more lately. What is in it is in the log too: forgetting costs a read, nothing else.
 */
#ifndef CHAT_RECENT_H
#define CHAT_RECENT_H

#include "compat.h"
#include "jtext.h"

struct entry;
struct recent;
struct said;

#define RECENT_RUNS_MAX 1024
#define RECENT_EVENTS_MAX 128		     /* of one run; the oldest go first */
#define RECENT_BYTES_MAX (32u * 1024 * 1024) /* of all texts that are kept */

struct recent *recent_new(void);
void recent_free(struct recent *recent);   /* accepts NULL */
void recent_forget(struct recent *recent); /* all runs */

/* The newest events of the run, as read: all its events when `all`, else its newest ones. */
void recent_take(struct recent *recent, struct span run, struct entry *const *events, size_t n, bool all);
/* The next event of the log; nothing happens unless its run is in. */
void recent_add(struct recent *recent, const struct entry *event);
/* What the run's newest events say, oldest first, borrowed until the next call of anything here; NULL: it is not in, or does not have the
 * event `seq` yet. *ret_all: there are no older ones. */
const struct said *recent_of(struct recent *recent, struct span run, int64_t seq, size_t *ret_n, bool *ret_all);
/* The same with a message behind them that is to come, which is borrowed too. A run that is not in has said nothing. */
const struct said *recent_before(struct recent *recent, struct span run, const struct said *message, size_t *ret_n, bool *ret_all);

#endif
