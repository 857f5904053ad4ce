/* access.h - the access log: one JSON line for each answer, when it has ended
 *
 *   {"at":TIME,"id":ID,"peer":TEXT,"user":TEXT|null,"token":ID|null,"method":TEXT|null,"path":TEXT|null,"route":TEXT|null,"status":N,"bytes":N,
 *    "ms":N.NNN,"stream":true?,"agent":TEXT?,"traceparent":TEXT?,"skipped":N?}
 *
 * No query, no body, no header but those two; what looks like a secret is taken out of the texts. A thread of its own writes: the loop
 * never waits for a disk or a reader. What the thread cannot write in time is skipped, and the next line says how many that were.
 */
#ifndef ACCESS_H
#define ACCESS_H

#include "compat.h"

struct access;
struct err;
struct secrets;

#define ACCESS_WAITING_MAX (4u * 1024 * 1024) /* bytes that wait to be written; further lines are skipped */
#define ACCESS_TEXT_MAX 1024		      /* bytes of the path and of the user agent; the rest is cut, and "..." stands there */
#define ACCESS_LAST_MS 2000		      /* how long the end waits for what is not written yet */

struct access_entry {
	const char *id, *peer, *user, *token, *method, *path, *route, *agent, *traceparent; /* NULL: there is none */
	int status;
	uint64_t bytes;
	int64_t us;
	bool stream;
};

/* file: appended to, made with mode 0600; "-": standard output. NULL: err (STATUS_CONFIG). */
struct access *access_open(const char *file, const struct secrets *secrets, struct err *err);
void access_add(struct access *access, const struct access_entry *entry);
/* After the file was moved away: what comes from now on goes to a new one. When that cannot be opened, the old one stays, and `problem` of
 * access_problem() says so. */
void access_reopen(struct access *access);
/* What went wrong since the last call, once; false: nothing. */
bool access_problem(struct access *access, struct err *err) USE_RESULT;
uint64_t access_written(struct access *access); /* lines */
uint64_t access_skipped(struct access *access);
void access_close(struct access *access); /* accepts NULL */

#endif
