/* resident.h - handlers that are programs and stay: a line in, a line out, again and again. Private to chat/.
 *
 * The first message starts the program; the next ones find it there. It works on one message at a time; of the programs of one service
 * there may be several (its manifest's maxConcurrency), and further messages wait in order. One that ends, or says something that nobody
 * asked for, is started again by the next message. A deadline, and the end of a message on request, end the whole process group: what it
 * had in hand is lost, and nobody can say what it says next. When its service stops or gets another manifest, it is ended too.
 */
#ifndef CHAT_RESIDENT_H
#define CHAT_RESIDENT_H

#include "buf.h"
#include "chat/command.h"
#include "compat.h"

struct agent;
struct agents;
struct event_base;
struct residents;
struct resident_call;

#define RESIDENT_LOOK_MS 200 /* how often services are looked at: has one stopped? */

struct residents *residents_new(struct event_base *base, const struct agents *agents, size_t output_max);
/* env: as for a command, of the first message; input: one line with its end, copied. done() comes as a command's, its output being the
 * line. */
struct resident_call *resident_ask(struct residents *residents, const struct agent *agent, const char *const *env, const struct buf *input,
    command_done_cb *done, void *payload);
void resident_end(struct resident_call *call, const char *why); /* its done() comes as ever, with this reason */
void residents_stop(struct residents *residents);		/* ends all; each call still gets its done() */
void residents_free(struct residents *residents);		/* accepts NULL; kills what is left */

#endif
