/* pages.c - the stored events of a run, in order */
#include "compat.h"

#include <stdlib.h>

#include "api.h"
#include "buf.h"
#include "clock.h"
#include "err.h"
#include "jtext.h"
#include "pages.h"
#include "records.h"
#include "xalloc.h"

struct paging {
	struct api *api;
	struct pages *pages;
	struct buf what;
	pages_event_cb *cb;
	void *payload;
	struct records *records; /* the page that is being read */
	uint64_t items;		 /* in it */
	bool stopped;
};

/* Only agent-gateway gives pages of runs, and says by this header that it is one. */
static void
ask_kind(struct paging *paging)
{
	struct buf value = BUF_INIT;

	paging->pages->ours = records_header(paging->records, "x-agentutils", &value);
	paging->pages->paged = paging->pages->thread || (!paging->pages->newest && paging->pages->ours);
	buf_release(&value);
}

static bool
on_item(struct span item, void *payload)
{
	struct paging *paging = payload;
	struct pages *pages = paging->pages;
	int64_t seq = -1;

	if (!paging->items++)
		ask_kind(paging);
	(void)jtext_get_i64(item, pages->thread ? "cursor" : "seq", &seq);
	if (seq >= 0) {
		if (pages->oldest < 0 || seq < pages->oldest)
			pages->oldest = seq;
		if (seq == pages->after)
			pages->after_seen = true;
		if (seq <= pages->last)
			return true;
		pages->last = seq;
	}
	pages->count++;
	paging->stopped = !paging->cb(item, seq, paging->payload);
	return !paging->stopped;
}

static void
start_thread_page(struct paging *paging)
{
	struct buf url = BUF_INIT, number = BUF_INIT;

	API_PATH(paging->api, &url, "v1", "agent", "threads", paging->pages->thread, "events");
	buf_addf(&number, "%lld", (long long)paging->pages->last);
	api_query(&url, "cursor", number.s);
	buf_reset(&number);
	buf_addf(&number, "%d", PAGES_THREAD_LIMIT);
	api_query(&url, "limit", number.s);
	paging->items = 0;
	paging->records = records_start_of(paging->api, url.s, "events", paging->what.s, on_item, paging);
	buf_release(&url);
	buf_release(&number);
}

static void
start_page(struct paging *paging)
{
	const struct pages *pages = paging->pages;
	struct buf url = BUF_INIT, number = BUF_INIT;

	if (pages->thread) {
		start_thread_page(paging);
		return;
	}
	if (pages->run)
		API_PATH(paging->api, &url, "api", "agents", "runs", pages->run, "events");
	else
		API_PATH(paging->api, &url, "api", "agents", "events");
	buf_addf(&number, "%d", PAGES_LIMIT);
	api_query(&url, "limit", number.s);
	if (!pages->newest) {
		buf_reset(&number);
		buf_addf(&number, "%lld", (long long)pages->last);
		api_query(&url, "after", number.s);
	}
	paging->items = 0;
	paging->records = records_start(paging->api, url.s, paging->what.s, on_item, paging);
	buf_release(&url);
	buf_release(&number);
}

struct paging *
paging_start(struct api *api, struct pages *pages, const char *what, pages_event_cb *cb, void *payload)
{
	struct paging *paging = xcalloc(1, sizeof *paging);

	paging->api = api;
	paging->pages = pages;
	paging->cb = cb;
	paging->payload = payload;
	buf_init(&paging->what);
	buf_addstr(&paging->what, what);
	pages->last = pages->after;
	pages->oldest = -1;
	pages->count = 0;
	pages->paged = pages->ours = pages->after_seen = pages->full = false;
	start_page(paging);
	return paging;
}

bool
paging_done(struct paging *paging, bool *ret_ok, struct err *err)
{
	struct pages *pages = paging->pages;
	struct buf rest = BUF_INIT;
	struct span more = SPAN_NONE;
	bool again = false;

	if (!paging->stopped) {
		if (!records_done(paging->records, ret_ok, &rest, err))
			return false;
		if (*ret_ok && !paging->items)
			ask_kind(paging);
		if (*ret_ok && pages->thread)
			again = paging->items >= PAGES_THREAD_LIMIT;
		else if (*ret_ok && pages->paged && rest.len && jtext_get(span_of(&rest), "more", &more))
			again = jtext_type(more) == JTEXT_TRUE && paging->items;
		if (*ret_ok)
			pages->full = !pages->paged && paging->items >= PAGES_LIMIT;
		buf_release(&rest);
	} else
		*ret_ok = true; /* what else it would give is not wanted */
	if (!again)
		return true;
	records_end(paging->records);
	start_page(paging);
	return false;
}

void
paging_end(struct paging *paging)
{
	if (!paging)
		return;
	records_end(paging->records);
	buf_release(&paging->what);
	free(paging);
}

bool
pages_read(struct api *api, struct pages *pages, const char *what, pages_event_cb *cb, void *payload, struct err *err)
{
	struct paging *paging = paging_start(api, pages, what, cb, payload);
	bool ok = false;

	while (!paging_done(paging, &ok, err))
		if (!http_wait(api->http, NULL, 0, DEADLINE_NONE, err))
			break;
	paging_end(paging);
	return ok;
}
