/* cancel.h - asks the server to end a run (agent-gateway's POST /api/agents/runs/ID/cancel; a Clarity runtime has no such thing) */
#ifndef CANCEL_H
#define CANCEL_H

#include "compat.h"

struct api;
struct err;
struct http_answer;

/* reason may be NULL or "". key: idempotency key. True: the answer is an object. False: as api_call(); STATUS_CONFLICT: the run is over
 * already, STATUS_NO: no such run, STATUS_PROTOCOL: among others, a server that cannot do it. answer must be released either way. */
bool cancel_run(
    struct api *api, const char *run, const char *reason, const char *key, struct http_answer *answer, struct err *err) USE_RESULT;

#endif
