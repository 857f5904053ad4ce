/* status.h - the exit statuses, one closed table for every command
 *
 * agent-exit-status(7) is this table for people, which tests/interface.bats checks, and the shell front takes its numbers from here. A script
 * can act on each number; detail belongs in the message.
 */
#ifndef STATUS_H
#define STATUS_H

/* X(NAME, number, "word", "meaning") */
#define STATUS_TABLE(X)                                                                                                                    \
	X(OK, 0, "ok", "done, and the outcome is good")                                                                                    \
	X(NO, 1, "no", "the answer is no: nothing matched, no such run")                                                                   \
	X(USAGE, 2, "usage", "the command was called wrongly")                                                                             \
	X(UNREACHABLE, 3, "unreachable", "the server cannot be reached")                                                                   \
	X(DENIED, 4, "denied", "not allowed: 401 or 403")                                                                                  \
	X(TIMEOUT, 5, "timeout", "the deadline passed")                                                                                    \
	X(INPUT, 6, "input", "bad input, ours or refused: 400, 413, 415, 422")                                                             \
	X(PROTOCOL, 7, "protocol", "the other side broke the protocol")                                                                    \
	X(IO, 8, "io", "a local read or write failed")                                                                                     \
	X(CONFIG, 9, "config", "the configuration or the machine is not as needed")                                                        \
	X(FAILED, 10, "failed", "the run or turn failed")                                                                                  \
	X(CANCELLED, 11, "cancelled", "the run or turn was cancelled or interrupted")                                                      \
	X(WAITING, 12, "waiting", "the run waits for input, and stopping there was asked for")                                             \
	X(POLICY, 13, "policy", "denied by policy")                                                                                        \
	X(CONFLICT, 14, "conflict", "busy, over, or a key used again for something else: 409")                                             \
	X(GAP, 15, "gap", "the cursor is gone or events are missing")                                                                      \
	X(SCHEMA, 16, "schema", "the output failed its schema")                                                                            \
	X(BUG, 70, "bug", "a bug of ours")                                                                                                 \
	X(RETRY, 75, "retry", "try again later: 429, 503, a rate limit")

enum status {
#define STATUS_ENUM(name, number, word, meaning) STATUS_##name = number,
	STATUS_TABLE(STATUS_ENUM)
#undef STATUS_ENUM
};

/* The word of a status ("timeout"), or "unknown". Static storage. */
const char *status_word(int status);

#endif
