/* process.h - a handler's program while it runs: its pipes, its time, its end. Private to chat/.
 *
 * It runs in a process group of its own, and what it leaves behind there goes with it; when it is we who end it, who has left the group as
 * well (kin.h). It is ended by SIGTERM, and by SIGKILL when it is still there PROCESS_TERM_MS later. All calls come from the loop, none
 * from inside a function of this header.
 */
#ifndef CHAT_PROCESS_H
#define CHAT_PROCESS_H

#include "buf.h"
#include "compat.h"

#include <sys/types.h>

#include "kin.h"

struct err;
struct event;
struct event_base;
struct process;

#define PROCESS_TERM_MS 2000	/* between SIGTERM and SIGKILL */
#define PROCESS_ERRORS_MAX 4096 /* bytes kept of the end of standard error */

struct process_calls {
	void (*output)(struct process *process);	    /* there is more in process->output */
	void (*closed)(struct process *process);	    /* it closed its output, and is not being ended; NULL: no matter */
	void (*late)(struct process *process);		    /* the time of process_timer() is over */
	void (*ended)(struct process *process, int status); /* the last one; status is waitpid's */
};

struct process {
	const struct process_calls *calls;
	void *payload;
	pid_t pid;	   /* 0: not started */
	struct buf output; /* what it wrote; whoever reads it takes from it */
	struct buf why;	   /* why we end it; "" */
	bool killed;	   /* it is being ended */
	/* private */
	struct kin kin;
	struct event *in, *out, *errs, *timer, *reap;
	int in_fd, out_fd, err_fd;
	const struct buf *input;
	size_t written;
	bool last;
	struct buf errors;
};

void process_init(struct process *process, const struct process_calls *calls, void *payload);
/* argv, env and dir (NULL: where the gateway is) are borrowed for the call. False: as spawn_start(). */
bool process_start(struct process *process, struct event_base *base, const char *const *argv, const char *const *env, const char *dir,
    struct err *err) USE_RESULT;

/* Writes the input, which must stay until it is written or process_send_stop(); then closes the pipe when it is the last. A program that
 * does not read it may answer all the same. */
void process_send(struct process *process, const struct buf *input, bool last);
void process_send_stop(struct process *process);

bool process_talks(const struct process *process); /* its output is open */
void process_timer(struct process *process, int64_t ms);
void process_timer_stop(struct process *process);

/* Ends it; of several reasons the first one counts. calls->ended comes as ever. */
void process_end(struct process *process, const char *why);

/* Appends why it ended: our reason, or how it went, with `tail` behind a status and the last line of its standard error. */
void process_add_end(const struct process *process, int status, const char *tail, struct buf *to);

/* Without the loop: asks it to end; waits until the deadline (clock.h), then kills it. */
void process_ask_to_end(struct process *process);
void process_wait(struct process *process, int64_t deadline);

void process_release(struct process *process); /* ended, waited for, or never started */

#endif
