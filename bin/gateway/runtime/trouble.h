/* trouble.h - what went wrong, from the words of a runtime: pure. Private to runtime/.
 *
 * codexErrorInfo tells some kinds apart, and not the same ones in each version; for the rest its messages are looked at.
 */
#ifndef RUNTIME_TROUBLE_H
#define RUNTIME_TROUBLE_H

#include "compat.h"
#include "runtime/runtime.h"

/* A turn that failed: TURN, AUTH, LIMIT or MODEL. message and info as message_turn_error() gives them, http 0: none. */
enum runtime_fault trouble_of_turn(const char *message, const char *info, int64_t http);

/* A request that was refused: REFUSED, AUTH or CONFIG. */
enum runtime_fault trouble_of_refusal(const char *message);

/* A program that ended with this status before it was greeted, and the last that it said: START, MISSING or VERSION. */
enum runtime_fault trouble_of_start(int exit_status, const char *said);

/* When a message says that it may be asked again ("try again in 1.5s", "in 2 hours 5 minutes", "at 11:15 AM", "at Nov 22nd, 2026 3:05 PM", the
 * last two in local time, to the end of the minute): wall clock, milliseconds; 0: it does not say. */
int64_t trouble_retry_at(const char *message, int64_t now_ms);

/* The same from a RateLimitSnapshot, JSON: when the last of its windows that are used up begins anew. */
int64_t trouble_reset_at(struct span limits);

/* Is "NAME/1.2.3 (...)" older than version? What has no such form is not. */
bool trouble_is_older(const char *agent, const char *version);

#endif
