/* watch.c - WebSockets: a thread's events and the runtime's notifications as they happen (contract section 7)
 *
 * The whole backlog after the cursor, then what comes, without a gap and without a repeat. A reader that is too slow is told so (1013) and
 * comes back with the cursor of the last frame it has. Who may no longer see it is told too (1008).
 */
#include "compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "compass/internal.h"
#include "http/server.h"
#include "http/ws.h"
#include "jsnum.h"
#include "xalloc.h"

#define NOTICES_MAX 1000 /* runtime notifications kept for those who come back */

struct watcher {
	struct compass *compass;
	struct ws *ws;
	struct principal *who;
	struct buf thread; /* "": the runtime's notifications */
	struct subscription *subscription;
	int64_t cursor; /* of the last notification sent */
	struct watcher *next, **prev;
};

struct notice {
	int64_t cursor;
	struct shared_frame *frame;
	struct notice *next;
};

/* A request for a thread's stream while the store looks for the thread. */
struct opening {
	struct compass *compass;
	struct request *request;
	struct principal *who;
	struct buf thread;
	bool found;
};

static void
watcher_free(struct watcher *watcher)
{
	log_unsubscribe(watcher->subscription);
	*watcher->prev = watcher->next;
	if (watcher->next)
		watcher->next->prev = watcher->prev;
	principal_unref(watcher->who);
	buf_release(&watcher->thread);
	free(watcher);
}

static void
end(struct watcher *watcher, int code, const char *reason)
{
	struct ws *ws = watcher->ws;

	watcher_free(watcher);
	ws_close(ws, code, reason);
}

/* JavaScript's Number; what is no whole number from 0 on is 0. */
static int64_t
cursor_of(const struct request *request)
{
	struct buf text = BUF_INIT;
	double n = 0;

	if (request_query(request, "cursor", &text))
		n = js_number(text.s, text.len);
	buf_release(&text);
	if (isnan(n) || n < 0 || floor(n) != n)
		return 0;
	return n >= 9007199254740992.0 ? INT64_C(9007199254740992) : (int64_t)n;
}

/* ---- notifications of the runtime */

static void
send_notices(struct watcher *watcher)
{
	struct notice *notice;

	for (notice = watcher->compass->notices; notice && !ws_full(watcher->ws); notice = notice->next)
		if (notice->cursor > watcher->cursor) {
			watcher->cursor = notice->cursor;
			ws_send_shared(watcher->ws, notice->frame);
		}
}

void
watch_notice(struct compass *compass, const char *method, struct span params)
{
	struct notice *notice = xcalloc(1, sizeof *notice), **at;
	struct buf frame = BUF_INIT, compact = BUF_INIT;
	struct watcher *watcher;

	jtext_compact(&compact, params.s ? params : (struct span){ "{}", 2 });
	notice->cursor = ++compass->last_notice;
	buf_addch(&frame, '{');
	jtext_add_text(&frame, "type", method);
	jtext_add_text(&frame, "method", method);
	jtext_add_i64(&frame, "cursor", notice->cursor);
	jtext_add_raw(&frame, "payload", compact.s, compact.len);
	jtext_add_raw(&frame, "params", compact.s, compact.len);
	jtext_add_time(&frame, "createdAt", clock_wall_ms());
	buf_addch(&frame, '}');
	notice->frame = shared_frame_new(frame.s, frame.len);
	for (at = &compass->notices; *at; at = &(*at)->next)
		;
	*at = notice;
	if (++compass->n_notices > NOTICES_MAX) {
		notice = compass->notices;
		compass->notices = notice->next;
		compass->n_notices--;
		shared_frame_unref(notice->frame);
		free(notice);
	}
	for (watcher = compass->watchers; watcher; watcher = watcher->next)
		if (!watcher->thread.len)
			send_notices(watcher);
	buf_release(&frame);
	buf_release(&compact);
}

void
watch_forget_notices(struct compass *compass)
{
	while (compass->notices) {
		struct notice *notice = compass->notices;

		compass->notices = notice->next;
		shared_frame_unref(notice->frame);
		free(notice);
	}
}

/* ---- events of a thread */

static void
free_frame(void *frame)
{
	shared_frame_unref(frame);
}

static bool
on_event(struct entry *event, void *payload)
{
	struct watcher *watcher = payload;
	struct buf frame = BUF_INIT;

	/* one frame for all who watch */
	if (!event->frame) {
		form_frame(&frame, event);
		event->frame = shared_frame_new(frame.s, frame.len);
		event->frame_free = free_frame;
		buf_release(&frame);
	}
	ws_send_shared(watcher->ws, event->frame);
	return !ws_full(watcher->ws);
}

static void
on_failed(const struct err *err, void *payload)
{
	(void)err;
	end(payload, WS_TROUBLE, "Agent stream setup failed");
}

static void
on_drained(void *payload)
{
	struct watcher *watcher = payload;

	if (watcher->subscription)
		log_resume(watcher->subscription);
	else
		send_notices(watcher);
}

static void
on_closed(int code, void *payload)
{
	(void)code;
	watcher_free(payload);
}

static const struct subscription_events log_events = { .event = on_event, .failed = on_failed };
static const struct ws_events ws_events = { .drained = on_drained, .closed = on_closed };

/* Takes over the reference to who. NULL: answered. */
static struct watcher *
open_watcher(struct compass *compass, struct request *request, struct principal *who)
{
	struct watcher *watcher = xcalloc(1, sizeof *watcher);
	struct ws_settings settings;

	ws_settings_init(&settings);
	watcher->ws = ws_open(request, &settings, &ws_events, watcher);
	if (!watcher->ws) {
		principal_unref(who);
		free(watcher);
		return NULL;
	}
	watcher->compass = compass;
	watcher->who = who;
	buf_init(&watcher->thread);
	watcher->next = compass->watchers;
	watcher->prev = &compass->watchers;
	if (watcher->next)
		watcher->next->prev = &watcher->next;
	compass->watchers = watcher;
	return watcher;
}

void
watch_runtime(struct compass *compass, struct request *request, struct principal *who)
{
	int64_t cursor = cursor_of(request);
	struct watcher *watcher = open_watcher(compass, request, who);

	if (!watcher)
		return;
	/* one from before the gateway's start means all there is */
	watcher->cursor = cursor > compass->last_notice ? 0 : cursor;
	send_notices(watcher);
}

static bool
apply_open(struct change *change, const void *row, struct change_context *context)
{
	struct opening *opening = change->payload;
	struct thread thread;

	(void)row;
	thread_init(&thread);
	opening->found = change_thread_get(context, span_of(&opening->thread), &thread) &&
	    principal_member(opening->who, thread.workspace.s, thread.workspace.len);
	thread_release(&thread);
	return true;
}

static void
done_open(struct change *change)
{
	struct opening *opening = change->payload;
	struct compass *compass = opening->compass;
	struct watcher *watcher;
	int64_t cursor;

	if (change->result != CHANGE_DONE || compass->draining) {
		ws_reject(opening->request, 503, "Agent websocket is not configured", NULL);
		principal_unref(opening->who);
	} else if (!opening->found) {
		ws_reject(opening->request, 403, "Agent stream access denied", NULL);
		principal_unref(opening->who);
	} else {
		cursor = cursor_of(opening->request);
		watcher = open_watcher(compass, opening->request, opening->who);
		if (watcher) {
			buf_add(&watcher->thread, opening->thread.s, opening->thread.len);
			watcher->subscription = log_subscribe_thread(
			    compass->settings.log, span_of(&watcher->thread), cursor, &log_events, watcher);
		}
	}
	buf_release(&opening->thread);
	free(opening);
	change_free(change);
}

void
watch_thread(struct compass *compass, struct request *request, struct principal *who, const struct buf *thread)
{
	struct opening *opening = xcalloc(1, sizeof *opening);
	struct change *change = change_new(done_open, opening);

	opening->compass = compass;
	opening->request = request;
	opening->who = who;
	buf_init(&opening->thread);
	buf_add(&opening->thread, thread->s, thread->len);
	change->apply = apply_open;
	log_change(compass->settings.log, change);
}

/* ---- all of them */

void
watchers_tick(struct compass *compass)
{
	struct watcher *watcher, *next;

	for (watcher = compass->watchers; watcher; watcher = next) {
		next = watcher->next;
		if (!auth_holds(compass->settings.auth, watcher->who))
			end(watcher, WS_POLICY, "Session ended");
	}
}

void
watchers_gone(struct compass *compass, const struct buf *thread)
{
	struct watcher *watcher, *next;

	for (watcher = compass->watchers; watcher; watcher = next) {
		next = watcher->next;
		if (!strcmp(watcher->thread.s, thread->s))
			end(watcher, WS_DONE, "Thread deleted");
	}
}

void
watchers_close(struct compass *compass)
{
	while (compass->watchers)
		end(compass->watchers, WS_GOING_AWAY, "The gateway stops");
}
