/* hook.h - a command of the user's, run for an event
 *
 * `sh -c COMMAND` with the event on its standard input, one line, and AGENT_EVENT_KIND, AGENT_EVENT_SEQ and AGENT_RUN_ID in its
 * environment. One at a time; it gets HOOK_TIMEOUT_MS, then its whole process group is ended.
 */
#ifndef HOOK_H
#define HOOK_H

#include "compat.h"

struct err;
struct event_view;

#define HOOK_TIMEOUT_MS 600000

/* Waits for its end. False: it could not be started, took too long, or ended with a status other than 0 (err: STATUS_IO, STATUS_TIMEOUT
 * or STATUS_NO). */
bool hook_run(const char *command, const struct event_view *event, struct err *err) USE_RESULT;

#endif
