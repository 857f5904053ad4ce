/* browsers.h - the sessions of browsers where gateways share a store: one that is opened at one of them is good at all
 *
 * Each lies in the store under its cookie's hash (auth.h), which is all that there is of the cookie. A gateway that is brought a cookie it
 * does not know looks there before it judges the request; so it does not matter which one a browser asks, nor how soon. One that is closed
 * is over at the others as soon as they hear of it.
 */
#ifndef BROWSERS_H
#define BROWSERS_H

#include "compat.h"
#include "jtext.h"

struct auth;
struct browsers;
struct event_base;
struct log;
struct request;

/* go_on: with a request that was held, once what it brings is known. */
struct browsers *browsers_new(
    struct event_base *base, struct log *log, struct auth *auth, void (*go_on)(struct request *request, void *payload), void *payload);
void browsers_free(struct browsers *browsers); /* accepts NULL */
/* True: it is held, and comes again, or has been answered. Once for a request. browsers may be NULL: nothing is shared. */
bool browsers_hold(struct browsers *browsers, struct request *request) USE_RESULT;
/* Another gateway has removed the document under this key (log_others). */
void browsers_heard(struct browsers *browsers, struct span key);

#endif
