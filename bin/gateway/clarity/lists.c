/* lists.c - what was recorded, as lists (contract sections 6.3 to 6.5) */
#include "compat.h"

#include <stdlib.h>

#include "clarity/internal.h"
#include "err.h"
#include "http/server.h"
#include "log/log.h"

static void
reply_failed(struct request *request, const struct err *err)
{
	static const char *const later[] = { "retry-after", "1", NULL };

	request_reply_error(request, 503, later, "%s", err->text);
}

/* Between items[] and its end: what only answers to ?after= have. */
static void
add_paging(const struct asked *asked, const struct page *page, struct buf *to)
{
	int64_t last = page->n_events ? page->events[page->n_events - 1]->seq : asked->after;

	if (!asked->paged)
		return;
	jtext_add_i64(to, "after", last);
	jtext_add_bool(to, "more", page->more);
}

static void
after_page(struct page *page)
{
	struct asked *asked = page->payload;
	struct buf answer = BUF_INIT;
	size_t i;

	if (page->err.status)
		reply_failed(asked->request, &page->err);
	else if (asked->paged && asked->after > page->last_seq)
		request_reply_error(asked->request, 410, NULL, "cursor %lld is ahead of the log (last %lld)", (long long)asked->after,
		    (long long)page->last_seq);
	else {
		buf_addch(&answer, '{');
		jtext_add_filled(&answer, "runId", &asked->run);
		buf_addstr(&answer, answer.len > 1 ? ",\"items\":[" : "\"items\":[");
		for (i = 0; i < page->n_events; i++) {
			if (i)
				buf_addch(&answer, ',');
			shape_event(page->events[i], &answer);
		}
		buf_addch(&answer, ']');
		add_paging(asked, page, &answer);
		buf_addch(&answer, '}');
		shape_reply(asked->request, 200, NULL, &answer);
		buf_release(&answer);
	}
	page_free(page);
	asked_free(asked);
}

static void
ask_page(struct clarity *clarity, struct request *request, const struct buf *run, const char *prefix, const struct conversation *what)
{
	struct asked *asked;
	struct page *page;
	int64_t after = 0;
	bool paged = shape_after(request, false, &after);

	if (paged && after < 0) {
		request_reply_error(request, 400, NULL, "expected after to be a cursor (a whole number from 0)");
		return;
	}
	asked = asked_new(clarity, request, run);
	asked->paged = paged;
	asked->after = after;
	page = page_new(after_page, asked);
	buf_add(&page->stream, run->s, run->len);
	page->thread = what->thread;
	page->shared = what->shared;
	page->prefix = what->thread ? NULL : prefix;
	page->after = after;
	page->last = !paged;
	page->limit = shape_limit(request, 200);
	log_page(clarity->settings.log, page);
}

static const struct conversation all_runs;

void
list_events(struct clarity *clarity, struct request *request, const struct buf *run)
{
	ask_page(clarity, request, run, "agent.", &all_runs);
}

void
list_audit(struct clarity *clarity, struct request *request, const struct buf *run)
{
	ask_page(clarity, request, run, NULL, &all_runs);
}

static void
list_conversation(struct clarity *clarity, struct request *request, const struct buf *run, const struct conversation *what)
{
	ask_page(clarity, request, run, "agent.", what);
}

void
list_run_events(struct clarity *clarity, struct request *request, const struct buf *run)
{
	conversation_find(clarity, request, run, list_conversation);
}

static void
after_runs(struct rows *rows)
{
	struct asked *asked = rows->payload;
	struct buf answer = BUF_INIT;
	size_t i;

	if (rows->err.status)
		reply_failed(asked->request, &rows->err);
	else {
		buf_addstr(&answer, "{\"items\":[");
		for (i = 0; i < rows->n_rows; i++) {
			if (i)
				buf_addch(&answer, ',');
			run_summary(rows->rows[i], &answer);
		}
		buf_addstr(&answer, "]}");
		shape_reply(asked->request, 200, NULL, &answer);
		buf_release(&answer);
	}
	rows_free(rows, log_rows_ops());
	asked_free(asked);
}

void
list_runs(struct clarity *clarity, struct request *request, const struct buf *run)
{
	struct asked *asked = asked_new(clarity, request, run);
	struct rows *rows = rows_new(after_runs, asked);

	rows->limit = shape_limit(request, 100);
	log_rows(clarity->settings.log, rows);
}
