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

/* program NULL: pass through. NULL result: the program does not compile (STATUS_USAGE with jq's reason). */
struct filter *filter_new(const char *program, struct err *err) USE_RESULT;
void filter_free(struct filter *filter); /* accepts NULL */

typedef void filter_line_cb(const char *line, size_t n, void *payload);

/* One record. False: the program failed on it (STATUS_INPUT); results before that have been given. */
bool filter_run(struct filter *filter, const char *json, size_t n, filter_line_cb *cb, void *payload, struct err *err) USE_RESULT;

/* The common callback: out_line(). */
void filter_print(const char *line, size_t n, void *payload);

/* One result that a command got for a subject: the object, compact, with the members of the subject that it has not. As filter_run(). */
bool filter_result(struct filter *filter, const struct subject *subject, struct span object, struct err *err) USE_RESULT;

#endif
