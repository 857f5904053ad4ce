/* compass.c - the thread side of the wire: calls, and the objects inside their answers */
#include "compat.h"

#include <string.h>

#include "buf.h"
#include "compass.h"
#include "err.h"
#include "event.h"
#include "pages.h"
#include "records.h"
#include "status.h"
#include "turns.h"

static const struct buf empty_object = { .s = (char[]){ "{}" }, .len = 2 };

/* The answer must be an object, and its member one too. */
static bool
take_apart(struct api *api, const struct http_answer *answer, const char *member, const char *what, struct span *ret_whole,
    struct span *ret_object, struct err *err)
{
	if (!jtext_check(answer->body.s, answer->body.len, false, ret_whole, NULL) || jtext_type(*ret_whole) != JTEXT_OBJECT)
		return api_fail(api, answer, what, err);
	*ret_object = *ret_whole;
	if (!member)
		return true;
	if (!jtext_get(*ret_whole, member, ret_object) || jtext_type(*ret_object) != JTEXT_OBJECT) {
		err_set(err, STATUS_PROTOCOL, "unable to %s: the answer of %s holds no %s", what, api->address.given.s, member);
		err_hint(err, "is that the address of an agent runtime?");
		return false;
	}
	return true;
}

bool
compass_call(struct api *api, const char *method, const char *url, const struct buf *json, const char *member, const char *what,
    struct compass_answer *answer, struct err *err)
{
	if (!json && strcmp(method, "GET"))
		json = &empty_object;
	answer->whole = answer->object = SPAN_NONE;
	return api_call(api, method, url, json, NULL, what, &answer->http, err) &&
	    take_apart(api, &answer->http, member, what, &answer->whole, &answer->object, err);
}

void
compass_release(struct compass_answer *answer)
{
	http_answer_release(&answer->http);
}

struct http_call *
compass_start(struct api *api, const char *method, const char *url, const struct buf *json, const char *const *extra)
{
	const char *all[9] = { "content-type", "application/json" };
	struct http_request request = { .method = method, .url = url, .deadline = api->deadline };
	struct http_call *call;
	char **headers;
	size_t n = 2;

	if (!json)
		json = &empty_object;
	for (; extra && *extra && n < ARRAY_LEN(all) - 1; extra++)
		all[n++] = *extra;
	headers = api_headers(api, "application/json", all);
	request.headers = (const char *const *)(uintptr_t)headers;
	request.body = json->s;
	request.body_len = json->len;
	call = http_start(api->http, &request);
	api_headers_free(headers);
	return call;
}

bool
compass_result(struct api *api, const struct http_call *call, bool ok, const char *member, const char *what, struct span *ret_whole,
    struct span *ret_object, struct err *err)
{
	const struct http_answer *answer = http_call_answer(call);

	if (!ok)
		return err_prefix(err, "unable to %s: unable to reach %s", what, api->address.given.s);
	if (answer->status < 200 || answer->status > 299)
		return api_fail(api, answer, what, err);
	return take_apart(api, answer, member, what, ret_whole, ret_object, err);
}

bool
compass_interrupt(struct api *api, const char *thread, const char *turn, struct compass_answer *answer, struct err *err)
{
	struct buf url = BUF_INIT, what = BUF_INIT;
	bool ok;

	COMPASS_PATH(api, &url, "threads", thread, "turns", turn, "interrupt");
	buf_addf(&what, "interrupt turn '%s'", turn);
	ok = compass_call(api, "POST", url.s, NULL, "turn", what.s, answer, err);
	buf_release(&url);
	buf_release(&what);
	return ok;
}

/* ---- the end of a thread */

struct last {
	int64_t cursor;
	unsigned count;
};

static bool
on_event(struct span event, void *payload)
{
	struct last *last = payload;
	int64_t cursor;

	last->count++;
	if (jtext_get_i64(event, "cursor", &cursor) && cursor > last->cursor)
		last->cursor = cursor;
	return true;
}

/* At most n events after `after`. */
static bool
look(struct api *api, const char *thread, int64_t after, unsigned n, struct last *ret, struct err *err)
{
	struct buf url = BUF_INIT, what = BUF_INIT, number = BUF_INIT;
	bool ok;

	*ret = (struct last){ .cursor = after };
	COMPASS_PATH(api, &url, "threads", thread, "events");
	buf_addf(&number, "%lld", (long long)after);
	api_query(&url, "cursor", number.s);
	buf_reset(&number);
	buf_addf(&number, "%u", n);
	api_query(&url, "limit", number.s);
	buf_addf(&what, "read the events of thread '%s'", thread);
	ok = records_get_of(api, url.s, "events", what.s, on_event, ret, NULL, err);
	buf_release(&url);
	buf_release(&what);
	buf_release(&number);
	return ok;
}

/* Steps that double until nothing comes after, then halves: some forty small questions instead of all events of a long thread. */
static bool
search(struct api *api, const char *thread, int64_t *cursor, struct err *err)
{
	int64_t step = COMPASS_EVENTS_MAX, end = INT64_MAX;
	struct last last;

	while (end - *cursor > COMPASS_EVENTS_MAX) {
		int64_t at = end == INT64_MAX ? *cursor + step : *cursor + (end - *cursor) / 2;

		if (at < *cursor || at > COMPASS_CURSOR_MAX)
			at = COMPASS_CURSOR_MAX;
		if (!look(api, thread, at, 1, &last, err))
			return false;
		if (!last.count)
			end = at;
		else if (last.cursor <= *cursor)
			return true; /* it does not know what a cursor is */
		else
			*cursor = last.cursor;
		step *= 2;
	}
	return true;
}

bool
compass_last(struct api *api, const char *thread, int64_t from, int64_t *ret, struct err *err)
{
	struct last last;

	for (*ret = from;;) {
		if (!look(api, thread, *ret, COMPASS_EVENTS_MAX, &last, err))
			return false;
		if (last.cursor <= *ret || last.count < COMPASS_EVENTS_MAX)
			break;
		*ret = last.cursor;
		if (!search(api, thread, ret, err))
			return false;
	}
	*ret = last.cursor;
	return true;
}

struct folding {
	struct turns *turns;
	struct event_view view;
};

static bool
fold(struct span event, int64_t seq, void *payload)
{
	struct folding *folding = payload;

	(void)seq;
	if (event_view_read(&folding->view, event))
		turns_event(folding->turns, &folding->view);
	return true;
}

bool
compass_open_turn(struct api *api, const char *thread, struct buf *to, struct err *err)
{
	struct folding folding = { .turns = turns_new(NULL) };
	struct pages pages = { .thread = thread };
	struct buf what = BUF_INIT;
	bool ok;

	event_view_init(&folding.view);
	buf_addf(&what, "look for the turn in progress of thread '%s'", thread);
	ok = pages_read(api, &pages, what.s, fold, &folding, err);
	if (ok && turns_open(folding.turns))
		buf_addstr(to, turns_open(folding.turns));
	event_view_release(&folding.view);
	turns_free(folding.turns);
	buf_release(&what);
	return ok;
}
