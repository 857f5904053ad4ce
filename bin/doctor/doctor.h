/* doctor.h - what agent-doctor looks at, and how it says what it found */
#ifndef DOCTOR_H
#define DOCTOR_H

#include "compat.h"

struct api;
struct err;

enum result { RESULT_OK, RESULT_WARN, RESULT_FAIL, RESULT_SKIP };

/* status: the program's, when it fails. advice NULL: none; what is in order needs none. fmt makes the message, on one line and safe to show. */
void report(const char *check, enum result result, int status, const char *advice, const char *fmt, ...) PRINTF(5, 6);
void report_err(const char *check, const struct err *err, const char *advice);

/* server.c: in the order in which one needs the one before */
void check_server(struct api *api);

/* machine.c: state is --state, NULL: not given */
void check_machine(const char *state);

#endif
