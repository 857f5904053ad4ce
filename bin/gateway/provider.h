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
	struct buf codex;	  /* the program, "": there is none */
	const char *oldest;	  /* version that it must have, or NULL: any; static */
	struct runtime_host host; /* neither endpoint nor container without one; the texts are the environment's */
	struct runtime_container container;
	struct buf secret_file;
	struct buf missing; /* not "": there is none, and why */
	bool fallback;	    /* nobody chose, and nothing else was found */
};

/* command: --runtime, or NULL. where: the gateway's state (statedir.h). */
void provider_choose(struct provider *provider, const char *command, const char *where);
void provider_release(struct provider *provider);

/* A flag of the contract: on unless the variable says false. */
bool provider_flag(const char *variable);

#endif
