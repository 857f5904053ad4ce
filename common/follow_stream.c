/* follow_stream.c - what is streamed: the stream's records, opening it, losing it */
#include "compat.h"

#include <string.h>

#include "api.h"
#include "clock.h"
#include "follow_internal.h"
#include "http.h"
#include "jtext.h"
#include "sse.h"
#include "status.h"

/* ---- what the stream brings */

void
follow_deaf(struct follow *follow, bool live)
{
	if (!follow->deaf) {
		follow->heard = -1;
		follow->fetches = 0;
		follow->deaf_live = false;
	}
	follow->deaf = true;
	follow->deaf_live |= live;
	follow->fetching = false;
	follow->next_poll = clock_monotonic_ms();
}

static bool
on_event(const struct sse_event *event, void *payload)
{
	struct follow *follow = payload;
	struct event_view *view = &follow->view;
	struct span record;
	bool fresh;

	if (!event->data_len)
		return true;
	if (!jtext_check(event->data, event->data_len, false, &record, NULL)) {
		follow_notice(follow, "the stream brought a record that is not JSON; fetching it");
		follow_deaf(follow, !follow->replaying);
		return true;
	}
	buf_reset(&follow->line);
	jtext_compact(&follow->line, record);
	if (!event_view_read(view, span_of(&follow->line)))
		return true;
	/* the global stream replays little: between our last event and its first one others may have been */
	if (!follow->begun && follow->source == SOURCE_GLOBAL && !follow->marked && view->seq > follow->last + 1)
		follow_deaf(follow, false);
	follow->begun = true;
	if (!follow_belongs(follow))
		return true;
	if (view->seq >= follow->replay_to && !follow->marked)
		follow->replaying = false;
	if (follow->deaf) {
		if (view->seq > follow->heard)
			follow->heard = view->seq;
		return true;
	}
	fresh = follow_deliver(follow);
	if (fresh)
		follow->news = true;
	lead_stream(&follow->lead, view->seq, fresh, clock_monotonic_ms());
	return !follow->done;
}

static void
on_comment(const char *text, size_t n, void *payload)
{
	struct follow *follow = payload;

	if (!follow->marked || n != 4 || memcmp(text, "live", 4) != 0)
		return;
	follow->replaying = false;
	follow_edge(follow);
}

static bool
is_sse(const struct http_answer *answer)
{
	return !strcmp(answer->content_type.s, "text/event-stream");
}

static bool
on_body(const char *bytes, size_t n, void *payload)
{
	struct follow *follow = payload;
	struct buf value = BUF_INIT;
	struct err err = ERR_INIT;

	if (!follow->lead.proven) {
		if (!is_sse(http_call_answer(follow->call)))
			return false; /* a page of some proxy */
		/* this one knows cursors, and says ": live" when its replay is over */
		follow->marked = http_header(http_call_answer(follow->call), "x-agentutils", &value);
		follow->replaying = follow->marked || follow->replay_to > 0;
		buf_release(&value);
	}
	lead_byte(&follow->lead, clock_monotonic_ms());
	if (!sse_feed(follow->sse, bytes, n, &err)) {
		follow_notice(follow, "%s", err.text);
		return false;
	}
	return !follow->done;
}

/* ---- opening and losing it */

void
follow_stream_close(struct follow *follow)
{
	http_end(follow->call);
	follow->call = NULL;
	sse_free(follow->sse);
	follow->sse = NULL;
	follow_socket_close(follow);
	follow->deaf = follow->marked = follow->replaying = false;
}

void
follow_stream_open(struct follow *follow)
{
	struct buf url = BUF_INIT, cursor = BUF_INIT;
	const char *extra[3] = { NULL };
	char **headers;
	struct http_request request = {
		.method = "GET", .body_cb = on_body, .payload = follow, .deadline = DEADLINE_NONE, .silence_ms = FOLLOW_SILENCE_MS
	};

	buf_addf(&cursor, "%lld", (long long)follow->last);
	if (follow->source == SOURCE_RUN)
		API_PATH(follow->api, &url, "api", "agents", "runs", follow->run, "events", "stream");
	else
		API_PATH(follow->api, &url, "api", "events");
	api_query(&url, "limit", "2000");
	api_query(&url, "after", cursor.s);
	extra[0] = "last-event-id";
	extra[1] = cursor.s;
	headers = api_headers(follow->api, "text/event-stream", extra);
	request.url = url.s;
	request.headers = (const char *const *)(uintptr_t)headers;
	follow->sse = sse_new(on_event, on_comment, follow);
	follow->opened = clock_monotonic_ms();
	lead_open(&follow->lead, follow->opened);
	follow->marked = follow->begun = follow->news = false;
	follow->replay_to = follow->last;
	follow->replaying = true;
	follow->call = http_start(follow->api->http, &request);
	/* until the first byte has come, polling sees to it that nothing is late */
	follow->next_poll = deadline_in(follow->settings.poll_ms);
	api_headers_free(headers);
	buf_release(&url);
	buf_release(&cursor);
}

/* No stream here: the next kind of source, or polling for a while. */
static void
fall_back(struct follow *follow, const char *why)
{
	if (follow->source == SOURCE_RUN) {
		if (!follow->polling_said)
			follow_notice(follow, "run stream unavailable: %s. Falling back to global stream.", why);
		follow->source = SOURCE_GLOBAL;
		follow->next_open = clock_monotonic_ms();
		return;
	}
	if (!follow->polling_said)
		follow_notice(follow, "stream error: %s. Falling back to polling.", why);
	follow->polling_said = true;
	follow->source = follow->run ? SOURCE_RUN : SOURCE_GLOBAL;
	follow->next_open = deadline_in(FOLLOW_STREAM_RETRY_MS);
}

/* It was open, and ended: what we may have missed is fetched at once, the stream itself is given more time the shorter it lived. */
static void
stream_lost(struct follow *follow)
{
	if (follow->news || clock_monotonic_ms() - follow->opened >= FOLLOW_STREAM_GOOD_MS)
		backoff_reset(&follow->open_pause);
	follow->polling_said = false;
	follow_stream_close(follow);
	/* back to the run's own, which may be there now */
	follow->source = follow->run ? SOURCE_RUN : SOURCE_GLOBAL;
	follow->next_open = follow_later(&follow->open_pause, NULL);
	if (!follow->paging)
		follow_get_need(follow, GET_CATCH_UP, follow_later(&follow->get_pause, NULL));
	else
		follow_get_need(follow, GET_CATCH_UP, clock_monotonic_ms());
}

bool
follow_stream_ended(struct follow *follow, bool ok, const struct err *why, struct err *err)
{
	const struct http_answer *answer = http_call_answer(follow->call);
	int status = answer->status;
	bool good = status >= 200 && status <= 299, sse = is_sse(answer);
	struct err said = ERR_INIT;

	if (ok && (status == 401 || status == 403))
		return api_fail(follow->api, answer, follow->what.s, err);
	if (!status || (good && sse)) {
		if (!ok)
			follow_notice(follow, "stream lost: %s; reconnecting", why->text);
		else if (sse_cut(follow->sse))
			follow_notice(follow, "stream lost: it ended inside a record; reconnecting");
		stream_lost(follow);
	} else if (good || status == 404 || status == 405 || status == 501) {
		if (good)
			err_set(&said, STATUS_PROTOCOL, "%d with %s", status,
			    answer->content_type.len ? answer->content_type.s : "no content type");
		else
			err_set(&said, STATUS_NO, "%d", status);
		follow_stream_close(follow);
		fall_back(follow, said.text);
	} else {
		/* it is refused for now: polling goes on, and tells more if there is more to tell */
		(void)api_fail(follow->api, answer, follow->what.s, &said);
		follow_notice(follow, "%s; polling", said.text);
		follow_stream_close(follow);
		follow->next_open = follow_later(&follow->open_pause, &said);
		if (status == 410)
			follow_get_need(follow, GET_CATCH_UP, clock_monotonic_ms());
	}
	return true;
}
