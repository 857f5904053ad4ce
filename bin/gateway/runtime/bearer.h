/* bearer.h - the token that opens a session pool: a given one, one in a file, or a managed identity's (Compass contract section 10.6).
 * Private to runtime/.
 *
 * A managed identity's token is asked for when it is needed, by one request whoever else waits for it too, and kept until a minute before
 * its end. Both families of endpoints are known: IDENTITY_ENDPOINT with IDENTITY_HEADER, else MSI_ENDPOINT with MSI_SECRET; they are read
 * from the environment each time. Token, header and secret are in no text that leaves here.
 */
#ifndef RUNTIME_BEARER_H
#define RUNTIME_BEARER_H

#include "buf.h"
#include "compat.h"

struct bearer;
struct bearer_wait;
struct event_base;
struct fetcher;
struct runtime_host;

#define BEARER_EARLY_MS 60000 /* a token is not used any more so long before its end */
#define BEARER_LIFE_MS 300000 /* of a token whose end is not told */
#define BEARER_HEAD_MS 10000  /* the identity endpoint's answer begins within */
#define BEARER_BODY_MS 10000  /* and comes on within */
#define BEARER_MAX 65536      /* bytes of its answer, and of a token file */
#define BEARER_SHOWN_MAX 512  /* bytes of a refusal that are told */

/* token: NULL, and why says the reason. */
typedef void bearer_cb(const struct buf *token, const char *why, void *payload);

/* host is copied as far as it is needed; the fetcher is borrowed. */
struct bearer *bearer_new(struct event_base *base, struct fetcher *fetcher, const struct runtime_host *host);
void bearer_free(struct bearer *bearer); /* nobody is told any more; accepts NULL */

/* Once, never from inside this call. Who waits is a turn or a call of the runtime, which are bounded there. */
struct bearer_wait *bearer_get(struct bearer *bearer, bearer_cb *cb, void *payload);
void bearer_forget(struct bearer_wait *wait); /* its cb does not come; accepts NULL */

/* This token was refused: if it is still the one that is kept, the next bearer_get() asks for another. False: there is no other to be
 * had. */
bool bearer_refused(struct bearer *bearer, const struct buf *token);

/* The answer of an identity endpoint, pure: the token and its end (wall clock, ms). False: there is none in it. old: family B. */
bool bearer_read(const char *s, size_t n, bool old, int64_t now_ms, struct buf *token, int64_t *ret_end_ms) USE_RESULT;

#endif
