/* follow.c - follow events, each once and in order */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "buf.h"
#include "clock.h"
#include "err.h"
#include "event.h"
#include "follow.h"
#include "http.h"
#include "jtext.h"
#include "pages.h"
#include "sse.h"
#include "status.h"
#include "xalloc.h"

enum source { SOURCE_RUN, SOURCE_GLOBAL, SOURCE_NONE };

struct follow {
	struct api *api;
	char *run; /* NULL: all */
	struct follow_settings settings;
	const struct follow_events *events;
	void *payload;
	struct event_view view;
	struct buf what;	 /* "follow run 'r'" */
	int64_t last;		 /* cursor */
	bool contacted;		 /* the first contact was good */
	bool done, gap_refused;	 /* a callback said so */
	struct err gap;
	/* the stream */
	enum source source;	 /* what is tried next or is open */
	struct http_call *call;	 /* NULL: none open */
	struct sse *sse;
	bool proven;		 /* it has brought a byte, and no poll has overtaken it since */
	bool broken;		 /* it brought something that cannot be read */
	bool catch_up;		 /* a GET is due before anything else */
	int64_t last_byte, next_poll, next_try;
	int64_t pause_ms;
	uint64_t jitter;
	bool polling_said;
};

struct follow *
follow_new(struct api *api, const char *run, int64_t after, const struct follow_settings *settings, const struct follow_events *events, void *payload)
{
	struct follow *follow = xcalloc(1, sizeof *follow);

	follow->api = api;
	follow->run = run ? xstrdup(run) : NULL;
	follow->settings = *settings;
	if (!follow->settings.poll_ms)
		follow->settings.poll_ms = FOLLOW_POLL_MS;
	follow->events = events;
	follow->payload = payload;
	follow->last = after;
	follow->source = settings->no_stream ? SOURCE_NONE : run ? SOURCE_RUN : SOURCE_GLOBAL;
	follow->catch_up = true;
	follow->pause_ms = FOLLOW_PAUSE_MIN_MS;
	follow->next_try = follow->next_poll = DEADLINE_NONE;
	follow->jitter = (uint64_t)clock_wall_ms() ^ (uint64_t)(uintptr_t)follow;
	event_view_init(&follow->view);
	buf_init(&follow->what);
	if (run)
		buf_addf(&follow->what, "follow run '%s'", run);
	else
		buf_addstr(&follow->what, "follow the events");
	return follow;
}

static void
close_stream(struct follow *follow)
{
	http_end(follow->call);
	follow->call = NULL;
	sse_free(follow->sse);
	follow->sse = NULL;
	follow->proven = follow->broken = false;
}

void
follow_free(struct follow *follow)
{
	if (!follow)
		return;
	close_stream(follow);
	event_view_release(&follow->view);
	buf_release(&follow->what);
	free(follow->run);
	free(follow);
}

int64_t
follow_last(const struct follow *follow)
{
	return follow->last;
}

static void
notice(struct follow *follow, const char *fmt, ...) PRINTF(2, 3);

static void
notice(struct follow *follow, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list args;

	if (!follow->events->notice)
		return;
	va_start(args, fmt);
	buf_vaddf(&text, fmt, args);
	va_end(args);
	follow->events->notice(text.s, follow->payload);
	buf_release(&text);
}

/* ---- events, from wherever they come */

/* True to go on. New events only; those of other runs and other kinds are dropped. */
static bool
deliver(struct follow *follow, struct span record)
{
	struct event_view *view = &follow->view;

	if (!event_view_read(view, record))
		return true;
	if (follow->run ? strcmp(view->run.s, follow->run) != 0 : strncmp(view->kind.s, "agent.", 6) != 0)
		return true;
	if (view->seq >= 0) {
		if (view->seq <= follow->last)
			return true;
		follow->last = view->seq;
	}
	follow->done = !follow->events->event(view, follow->payload);
	return !follow->done;
}

static bool
on_stored(struct span event, int64_t seq, void *payload)
{
	(void)seq;
	return deliver(payload, event);
}

static bool
on_event(const struct sse_event *event, void *payload)
{
	struct follow *follow = payload;
	struct span record;

	if (!event->data_len)
		return true;
	if (!jtext_check(event->data, event->data_len, false, &record, NULL)) {
		/* what it was will be fetched */
		follow->broken = true;
		return false;
	}
	return deliver(follow, record);
}

static bool
on_body(const char *bytes, size_t n, void *payload)
{
	struct follow *follow = payload;
	struct err err = ERR_INIT;

	follow->last_byte = clock_monotonic_ms();
	follow->proven = true;
	follow->pause_ms = FOLLOW_PAUSE_MIN_MS;
	if (!sse_feed(follow->sse, bytes, n, &err)) {
		notice(follow, "%s", err.text);
		follow->broken = true;
	}
	return !follow->done && !follow->broken;
}

/* ---- catching up */

static void
set_gap(struct follow *follow, const struct pages *pages)
{
	struct err *gap = &follow->gap;

	if (pages->oldest < 0)
		err_set(gap, STATUS_GAP, "unable to %s without a gap: %s no longer knows event %lld, nor any after it", follow->what.s, follow->api->given.s,
		    (long long)pages->after);
	else
		err_set(gap, STATUS_GAP, "unable to %s without a gap: %s no longer knows event %lld; the oldest it still has is %lld", follow->what.s,
		    follow->api->given.s, (long long)pages->after, (long long)pages->oldest);
}

/* The last event we saw must still be there, unless the server keeps everything: what it forgot besides, nobody can tell. A server that
 * started anew counts from 1 again, and what it gives now must not be taken for old. */
static bool
accept_gap(struct follow *follow, const struct pages *pages)
{
	set_gap(follow, pages);
	if (!follow->events->gap || !follow->events->gap(&follow->gap, follow->payload)) {
		follow->gap_refused = true;
		return false;
	}
	if (pages->oldest < 0 || pages->oldest <= pages->after)
		follow->last = 0;
	return true;
}

/* Everything the server has after the cursor. False: err, or a callback ended it. */
static bool
catch_up(struct follow *follow, struct err *err)
{
	struct pages pages = { .run = follow->run, .after = follow->last };
	int64_t before = follow->last;

	if (!pages_read(follow->api, &pages, follow->what.s, on_stored, follow, err)) {
		if (err->http != 410)
			return false;
		/* the cursor is ahead of a log that began anew */
		pages.after = before;
		pages.oldest = -1;
		if (!accept_gap(follow, &pages))
			return false;
		follow->last = 0;
		return catch_up(follow, err);
	}
	if (!pages.paged && before && !follow->done && !pages.after_seen) {
		if (!accept_gap(follow, &pages))
			return false;
		if (follow->last < before)
			return catch_up(follow, err);
	}
	follow->contacted = true;
	if (!follow->done && follow->events->edge)
		follow->done = !follow->events->edge(follow->payload);
	return !follow->done;
}

/* ---- the stream */

static void
open_stream(struct follow *follow)
{
	struct buf url = BUF_INIT, cursor = BUF_INIT;
	const char *extra[3] = { NULL };
	char **headers;
	struct http_request request = { .method = "GET", .body_cb = on_body, .payload = follow };

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
	request.deadline = DEADLINE_NONE;
	request.silence_ms = FOLLOW_SILENCE_MS;
	follow->sse = sse_new(on_event, NULL, follow);
	follow->proven = follow->broken = false;
	follow->last_byte = clock_monotonic_ms();
	follow->call = http_start(follow->api->http, &request);
	/* until the first byte has come, polling sees to it that nothing is late */
	follow->next_poll = deadline_in(follow->settings.poll_ms);
	follow->next_try = DEADLINE_NONE;
	api_headers_free(headers);
	buf_release(&url);
	buf_release(&cursor);
}

static uint64_t
random_below(struct follow *follow, uint64_t n)
{
	/* xorshift: good enough to spread clients out */
	follow->jitter ^= follow->jitter << 13;
	follow->jitter ^= follow->jitter >> 7;
	follow->jitter ^= follow->jitter << 17;
	return follow->jitter % n;
}

static void
back_off(struct follow *follow)
{
	follow->next_try = deadline_in((int64_t)random_below(follow, (uint64_t)follow->pause_ms) + 1);
	follow->pause_ms = follow->pause_ms * 2 < FOLLOW_PAUSE_MAX_MS ? follow->pause_ms * 2 : FOLLOW_PAUSE_MAX_MS;
}

static bool
is_missing(int status)
{
	return status == 404 || status == 405 || status == 501;
}

/* No stream here: the next kind of source. */
static void
fall_back(struct follow *follow, const char *why)
{
	if (follow->source == SOURCE_RUN) {
		notice(follow, "run stream unavailable: %s. Falling back to global stream.", why);
		follow->source = SOURCE_GLOBAL;
		follow->next_try = clock_monotonic_ms();
		return;
	}
	if (!follow->polling_said)
		notice(follow, "stream error: %s. Falling back to polling.", why);
	follow->polling_said = true;
	follow->source = follow->run ? SOURCE_RUN : SOURCE_GLOBAL;
	follow->next_try = deadline_in(FOLLOW_STREAM_RETRY_MS);
	if (follow->next_poll == DEADLINE_NONE)
		follow->next_poll = deadline_in(follow->settings.poll_ms);
}

/* The open stream has ended, well or badly. False: it is over for good. */
static bool
stream_ended(struct follow *follow, bool ok, const struct err *why, struct err *err)
{
	const struct http_answer *answer = http_call_answer(follow->call);
	struct buf text = BUF_INIT;
	int status = answer->status;
	bool on = true, proven = follow->proven;

	if (ok && status >= 200 && status <= 299 && !strcmp(answer->content_type.s, "text/event-stream")) {
		if (follow->broken)
			notice(follow, "the stream brought a record that is not JSON; reading it again");
		close_stream(follow);
		follow->catch_up = true;
		back_off(follow);
	} else if (ok && (status == 401 || status == 403)) {
		on = api_fail(follow->api, answer, follow->what.s, err);
	} else if (ok) {
		buf_addf(&text, "%d", status);
		if (status >= 200 && status <= 299)
			buf_addf(&text, " with %s", answer->content_type.len ? answer->content_type.s : "no content type");
		close_stream(follow);
		if (is_missing(status) || (status >= 200 && status <= 299))
			fall_back(follow, text.s);
		else {
			follow->catch_up = true;
			back_off(follow);
		}
	} else {
		notice(follow, "stream lost: %s%s", why->text, proven ? "; reconnecting" : "");
		close_stream(follow);
		follow->catch_up = true;
		back_off(follow);
	}
	buf_release(&text);
	return on;
}

/* ---- what is due */

static enum follow_result
result(const struct follow *follow, struct err *err)
{
	if (follow->gap_refused) {
		*err = follow->gap;
		return FOLLOW_FAILED;
	}
	return follow->done ? FOLLOW_DONE : FOLLOW_FAILED;
}

/* A GET that failed: final at the first contact and when we are refused, else tried again later. */
static bool
get_failed_for_good(const struct follow *follow, const struct err *err)
{
	return !follow->contacted || err->status == STATUS_DENIED;
}

static enum follow_result
step_catch_up(struct follow *follow, struct err *err)
{
	follow->catch_up = false;
	if (catch_up(follow, err)) {
		if (follow->source == SOURCE_NONE)
			follow->next_poll = deadline_in(follow->settings.poll_ms);
		else
			open_stream(follow);
		return FOLLOW_ON;
	}
	if (follow->done || follow->gap_refused || get_failed_for_good(follow, err))
		return result(follow, err);
	notice(follow, "%s", err->text);
	follow->catch_up = true;
	back_off(follow);
	return FOLLOW_ON;
}

/* A poll beside, or instead of, a stream. */
static enum follow_result
step_poll(struct follow *follow, struct err *err)
{
	int64_t before = follow->last;

	if (!catch_up(follow, err)) {
		if (follow->done || follow->gap_refused || get_failed_for_good(follow, err))
			return result(follow, err);
		notice(follow, "%s", err->text);
	}
	/* the poll was first: this stream is late, so polling goes on until it leads again */
	if (follow->call && follow->last > before)
		follow->proven = false;
	follow->next_poll = deadline_in(follow->settings.poll_ms);
	return FOLLOW_ON;
}

enum follow_result
follow_step(struct follow *follow, struct err *err)
{
	struct err why = ERR_INIT;
	int64_t now;
	bool ok;

	if (follow->done || follow->gap_refused)
		return result(follow, err);
	if (follow->call && http_done(follow->call, &ok, &why) && !stream_ended(follow, ok, &why, err))
		return FOLLOW_FAILED;
	now = clock_monotonic_ms();
	if (follow->catch_up && (follow->next_try == DEADLINE_NONE || follow->next_try <= now))
		return step_catch_up(follow, err);
	if (follow->catch_up)
		return FOLLOW_ON;
	if (!follow->call && follow->source != SOURCE_NONE && follow->next_try <= now)
		open_stream(follow);
	if (follow->call && follow->proven)
		follow->next_poll = follow->last_byte + FOLLOW_CHECK_MS;
	if (follow->next_poll <= now)
		return step_poll(follow, err);
	return FOLLOW_ON;
}

int64_t
follow_deadline(const struct follow *follow)
{
	int64_t next = follow->catch_up ? follow->next_try : follow->next_poll;

	if (follow->catch_up && follow->next_try == DEADLINE_NONE)
		return clock_monotonic_ms();
	if (!follow->call && follow->next_try < next)
		next = follow->next_try;
	return next;
}
