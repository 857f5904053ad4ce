/* threadwork.h - the same request for each thread that a command is given, and what each answer comes to
 *
 * Threads are named by --thread, as operands, or by records on standard input; a result is one line with the other members of its record.
 */
#ifndef THREADWORK_H
#define THREADWORK_H

#include "api.h"
#include "buf.h"
#include "compat.h"
#include "subject.h"

struct err;
struct filter;

struct threadwork {
	struct api api;
	struct subject subject;
	const char *program; /* of --jq */
	struct filter *filter;
	/* what is asked of each */
	const char *method;
	const char *below;  /* the path segment after the thread's, or NULL */
	const char *member; /* the member of the answer that is written, or NULL: all of it */
	const char *verb;   /* for messages: "unable to VERB thread 'ID'" */
	struct buf body;
};

void threadwork_init(struct threadwork *work);

/* Takes --thread, --jq and the options of a server. False: not one of them, or unusable (err: STATUS_USAGE). */
bool threadwork_opt(struct threadwork *work, int key, const char *arg, struct err *err) USE_RESULT;

/* Opens what the options named. False: err says why. */
bool threadwork_open(struct threadwork *work, struct err *err) USE_RESULT;

/* Does it for all; operands (NULL-terminated, may be empty) come instead of --thread and standard input. What fails is said, and the rest is
 * done. Returns the worst status; releases work. */
int threadwork_run(struct threadwork *work, char *const operands[]);

#endif
