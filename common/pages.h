/* pages.h - the stored events of a run, of all runs or of a thread, in order: from a gateway page by page, from others what they give
 *
 * Events of a thread come in pages from every server (Compass contract, section 6.5): one after the other until an empty one.
 * agent-gateway takes ?after=SEQ and gives pages with "more"; a Clarity runtime ignores it and gives the newest 2000 at most. Either
 * way the callback gets each event with a seq above `after` once, in order.
 */
#ifndef PAGES_H
#define PAGES_H

#include "compat.h"
#include "jtext.h"

struct api;
struct err;

#define PAGES_THREAD_LIMIT 500 /* of a thread */
#define PAGES_LIMIT 2000       /* events of one page; more is never given by any server */

/* seq is -1 for an item without one. Return false to stop. */
typedef bool pages_event_cb(struct span event, int64_t seq, void *payload);

struct pages {
	/* in */
	const char *run;    /* NULL: agent events of all runs; borrowed */
	const char *thread; /* NULL: no thread; else run does not count, and seq is the cursor; borrowed */
	int64_t after;	    /* exclusive; 0: from the beginning */
	bool newest;	    /* the newest PAGES_LIMIT at most, as one page, whatever the server keeps */
	/* out */
	bool paged;	 /* the server keeps everything and gave pages: nothing can be missing */
	bool ours;	 /* it is agent-gateway */
	int64_t last;	 /* seq of the last event given, or `after` */
	int64_t oldest;	 /* the smallest seq that the server still showed, -1: none */
	bool after_seen; /* the event with seq `after` was still there (not for paged servers) */
	bool full;	 /* a server without pages gave as many as it gives: older ones may be missing */
	uint64_t count;	 /* events given */
};

bool pages_read(struct api *api, struct pages *pages, const char *what, pages_event_cb *cb, void *payload, struct err *err) USE_RESULT;

/* ---- the same without waiting: drive it with http_wait() on api->http */

struct paging;

/* Starts it; `pages` must live as long as the paging, and pages->paged is known before the first event is given. */
struct paging *paging_start(struct api *api, struct pages *pages, const char *what, pages_event_cb *cb, void *payload) USE_RESULT;

/* Has it ended? Then *ret_ok and err are as pages_read() gives them. */
bool paging_done(struct paging *paging, bool *ret_ok, struct err *err) USE_RESULT;
void paging_end(struct paging *paging); /* ends it when it still runs, and frees it; accepts NULL */

#endif
