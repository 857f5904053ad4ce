/* sig.h - signals as something to wait for
 *
 * sig_catch() makes SIGINT, SIGTERM and SIGHUP readable: the descriptor becomes readable when one has come, and
 * sig_take() gives it. Handlers write one byte and nothing else.
 */
#ifndef SIG_H
#define SIG_H

#include "compat.h"

/* Starts catching; returns the descriptor to poll (close-on-exec, non-blocking), or -1 with errno. */
int sig_catch(void);

/* Catches one more, as SIGWINCH: after sig_catch(). */
void sig_catch_also(int signo);

/* Would sig_take() give one? Waits for that until the deadline at most. */
bool sig_wait(int64_t deadline);

/* The signal that came first and was not taken yet, 0 when none. */
int sig_take(void);

/* Back to the default action for these signals. */
void sig_release(void);

/* Ends the process by this very signal, so that the parent sees it. */
NORETURN void sig_die(int signo);

#endif
