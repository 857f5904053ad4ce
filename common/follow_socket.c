/* follow_socket.c - what a WebSocket brings: the events of a thread, the notifications of the runtime */
#include "compat.h"

#include <string.h>

#include "api.h"
#include "api_ws.h"
#include "clock.h"
#include "follow_internal.h"
#include "jtext.h"
#include "status.h"

/* ---- what it brings */

/* The members of an event in the order in which lists have them; a frame says its method twice. */
static const char *const ordered[] = { "cursor", "threadId", "turnId", "method", "payload", "createdAt" };

static bool
is_ordered(const struct buf *key)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(ordered); i++)
		if (!strcmp(key->s, ordered[i]))
			return true;
	return !strcmp(key->s, "type");
}

/* The event inside a frame, so that it reads the same whichever way it came. */
static void
make_event(struct span frame, struct buf *to)
{
	struct buf key = BUF_INIT, text = BUF_INIT;
	struct span name, value;
	size_t i, pos = 0;

	buf_reset(to);
	buf_addch(to, '{');
	for (i = 0; i < ARRAY_LEN(ordered); i++)
		if (jtext_get(frame, ordered[i], &value)) {
			buf_reset(&text);
			jtext_compact(&text, value);
			jtext_add_raw(to, ordered[i], text.s, text.len);
		}
	while (jtext_each(frame, &pos, &name, &value)) {
		buf_reset(&key);
		buf_reset(&text);
		if (!jtext_string(name, &key) || is_ordered(&key) || memchr(key.s, '\0', key.len))
			continue;
		jtext_compact(&text, value);
		jtext_add_raw(to, key.s, text.s, text.len);
	}
	buf_addch(to, '}');
	buf_release(&key);
	buf_release(&text);
}

/* A runtime's cursors begin anew with its server: then the time tells what is new. */
static void
take_notification(struct follow *follow)
{
	struct event_view *view = &follow->view;
	struct buf at = BUF_INIT;

	(void)jtext_get_string(view->whole, "createdAt", &at);
	if (follow->ws_new && view->seq >= 0 && view->seq <= follow->last && strcmp(at.s, follow->last_at.s) > 0)
		follow->last = view->seq - 1;
	if (follow_deliver(follow)) {
		buf_reset(&follow->last_at);
		buf_add(&follow->last_at, at.s, at.len);
		follow->news = true;
		follow->ws_new = false;
	}
	buf_release(&at);
}

static bool
on_text(struct span message, void *payload)
{
	struct follow *follow = payload;
	struct event_view *view = &follow->view;
	struct span frame;

	if (follow->done)
		return false;
	if (!jtext_check(message.s, message.n, false, &frame, NULL)) {
		follow_notice(
		    follow, "the stream brought a record that is not JSON%s", follow->what_kind == FOLLOW_THREAD ? "; fetching it" : "");
		if (follow->what_kind == FOLLOW_THREAD)
			follow_deaf(follow, true);
		else
			follow->unreadable++;
		return true;
	}
	if (jtext_type(frame) != JTEXT_OBJECT)
		return true;
	make_event(frame, &follow->line);
	if (!event_view_read(view, span_of(&follow->line)))
		return true;
	follow->ws_behind = false;
	if (follow->what_kind == FOLLOW_RUNTIME) {
		take_notification(follow);
		return !follow->done;
	}
	if (!follow->ours && view->seq > follow->last)
		follow_deaf(follow, false);
	if (follow->deaf) {
		if (view->seq > follow->heard)
			follow->heard = view->seq;
	} else if (follow_deliver(follow))
		follow->news = true;
	return !follow->done;
}

/* ---- opening and losing it */

void
follow_socket_close(struct follow *follow)
{
	wsclient_free(follow->ws);
	follow->ws = NULL;
	follow->deaf = follow->ws_behind = false;
}

/* There is none here: polling, and another look from time to time. */
static void
no_socket(struct follow *follow, const struct err *why)
{
	if (why->http == 404 || why->http == 405 || why->http == 426 || why->http == 501 || (why->http >= 200 && why->http < 300)) {
		if (!follow->polling_said)
			follow_notice(follow, "stream error: %d. Falling back to polling.", why->http);
		follow->polling_said = true;
		follow->next_open = deadline_in(FOLLOW_STREAM_RETRY_MS);
	} else {
		follow_notice(follow, "%s; polling", why->text);
		follow->next_open = follow_later(&follow->open_pause, why);
	}
}

static struct wsclient *
open_socket(struct follow *follow, struct err *why)
{
	struct buf url = BUF_INIT, cursor = BUF_INIT;
	struct api *api = follow->api;
	int64_t deadline = api->deadline, soon = deadline_in(FOLLOW_OPEN_MS);
	struct wsclient *ws;

	if (follow->what_kind == FOLLOW_THREAD)
		API_PATH(api, &url, "v1", "agent", "threads", follow->run, "stream");
	else
		API_PATH(api, &url, "v1", "agent", "runtime", "stream");
	/* at first only what comes from now on counts of the runtime: a server that replays may give everything it kept */
	if (follow->what_kind == FOLLOW_THREAD || follow->last) {
		buf_addf(&cursor, "%lld", (long long)follow->last);
		api_query(&url, "cursor", cursor.s);
	}
	if (soon < deadline)
		api->deadline = soon;
	ws = api_websocket(api, url.s, NULL, on_text, follow, follow->what.s, why);
	api->deadline = deadline;
	buf_release(&url);
	buf_release(&cursor);
	return ws;
}

void
follow_socket_open(struct follow *follow)
{
	struct err why = ERR_INIT;

	follow->ws = open_socket(follow, &why);
	follow->opened = clock_monotonic_ms();
	follow->news = follow->ws_behind = false;
	follow->ws_new = true;
	if (follow->ws) {
		follow->contacted = true;
		follow->polling_said = false;
		if (follow->what_kind == FOLLOW_RUNTIME)
			follow_edge(follow);
		else if (!follow->ours)
			follow->next_poll = follow->opened; /* what came between the last list and now may not come here */
	} else if (follow->what_kind == FOLLOW_THREAD)
		no_socket(follow, &why);
	else if (!follow->contacted || why.status == STATUS_DENIED)
		follow->gap = why; /* nothing else brings notifications */
	else {
		follow_notice(follow, "%s; trying again", why.text);
		follow->next_open = follow_later(&follow->open_pause, &why);
	}
}

void
follow_socket_step(struct follow *follow)
{
	struct err why = ERR_INIT;

	if (wsclient_step(follow->ws, &why))
		return;
	follow_notice(follow, "stream lost: %s; reconnecting", why.text);
	if (follow->news || clock_monotonic_ms() - follow->opened >= FOLLOW_STREAM_GOOD_MS)
		backoff_reset(&follow->open_pause);
	follow_socket_close(follow);
	follow->next_open = follow_later(&follow->open_pause, NULL);
	if (follow->what_kind == FOLLOW_THREAD)
		follow_get_need(follow, GET_CATCH_UP, follow->paging ? clock_monotonic_ms() : follow_later(&follow->get_pause, NULL));
}
