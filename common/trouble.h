/* trouble.h - what went wrong, from the words of a runtime: pure.
 *
 * codexErrorInfo tells some kinds apart, and not the same ones in each version; for the rest its messages are looked at.
 */
#ifndef TROUBLE_H
#define TROUBLE_H

#include "compat.h"
#include "fault.h"
#include "jtext.h"

struct buf;

#define TROUBLE_WAIT_MAX_MS (INT64_C(366) * 24 * 3600 * 1000) /* whoever says a longer one is not believed */
#define TROUBLE_TEXT_MAX 2048				      /* bytes of an error's text that are kept */

/* Appends a text of a runtime, JSON: decoded, cut, and safe to show. */
void trouble_add_text(struct buf *to, struct span text);

/* A TurnError, {"message","codexErrorInfo","retryAt"?}: appends the message, safe to show, and the word of the info, which may be a word or
 * an object with one member that may hold httpStatusCode. What is not there leaves *http and *retry_at_ms (wall clock) as they are. */
void trouble_read(struct span error, struct buf *text, struct buf *info, int64_t *http, int64_t *retry_at_ms);

/* A turn that failed: TURN, AUTH, LIMIT or MODEL. message and info as trouble_read() gives them, http 0: none. */
enum runtime_fault trouble_of_turn(const char *message, const char *info, int64_t http);

/* A request that was refused: REFUSED, AUTH or CONFIG. */
enum runtime_fault trouble_of_refusal(const char *message);

/* A program that ended with this status before it was greeted, and the last that it said: START, MISSING or VERSION. */
enum runtime_fault trouble_of_start(int exit_status, const char *said);

/* When a message says that it may be asked again ("try again in 1.5s", "in 2 hours 5 minutes", "at 11:15 AM", "at Nov 22nd, 2026 3:05 PM",
 * the last two in local time, to the end of the minute): wall clock, milliseconds; 0: it does not say. */
int64_t trouble_retry_at(const char *message, int64_t now_ms);

/* The same from a RateLimitSnapshot, JSON: when the last of its windows that are used up begins anew. */
int64_t trouble_reset_at(struct span limits);

/* Until when a limit is met: as the error said itself (0: not), else as its message does, else as the account did; 0: nobody did. */
int64_t trouble_until(int64_t said_ms, const char *message, int64_t reset_at_ms, int64_t now_ms);

/* Is "NAME/1.2.3 (...)" older than version? What has no such form is not. */
bool trouble_is_older(const char *agent, const char *version);

#endif
