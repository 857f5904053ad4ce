/* filter.h - records through --jq, with the interpreter started only when it was asked for
 *
 * Without a program a record is printed as it is. With one, each result is a line: strings raw, everything else compact.
 * jq 1.6 holds numbers as doubles; that is the price of a filter, never of a command without one.
 */
#ifndef FILTER_H
#define FILTER_H

#include "compat.h"

struct err;
struct filter;
struct span;
struct subject;

/* program NULL: pass through, else borrowed for as long as the filter lives. NULL result: it does not compile (STATUS_USAGE with jq's
 * reason), or there is no jq. */
struct filter *filter_new(const char *program, struct err *err) USE_RESULT;
void filter_free(struct filter *filter); /* accepts NULL */

/* The same in two: a thread compiles it while a server is asked, since that takes longer than most servers need. filter_ready() waits for
 * it, if nobody has yet; false: as filter_new() gives NULL, each time. */
struct filter *filter_start(const char *program) USE_RESULT;
bool filter_ready(struct filter *filter, struct err *err) USE_RESULT;

typedef void filter_line_cb(const char *line, size_t n, void *payload);

/* One record. False: the program failed on it (STATUS_INPUT), and results before that have been given; or it is not ready, and cannot be. */
bool filter_run(struct filter *filter, const char *json, size_t n, filter_line_cb *cb, void *payload, struct err *err) USE_RESULT;

/* The common callback: out_line(). */
void filter_print(const char *line, size_t n, void *payload);

/* One result that a command got for a subject: the object, compact, with the members of the subject that it has not. As filter_run(). */
bool filter_result(struct filter *filter, const struct subject *subject, struct span object, struct err *err) USE_RESULT;

#endif
