/* post.h - POST with an idempotency key, tried again where that is safe
 *
 * A request whose answer was lost may have been taken. A server that honours Idempotency-Key (agent-gateway says so by the header
 * x-agentutils on every answer) is asked again with the same key; any other server is not, because it would take the
 * request twice: then the error says that it may have been taken.
 */
#ifndef POST_H
#define POST_H

#include "compat.h"

struct api;
struct buf;
struct err;
struct http_answer;

#define POST_TRIES_MS 30000 /* how long a lost answer is asked for again, when --timeout says nothing */

/* As api_call() with method POST. What could never have reached the server (no connection) is tried again on every server, until
 * POST_TRIES_MS or --timeout, only when `patient`; without it the first such failure is final. */
bool post_json(struct api *api, const char *url, const struct buf *json, const char *key, bool patient, const char *what,
    struct http_answer *answer, struct err *err) USE_RESULT;

/* Is it a server that honours keys, and so the ids of requests? Asks it; false also when no answer comes. */
bool post_knows_keys(struct api *api);

#endif
