/* follow.c - follow events, each once and in order: the cursor, and what is due when */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "clock.h"
#include "follow_internal.h"
#include "hash.h"
#include "http.h"
#include "jtext.h"
#include "status.h"
#include "wsclient.h"
#include "xalloc.h"

static struct follow *new (struct api *api, const char *run, int64_t after, const struct follow_settings *settings,
    const struct follow_events *events, void *payload)
{
	struct follow *follow = xcalloc(1, sizeof *follow);
	uint64_t seed = (uint64_t)clock_wall_ms() ^ (uint64_t)(uintptr_t)follow;

	follow->api = api;
	follow->run = run ? xstrdup(run) : NULL;
	follow->settings = *settings;
	if (!follow->settings.poll_ms)
		follow->settings.poll_ms = FOLLOW_POLL_MS;
	follow->events = events;
	follow->payload = payload;
	follow->last = after;
	follow->source = settings->no_stream ? SOURCE_NONE : run ? SOURCE_RUN : SOURCE_GLOBAL;
	follow->need = settings->history && after ? GET_HISTORY : GET_CATCH_UP;
	follow->next_get = follow->next_open = clock_monotonic_ms();
	follow->next_poll = DEADLINE_NONE;
	backoff_init(&follow->get_pause, FOLLOW_PAUSE_MIN_MS, FOLLOW_PAUSE_MAX_MS, seed);
	backoff_init(&follow->open_pause, FOLLOW_PAUSE_MIN_MS, FOLLOW_PAUSE_MAX_MS, seed ^ UINT64_MAX);
	event_view_init(&follow->view);
	buf_init(&follow->what);
	buf_init(&follow->line);
	buf_init(&follow->said);
	buf_init(&follow->last_at);
	return follow;
}

struct follow *
follow_new(struct api *api, const char *run, int64_t after, const struct follow_settings *settings, const struct follow_events *events,
    void *payload)
{
	struct follow *follow = new (api, run, after, settings, events, payload);

	if (run)
		buf_addf(&follow->what, "follow run '%s'", run);
	else
		buf_addstr(&follow->what, "follow the events");
	return follow;
}

struct follow *
follow_thread_new(struct api *api, const char *thread, int64_t after, const struct follow_settings *settings,
    const struct follow_events *events, void *payload)
{
	struct follow *follow = new (api, thread, after, settings, events, payload);

	follow->what_kind = FOLLOW_THREAD;
	follow->source = settings->no_stream ? SOURCE_NONE : SOURCE_SOCKET;
	buf_addf(&follow->what, "follow thread '%s'", thread);
	return follow;
}

struct follow *
follow_runtime_new(struct api *api, const struct follow_events *events, void *payload)
{
	static const struct follow_settings settings = { .no_stream = false };
	struct follow *follow = new (api, NULL, 0, &settings, events, payload);

	follow->what_kind = FOLLOW_RUNTIME;
	follow->source = SOURCE_SOCKET;
	follow->need = GET_NOTHING;
	buf_addstr(&follow->what, "follow the runtime");
	return follow;
}

void
follow_free(struct follow *follow)
{
	if (!follow)
		return;
	follow_stream_close(follow);
	paging_end(follow->paging);
	event_view_release(&follow->view);
	buf_release(&follow->what);
	buf_release(&follow->line);
	buf_release(&follow->said);
	buf_release(&follow->last_at);
	free(follow->run);
	free(follow);
}

bool
follow_behind(const struct follow *follow)
{
	return follow->listing || (follow->marked && follow->replaying);
}

bool
follow_is_gateway(const struct follow *follow)
{
	return follow->ours;
}

uint64_t
follow_unreadable(const struct follow *follow)
{
	return follow->unreadable;
}

void
follow_notice(struct follow *follow, const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list args;

	va_start(args, fmt);
	buf_vaddf(&text, fmt, args);
	va_end(args);
	if (follow->events->notice && strcmp(text.s, follow->said.s) != 0)
		follow->events->notice(text.s, follow->payload);
	buf_reset(&follow->said);
	buf_add(&follow->said, text.s, text.len);
	buf_release(&text);
}

/* ---- events, from wherever they come */

bool
follow_belongs(const struct follow *follow)
{
	if (follow->what_kind != FOLLOW_RUNS)
		return true; /* nothing else comes there */
	if (follow->run)
		return !strcmp(follow->view.run.s, follow->run);
	return !strncmp(follow->view.kind.s, "agent.", 6);
}

uint64_t
follow_mark(const struct event_view *view)
{
	struct span at = SPAN_NONE;

	if (!jtext_get(view->whole, "at", &at))
		(void)jtext_get(view->whole, "createdAt", &at);
	return hash_add(hash(at.s, at.n), view->kind.s, view->kind.len);
}

/* The event in follow->view. True when it was new here. */
bool
follow_deliver(struct follow *follow)
{
	struct event_view *view = &follow->view;

	if (view->seq >= 0) {
		if (view->seq <= follow->last)
			return false;
		follow->last = view->seq;
		follow->last_mark = follow_mark(view);
		follow->seen = true;
	}
	if (!follow->events->event(view, follow->payload))
		follow->done = true;
	return true;
}

void
follow_edge(struct follow *follow)
{
	if (!follow->done && follow->events->edge && !follow->events->edge(follow->payload))
		follow->done = true;
}

int64_t
follow_later(struct backoff *pause, const struct err *err)
{
	int64_t ms = backoff_next(pause), asked = err && err->retry_at_ms ? err->retry_at_ms - clock_wall_ms() : 0;

	return deadline_in(asked > ms ? asked : ms);
}

/* ---- what is due */

static enum follow_result
result(const struct follow *follow, struct err *err)
{
	if (follow->gap.status)
		*err = follow->gap;
	return follow->done ? FOLLOW_DONE : FOLLOW_FAILED;
}

/* When a poll is due: beside a stream that is trusted only when that has been quiet for too long. */
static int64_t
poll_at(const struct follow *follow)
{
	int64_t quiet = follow->lead.last_byte + LEAD_QUIET_MS;

	if (follow->ws && !follow->deaf && !follow->ws_behind && follow->next_poll < DEADLINE_NONE - FOLLOW_SOCKET_CHECK_MS) {
		/* a socket is asked about as such (wsclient.h); a list now and then shows that nothing was left out, and oftener where that
		 * is known to happen */
		if (!follow->ours && follow->next_poll < follow->opened + FOLLOW_SOCKET_NEW_MS)
			return follow->next_poll;
		return follow->next_poll + FOLLOW_SOCKET_CHECK_MS;
	}
	if (follow->call && !follow->deaf && lead_trusted(&follow->lead, clock_monotonic_ms()))
		return follow->next_poll > quiet ? follow->next_poll : quiet;
	return follow->next_poll;
}

/* A stream begins where the catching up has ended. */
static bool
may_open(const struct follow *follow)
{
	return !follow_streaming(follow) && follow->source != SOURCE_NONE && follow->need == GET_NOTHING &&
	    (!follow->paging || follow->get == GET_POLL);
}

enum follow_result
follow_step(struct follow *follow, struct err *err)
{
	struct err why = ERR_INIT;
	int64_t now;
	bool ok;

	if (follow->done || follow->gap.status)
		return result(follow, err);
	if (follow->paging && paging_done(follow->paging, &ok, &why) && !follow_get_ended(follow, ok, &why, err))
		return result(follow, err);
	if (follow->done)
		return result(follow, err);
	if (follow->call && http_done(follow->call, &ok, &why) && !follow_stream_ended(follow, ok, &why, err))
		return FOLLOW_FAILED;
	if (follow->ws)
		follow_socket_step(follow);
	if (follow->done)
		return result(follow, err);
	now = clock_monotonic_ms();
	if (!follow->paging) {
		if (follow->need != GET_NOTHING) {
			if (follow->next_get <= now)
				follow_get_start(follow, follow->need);
		} else if (poll_at(follow) <= now)
			follow_get_start(follow, GET_POLL);
	}
	if (may_open(follow) && follow->next_open <= now) {
		if (follow->source != SOURCE_SOCKET)
			follow_stream_open(follow);
		else
			follow_socket_open(follow);
	}
	return follow->done || follow->gap.status ? result(follow, err) : FOLLOW_ON;
}

int64_t
follow_deadline(const struct follow *follow)
{
	int64_t next = DEADLINE_NONE;

	if (follow->done || follow->gap.status)
		return 0;
	if (!follow->paging)
		next = follow->need != GET_NOTHING ? follow->next_get : poll_at(follow);
	if (may_open(follow) && follow->next_open < next)
		next = follow->next_open;
	if (follow->ws && wsclient_deadline(follow->ws) < next)
		next = wsclient_deadline(follow->ws);
	return next;
}

int
follow_fd(const struct follow *follow)
{
	return follow->ws ? wsclient_fd(follow->ws) : -1;
}
