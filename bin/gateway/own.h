/* own.h - the daemon's own routes: its health, its contract, its numbers; made from contract/openapi.json */
#ifndef OWN_H
#define OWN_H

#include "compat.h"

struct auth;
struct observe;
struct request;

struct own {
	struct auth *auth;
	struct observe *observe;
};

/* Answers what is the daemon's own; some of it is open to everybody. False: it is none of that. */
bool own_handle(const struct own *own, struct request *request) USE_RESULT;

#endif
