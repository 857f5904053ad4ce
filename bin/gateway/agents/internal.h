/* internal.h - what the files of agents/ share. Private to agents/. */
#ifndef AGENTS_INTERNAL_H
#define AGENTS_INTERNAL_H

#include "agents/agents.h"

struct err;

/* False: err has the contract's text, "invalid manifest: ..." (STATUS_CONFIG). */
bool manifest_check(struct span manifest, struct err *err) USE_RESULT;

/* An http(s) URL that every reader understands alike: visible ASCII, a host of letters, digits, dots and hyphens or an address in brackets,
 * a port. No user in it: secrets are referred to by authRef. The host goes to ret. */
bool endpoint_host(const char *url, struct buf *ret);

/* The period of "every <n> <unit>" in milliseconds; false when it is not of that form. */
bool schedule_period(const char *expr, int64_t *ret_ms);

/* metadata.agent.timer, checked: into agent. */
void schedules_read(struct agent *agent, struct span declared);
void schedules_free(struct agent *agent);

#endif
