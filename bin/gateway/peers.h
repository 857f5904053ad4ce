/* peers.h - the tokens of gateways that share a store: one that is made or revoked at one of them is so at all
 *
 * Each gateway has its file of tokens (token.h), which agent-gateway-token changes. What is in it is put into the store, hashes only, and
 * what the store has of the others is put into the file: a token that is new there, and the end of one. A token that has ended stays ended.
 */
#ifndef PEERS_H
#define PEERS_H

#include "compat.h"
#include "jtext.h"

struct err;
struct event_base;
struct log;
struct peers;

/* file: of tokens. problem: told what cannot be done; it is tried again when something changes. Begins at once. */
struct peers *peers_new(
    struct event_base *base, struct log *log, const char *file, void (*problem)(const struct err *err, void *payload), void *payload);
void peers_free(struct peers *peers); /* accepts NULL */
/* Another gateway has changed the document under this key (log_others). */
void peers_heard(struct peers *peers, struct span key);

#endif
