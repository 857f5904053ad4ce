/* audit.h - who did what: records that are only ever added to a file, one a line
 *
 *   {"at":TIME,"user":TEXT|null,"token":ID|null,"peer":TEXT,"action":TEXT,"subject":TEXT,"status":NUMBER}
 *
 * Each record is one write to the end of the file, so several processes may add to it; one that could only be written in part is ended by
 * the next one's newline. What the kernel has taken survives the process, not the power.
 */
#ifndef AUDIT_H
#define AUDIT_H

#include "bucket.h"
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
	uint64_t skipped; /* refused callers that were not recorded; the next record says how many ("skipped") */
};

#define AUDIT_INIT                                                                                                                         \
	{                                                                                                                                  \
		.fd = -1                                                                                                                   \
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
/* False: err says why it is not there; said once, until one can be written again. */
bool audit_add(struct audit *audit, const struct audit_entry *entry, struct err *err);
void audit_close(struct audit *audit);

#endif
