/* records.c - ask a server for a list */
#include "compat.h"

#include <string.h>

#include "api.h"
#include "buf.h"
#include "clock.h"
#include "err.h"
#include "jsplit.h"
#include "records.h"
#include "status.h"

struct list {
	struct jsplit *split;
	records_item_cb *cb;
	void *payload;
	struct err err;
	struct buf head; /* the first bytes, to show when it is no list */
	bool broken;
};

static bool
on_item(const char *json, size_t n, void *payload)
{
	struct list *list = payload;

	return list->cb((struct span){ json, n }, list->payload);
}

static bool
on_body(const char *bytes, size_t n, void *payload)
{
	struct list *list = payload;

	if (list->head.len < 128)
		buf_add(&list->head, bytes, n < 128 ? n : 128);
	if (list->broken)
		return false;
	list->broken = !jsplit_feed(list->split, bytes, n, &list->err);
	return !list->broken;
}

/* An answer that is no list: HTML of a proxy, another kind of server, or JSON that was cut off. */
static bool
not_a_list(const struct api *api, struct http_answer *answer, struct list *list, const char *what, struct err *err)
{
	if (strstr(answer->content_type.s, "json")) {
		*err = list->err;
		return err_prefix(err, "unable to %s: %s", what, api->given.s);
	}
	buf_reset(&answer->body);
	buf_add(&answer->body, list->head.s, list->head.len);
	return api_fail(api, answer, what, err);
}

bool
records_get(struct api *api, const char *url, const char *what, records_item_cb *cb, void *payload, struct buf *rest, struct err *err)
{
	struct list list = { .cb = cb, .payload = payload, .head = BUF_INIT };
	char **headers = api_headers(api, "application/json", NULL);
	struct http_request request = { .method = "GET", .url = url, .body_cb = on_body, .payload = &list };
	struct http_answer answer;
	bool ok;

	list.split = jsplit_new("items", RECORD_MAX, on_item, &list);
	request.headers = (const char *const *)(uintptr_t)headers;
	request.deadline = api->deadline;
	request.silence_ms = API_REQUEST_TIMEOUT_MS;
	ok = http_run(api->http, &request, &answer, err);
	api_headers_free(headers);
	if (!ok)
		err_prefix(err, "unable to %s: unable to reach %s", what, api->given.s);
	else if (answer.status < 200 || answer.status > 299)
		ok = api_fail(api, &answer, what, err);
	else if (list.broken || !jsplit_end(list.split, &list.err))
		ok = not_a_list(api, &answer, &list, what, err);
	else if (rest) {
		struct span members = jsplit_rest(list.split);

		buf_add(rest, members.s, members.n);
	}
	jsplit_free(list.split);
	buf_release(&list.head);
	http_answer_release(&answer);
	return ok;
}
