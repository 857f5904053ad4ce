/* threadwork.h - the same request for each thread that a command is given, and what each answer comes to
 *
 * Threads are named by --thread, as operands, or by records on standard input; a result is one line with the other members of its record.
 */
#ifndef THREADWORK_H
#define THREADWORK_H

#include "buf.h"
#include "client.h"
#include "compat.h"

struct threadwork {
	struct client client;
	/* what is asked of each */
	const char *method;
	const char *below;  /* the path segment after the thread's, or NULL */
	const char *member; /* the member of the answer that is written, or NULL: all of it */
	const char *verb;   /* for messages: "unable to VERB thread 'ID'" */
	struct buf body;
};

#define THREADWORK_INIT                                                                                                                    \
	{                                                                                                                                  \
		.body = BUF_INIT                                                                                                           \
	}

/* Opens the client and does it for all; operands (NULL-terminated, may be empty) come instead of --thread and standard input. What fails is
 * said, and the rest is done. Ends the client, releases work, and gives the program's status. */
int threadwork_run(struct threadwork *work, char *const operands[]);

#endif
