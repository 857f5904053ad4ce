/* internal.h - what the files of hitl/ share. Private to hitl/. */
#ifndef GATEWAY_HITL_INTERNAL_H
#define GATEWAY_HITL_INTERNAL_H

#include <hitl.h> /* the noun of common/; "hitl.h" would be the door of this room */

#include "compat.h"

struct auth;
struct event_base;
struct request;
struct clerk;

enum errand_kind { ERRAND_LIST, ERRAND_SHOW, ERRAND_ASK, ERRAND_ANSWER, ERRAND_CANCEL, ERRAND_SCAN };

/* Something to do with the directory. */
struct errand {
	enum errand_kind kind;
	struct request *request; /* not the clerk's; NULL for a scan */
	struct buf key, text;
	int64_t timestamp, pid;
	bool timed; /* timestamp was given */
	unsigned tries;
	/* what came of it */
	int http;
	struct buf body; /* compact JSON */
	struct hitl_question question;
	struct hitl_list list;
	bool reopened; /* the directory is another one than at the errand before */
	bool settling; /* ask once more, after HITL_SETTLE_MS */
	struct errand *next;
};

struct errand *errand_new(enum errand_kind kind, struct request *request);
void errand_free(struct errand *errand);

/* done() comes on the loop thread, in the order of the errands, and owns the errand. */
typedef void clerk_done_cb(struct errand *errand, void *payload);

struct clerk *clerk_new(struct event_base *base, const char *dir, clerk_done_cb *done, void *payload, struct err *err);
const char *clerk_path(const struct clerk *clerk);
bool clerk_add(struct clerk *clerk, struct errand *errand) USE_RESULT; /* false: too many wait; the errand stays the caller's */
void clerk_free(struct clerk *clerk);				       /* what still waits is dropped; accepts NULL */

/* hearers.c - the streams of those who hear of new questions. The directory is only looked at while there are some. One scan is on its way
 * at most; what happens meanwhile asks for another one. */
struct hearers;
struct hearers *hearers_new(struct event_base *base, struct auth *auth, struct clerk *clerk, int64_t ping_ms);
void hearers_add(struct hearers *hearers, struct request *request);   /* it becomes a stream */
void hearers_scan(struct hearers *hearers);			      /* something may have changed */
void hearers_scanned(struct hearers *hearers, struct errand *errand); /* an ERRAND_SCAN is done; the errand stays the caller's */
void hearers_moved(struct hearers *hearers);			      /* an errand, of whatever kind, has found another directory there */
void hearers_answered(struct hearers *hearers, const char *stem);     /* an answer may be taken away before the next scan sees it */
void hearers_stop(struct hearers *hearers);			      /* all streams end */
void hearers_free(struct hearers *hearers);

#endif
