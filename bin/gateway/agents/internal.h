/* internal.h - what the files of agents/ share. Private to agents/. */
#ifndef AGENTS_INTERNAL_H
#define AGENTS_INTERNAL_H

#include "agents/agents.h"

/* The period of "every <n> <unit>" in milliseconds; false when it is not of that form. */
bool schedule_period(const char *expr, int64_t *ret_ms);

/* metadata.agent.timer, checked: into agent. */
void schedules_read(struct agent *agent, struct span declared);
void schedules_free(struct agent *agent);

#endif
