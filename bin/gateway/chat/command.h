/* command.h - a handler that is a program: one line in, one line out. Private to chat/.
 *
 * The program is started for each message, in a process group of its own, with a small environment; it gets one JSON line on standard
 * input, which is then closed; what it writes to standard output until its end is the answer. A deadline ends the whole group: SIGTERM,
 * then SIGKILL. At most CHAT_COMMANDS_MAX run at once; further calls wait their turn.
 */
#ifndef CHAT_COMMAND_H
#define CHAT_COMMAND_H

#include "buf.h"
#include "compat.h"

struct event_base;
struct commands;
struct command_call;

struct command_request {
	const char *const *argv; /* must live until the end */
	const char *dir;	 /* NULL: where the gateway is */
	int64_t timeout_ms;
	const char *const *env; /* "NAME=value", besides PATH, HOME and the like; copied */
	const char *input;	/* copied */
	size_t input_len;
};

/* ok: output is what it wrote. Not ok: why. Comes once, never from inside command_start(). */
typedef void command_done_cb(bool ok, const struct buf *output, const char *why, void *payload);

/* The environment of a handler: what programs need, and what it is told. A list to be freed with all that is in it. */
char **command_environment(const char *const *extra);

struct commands *commands_new(struct event_base *base, size_t output_max);
struct command_call *command_start(struct commands *commands, const struct command_request *request, command_done_cb *done, void *payload);
/* Ends this one; its done() comes as ever, with this reason. */
void command_end(struct command_call *call, const char *why);
/* Ends those that run and answers those that wait; each still gets its done(). */
void commands_stop(struct commands *commands);
size_t commands_count(const struct commands *commands); /* running and waiting */
void commands_free(struct commands *commands);		/* accepts NULL; kills what is left */

#endif
