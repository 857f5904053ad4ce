/* audit.h - who did what: records that are only ever added to a file, one a line
 *
 *   {"at":TIME,"user":TEXT|null,"token":ID|null,"peer":TEXT,"action":TEXT,"subject":TEXT,"status":NUMBER}
 *
 * Whole records go to the end of the file in one write, so several processes may add to it; one that could only be written in part is ended
 * by the next one's newline. What the kernel has taken survives the process, not the power.
 */
#ifndef AUDIT_H
#define AUDIT_H

#include "bucket.h"
#include "buf.h"
#include "compat.h"

struct err;

#define AUDIT_SUBJECT_MAX 1024 /* bytes; the rest is cut, and "..." stands there */
#define AUDIT_DENIED_RATE 10   /* refused callers recorded per second, after the first AUDIT_DENIED_BURST: they cannot fill the disk */
#define AUDIT_DENIED_BURST 100

struct audit {
	int fd;
	const char *file; /* borrowed */
	bool torn;	  /* the last record lacks its end */
	bool failed;	  /* the last one could not be written; it is said once */
	struct bucket denied;
	uint64_t skipped;   /* refused callers that were not recorded; the next record says how many ("skipped") */
	struct buf waiting; /* records that are not written yet */
};

#define AUDIT_INIT                                                                                                                         \
	{                                                                                                                                  \
		.fd = -1, .waiting = BUF_INIT                                                                                              \
	}

struct audit_entry {
	const char *user, *token; /* NULL: nobody known */
	const char *peer, *action, *subject;
	int status;
	bool denied; /* counts against the rate of refused callers */
};

/* Mode 0600. Errors: STATUS_CONFIG. */
bool audit_open(struct audit *audit, const char *file, struct err *err) USE_RESULT;
/* After the file was moved away: begins a new one. On failure the old one stays. */
bool audit_reopen(struct audit *audit, struct err *err) USE_RESULT;
/* The record waits; whoever calls this calls audit_write() before what was done is answered. */
void audit_add(struct audit *audit, const struct audit_entry *entry);
/* What waits. False: err says why it is not there; said once, until something can be written again. */
bool audit_write(struct audit *audit, struct err *err) USE_RESULT;
void audit_close(struct audit *audit); /* what waits is not written */

#endif
