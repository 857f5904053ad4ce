/* provider.h - which engine runs cloud turns: from the option, the environment, and what is installed (Compass contract section 10.1) */
#ifndef PROVIDER_H
#define PROVIDER_H

#include "buf.h"
#include "compass/compass.h"
#include "compat.h"
#include "runtime/runtime.h"

struct provider {
	enum compass_provider which;
	const char *argv[4]; /* of the stdio runtime, NULL-ended; points into `command` */
	struct buf command;
	struct runtime_host host; /* its endpoint is NULL without one; the texts are the environment's */
	struct buf missing;	  /* not "": there is none, and why */
	bool fallback;		  /* nobody chose, and nothing else was found */
};

/* command: --runtime, or NULL. self: the directory of this program, with a slash at its end. */
void provider_choose(struct provider *provider, const char *command, const char *self);
void provider_release(struct provider *provider);

/* A flag of the contract: on unless the variable says false. */
bool provider_flag(const char *variable);

#endif
