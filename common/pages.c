/* pages.c - the stored events of a run, in order */
#include "compat.h"

#include "api.h"
#include "buf.h"
#include "err.h"
#include "jtext.h"
#include "pages.h"
#include "records.h"

struct reading {
	struct pages *pages;
	pages_event_cb *cb;
	void *payload;
	uint64_t items;
	bool stopped;
};

static bool
on_item(struct span item, void *payload)
{
	struct reading *reading = payload;
	struct pages *pages = reading->pages;
	int64_t seq = -1;

	reading->items++;
	(void)jtext_get_i64(item, "seq", &seq);
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
	reading->stopped = !reading->cb(item, seq, reading->payload);
	return !reading->stopped;
}

static void
page_url(const struct api *api, const struct pages *pages, struct buf *url)
{
	struct buf number = BUF_INIT;

	buf_reset(url);
	if (pages->run)
		API_PATH(api, url, "api", "agents", "runs", pages->run, "events");
	else
		API_PATH(api, url, "api", "agents", "events");
	buf_addf(&number, "%d", PAGES_LIMIT);
	api_query(url, "limit", number.s);
	buf_reset(&number);
	buf_addf(&number, "%lld", (long long)pages->last);
	api_query(url, "after", number.s);
	buf_release(&number);
}

bool
pages_read(struct api *api, struct pages *pages, const char *what, pages_event_cb *cb, void *payload, struct err *err)
{
	struct reading reading = { .pages = pages, .cb = cb, .payload = payload };
	struct buf url = BUF_INIT, rest = BUF_INIT;
	struct span more, members;
	bool ok = true, again = true;

	pages->last = pages->after;
	pages->oldest = -1;
	pages->count = 0;
	pages->paged = pages->after_seen = pages->full = false;
	while (ok && again && !reading.stopped) {
		page_url(api, pages, &url);
		buf_reset(&rest);
		reading.items = 0;
		ok = records_get(api, url.s, what, on_item, &reading, &rest, err);
		again = false;
		if (!ok || !rest.len || reading.stopped)
			break;
		members = (struct span){ rest.s, rest.len };
		pages->paged = jtext_get(members, "more", &more);
		again = pages->paged && jtext_type(more) == JTEXT_TRUE && reading.items;
		pages->full = !pages->paged && reading.items >= PAGES_LIMIT;
	}
	buf_release(&url);
	buf_release(&rest);
	return ok;
}
