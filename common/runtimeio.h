/* runtimeio.h - a runtime as a program of one's own: messages of agent-runtime(7) to its standard input, and from its standard output
 *
 * One JSON object a line. Nothing waits here but runtimeio_end(): poll the descriptors that runtimeio_fds() gives. The program runs in a
 * process group of its own and is ended with all that it started. The process must ignore SIGPIPE.
 */
#ifndef RUNTIMEIO_H
#define RUNTIMEIO_H

#include "buf.h"
#include "compat.h"

#include <poll.h>
#include <sys/types.h>

#include "jtext.h"
#include "kin.h"
#include "line.h"

struct err;

#define RUNTIMEIO_LINE_MAX (16u << 20)	/* bytes of one message */
#define RUNTIMEIO_UNSENT_MAX (4u << 20) /* bytes that it does not read */
#define RUNTIMEIO_GRACE_MS 2000		/* after the end of its input, and again after SIGTERM */

struct runtimeio {
	pid_t pid; /* 0: none runs */
	struct kin kin;
	int in_fd, out_fd;
	struct line in;
	struct buf out;
};

/* command: of the shell; dir NULL: here. False: err says why, nothing runs. */
bool runtimeio_start(struct runtimeio *io, const char *command, const char *dir, struct err *err) USE_RESULT;

/* Sends one message, now or as soon as it is read; a program that has gone, or reads nothing for RUNTIMEIO_UNSENT_MAX, is found by what
 * follows. */
void runtimeio_send(struct runtimeio *io, const struct buf *message);

/* Sets two descriptors to poll, -1 where there is nothing to wait for. */
void runtimeio_fds(const struct runtimeio *io, struct pollfd *fds);

enum runtimeio_result { RUNTIMEIO_MESSAGE, RUNTIMEIO_NONE, RUNTIMEIO_END, RUNTIMEIO_BAD };

/* The next message, borrowed until the next call. NONE: wait. END: it has closed its output. BAD: a line that is no object, or too long
 * (err: STATUS_PROTOCOL); reading can go on. */
enum runtimeio_result runtimeio_next(struct runtimeio *io, struct span *ret, struct err *err) USE_RESULT;

/* Ends it and waits for that: end of input, then SIGTERM, then SIGKILL to its whole group. Gives waitpid's status, 0 when none ran. */
int runtimeio_end(struct runtimeio *io);

#endif
