/* records.c - ask a server for a list */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "buf.h"
#include "clock.h"
#include "err.h"
#include "jsplit.h"
#include "records.h"
#include "xalloc.h"

struct records {
	struct api *api;
	struct http_call *call;
	struct buf what;
	struct jsplit *split;
	records_item_cb *cb;
	void *payload;
	struct err err;
	struct buf head; /* the first bytes, to show when it is no list */
	bool broken;
	struct buf url;
	const char *member; /* static */
};

static bool
on_item(const char *json, size_t n, void *payload)
{
	struct records *records = payload;

	return records->cb((struct span){ json, n }, records->payload);
}

static bool
on_body(const char *bytes, size_t n, void *payload)
{
	struct records *records = payload;

	if (records->head.len < 128)
		buf_add(&records->head, bytes, n < 128 ? n : 128);
	if (records->broken)
		return false;
	records->broken = !jsplit_feed(records->split, bytes, n, &records->err);
	return !records->broken;
}

static void
ask(struct records *records)
{
	struct api *api = records->api;
	char **headers = api_headers(api, "application/json", NULL);
	struct http_request request = { .method = "GET", .url = records->url.s, .body_cb = on_body, .payload = records };

	request.headers = (const char *const *)(uintptr_t)headers;
	request.deadline = api->deadline;
	request.silence_ms = API_REQUEST_TIMEOUT_MS;
	records->call = http_start(api->http, &request);
	api_headers_free(headers);
}

struct records *
records_start(struct api *api, const char *url, const char *what, records_item_cb *cb, void *payload)
{
	return records_start_of(api, url, "items", what, cb, payload);
}

struct records *
records_start_of(struct api *api, const char *url, const char *member, const char *what, records_item_cb *cb, void *payload)
{
	struct records *records = xcalloc(1, sizeof *records);

	records->api = api;
	records->cb = cb;
	records->payload = payload;
	records->member = member;
	buf_init(&records->head);
	buf_init(&records->what);
	buf_addstr(&records->what, what);
	buf_init(&records->url);
	buf_addstr(&records->url, url);
	records->split = jsplit_new(member, RECORD_MAX, on_item, records);
	ask(records);
	return records;
}

/* An answer that is no list: HTML of a proxy, another kind of server, or JSON that was cut off. */
static bool
not_a_list(const struct records *records, const struct http_answer *answer, struct err *err)
{
	struct http_answer shown = *answer;

	if (strstr(answer->content_type.s, "json")) {
		*err = records->err;
		return err_prefix(err, "unable to %s: %s", records->what.s, records->api->address.given.s);
	}
	/* the body went to the splitter; its beginning is what a person wants to see */
	shown.body = records->head;
	return api_fail(records->api, &shown, records->what.s, err);
}

/* A limit was met, and waited for. */
static bool
ask_again(struct records *records, int status, struct err *err)
{
	if (status != 429 || !records->api->wait_for_limit || !api_wait_for_limit(records->api, err->retry_at_ms))
		return false;
	http_end(records->call);
	jsplit_free(records->split);
	records->split = jsplit_new(records->member, RECORD_MAX, on_item, records);
	records->broken = false;
	buf_reset(&records->head);
	records->err = *err = (struct err)ERR_INIT;
	ask(records);
	return true;
}

bool
records_done(struct records *records, bool *ret_ok, struct buf *rest, struct err *err)
{
	const struct http_answer *answer;
	struct span members;
	bool ok;

	if (!http_done(records->call, &ok, err))
		return false;
	answer = http_call_answer(records->call);
	if (!ok)
		err_prefix(err, "unable to %s: unable to reach %s", records->what.s, records->api->address.given.s);
	else if (answer->status < 200 || answer->status > 299) {
		ok = api_fail(records->api, answer, records->what.s, err);
		if (ask_again(records, answer->status, err))
			return false;
	} else if (records->broken || !jsplit_end(records->split, &records->err))
		ok = not_a_list(records, answer, err);
	else if (rest) {
		members = jsplit_rest(records->split);
		buf_add(rest, members.s, members.n);
	}
	*ret_ok = ok;
	return true;
}

bool
records_header(const struct records *records, const char *name, struct buf *to)
{
	return http_header(http_call_answer(records->call), name, to);
}

void
records_end(struct records *records)
{
	if (!records)
		return;
	http_end(records->call);
	jsplit_free(records->split);
	buf_release(&records->head);
	buf_release(&records->what);
	buf_release(&records->url);
	free(records);
}

bool
records_get(struct api *api, const char *url, const char *what, records_item_cb *cb, void *payload, struct buf *rest, struct err *err)
{
	return records_get_of(api, url, "items", what, cb, payload, rest, err);
}

bool
records_get_of(struct api *api, const char *url, const char *member, const char *what, records_item_cb *cb, void *payload, struct buf *rest,
    struct err *err)
{
	struct records *records = records_start_of(api, url, member, what, cb, payload);
	bool ok = false;

	while (!records_done(records, &ok, rest, err))
		if (!http_wait(api->http, NULL, 0, DEADLINE_NONE, err))
			break;
	records_end(records);
	return ok;
}
