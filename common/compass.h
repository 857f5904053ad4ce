/* compass.h - the thread side of the wire, /v1/agent: calls, and the objects inside their answers
 *
 * Compass contract, sections 3 to 6. Errors come as {"code","message"}; api.h says which status each means.
 */
#ifndef COMPASS_H
#define COMPASS_H

#include "api.h"
#include "compat.h"
#include "http.h"
#include "jtext.h"

struct buf;
struct err;

#define COMPASS_EVENTS_MAX 500 /* events of one page, what a server gives at most */
#define COMPASS_THREADS_MAX 200
#define COMPASS_CURSOR_MAX INT64_C(9007199254740991) /* what a server that counts in doubles can tell apart */

/* The address of /v1/agent/SEGMENT... */
#define COMPASS_PATH(api, url, ...) API_PATH((api), (url), "v1", "agent", __VA_ARGS__)

struct compass_answer {
	struct http_answer http;
	struct span whole;  /* the answer, an object; borrowed from http */
	struct span object; /* its member that was asked for, an object too */
};

/* One call. json NULL: for methods other than GET an empty object (a body that is absent is refused). member NULL: object is whole.
 * False: as api_call(); an answer without that member is STATUS_PROTOCOL. The answer must be released either way. */
bool compass_call(struct api *api, const char *method, const char *url, const struct buf *json, const char *member, const char *what,
    struct compass_answer *answer, struct err *err) USE_RESULT;
void compass_release(struct compass_answer *answer);

/* The same without waiting, for answers that take long: the deadline is that of the whole command. End it with http_end(). */
struct http_call *compass_start(struct api *api, const char *method, const char *url, const struct buf *json, const char *const *extra);

/* What a call that has ended came to; spans are borrowed from the call. */
bool compass_result(struct api *api, const struct http_call *call, bool ok, const char *member, const char *what, struct span *ret_whole,
    struct span *ret_object, struct err *err) USE_RESULT;

/* Asks for the end of a turn. False: as compass_call(); STATUS_CONFLICT: it is over already, or unknown. object: the turn. */
bool compass_interrupt(struct api *api, const char *thread, const char *turn, struct compass_answer *answer, struct err *err) USE_RESULT;

/* The cursor of a thread's last event, 0 when it has none: one page from `from` on, and when that is full a search. */
bool compass_last(struct api *api, const char *thread, int64_t from, int64_t *ret, struct err *err) USE_RESULT;

/* The turn in progress, by the thread's events; appends nothing when there is none. */
bool compass_open_turn(struct api *api, const char *thread, struct buf *to, struct err *err) USE_RESULT;

/* Of a turn that failed, from the code in its error: STATUS_DENIED when somebody must log in, STATUS_CONFIG when something must be
 * installed or mended, STATUS_RETRY when a limit was met or the model cannot be reached, else STATUS_FAILED. object: a turn, or the payload
 * of turn.completed. */
int compass_failure(struct span object);

/* When a limit that was met is over; 0: it was none, -1: nobody knows. Wall clock, milliseconds. */
int64_t compass_limit(struct span object);

/* STATUS_OK for "completed", compass_failure() for "error", STATUS_CANCELLED for "interrupted"; -1 for anything else. */
int compass_outcome(struct span object);

#endif
