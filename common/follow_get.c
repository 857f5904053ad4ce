/* follow_get.c - what is fetched: catching up, polling, and whether something is missing */
#include "compat.h"

#include <string.h>

#include "api.h"
#include "clock.h"
#include "follow_internal.h"
#include "status.h"

/* ---- gaps */

/* False: it was refused, or everything is to be read anew. */
static bool
accept_gap(struct follow *follow, bool anew)
{
	struct err *gap = &follow->gap;
	const char *server = follow->api->address.given.s;

	if (anew)
		err_set(gap, STATUS_GAP, "unable to %s without a gap: the log of %s no longer holds event %lld, and began anew or moved on",
		    follow->what.s, server, (long long)follow->from);
	else
		err_set(gap, STATUS_GAP, "unable to %s without a gap: %s no longer holds event %lld; the oldest that it still has is %lld",
		    follow->what.s, server, (long long)follow->from, (long long)follow->pages.oldest);
	if (!follow->events->gap || !follow->events->gap(gap, follow->payload))
		return false;
	gap->status = STATUS_OK;
	follow->verified = true;
	if (anew) {
		follow->last = 0;
		follow->seen = false;
		follow->anew = true;
	}
	return !anew;
}

/* Before the first event that a catching up brings: is nothing missing before it? */
static bool
verify(struct follow *follow)
{
	const struct event_view *view = &follow->view;

	if (follow->verified || view->seq < 0)
		return true;
	if (follow->from_seen) {
		if (view->seq != follow->from)
			return accept_gap(follow, false);
		follow->verified = follow_mark(view) == follow->from_mark;
		return follow->verified || accept_gap(follow, true);
	}
	/* a cursor from elsewhere: it may be any event's */
	follow->verified = !follow->from || follow->pages.paged || follow->pages.oldest <= follow->from ||
	    (follow->run && !strcmp(view->kind.s, "agent.run_created"));
	return follow->verified || accept_gap(follow, false);
}

/* A GET has brought nothing new: does it show that the server knows our last event? */
static bool
verify_nothing(struct follow *follow)
{
	const struct pages *pages = &follow->pages;

	if (follow->verified || !follow->from)
		return true;
	/* a list that has moved on is no news while we are in touch; one that shows older events only went back */
	if (follow->get == GET_POLL)
		return !follow->from_seen || pages->paged || pages->oldest < 0 || pages->last > follow->from;
	return !follow->from_seen && (pages->paged || (pages->oldest >= 0 && pages->oldest <= follow->from));
}

/* ---- GET */

static bool
on_stored(struct span event, int64_t seq, void *payload)
{
	struct follow *follow = payload;

	(void)seq;
	if (!event_view_read(&follow->view, event) || !follow_belongs(follow))
		return true;
	if (follow->get == GET_HISTORY) {
		if (follow->view.seq >= 0 && follow->view.seq <= follow->last)
			follow->events->history(&follow->view, follow->payload);
		else if (follow->what_kind == FOLLOW_THREAD)
			return false; /* what comes after is asked for next */
		return true;
	}
	if (follow->get == GET_CATCH_UP && !verify(follow))
		return false;
	if (follow->get == GET_POLL && follow->from_seen && follow->view.seq == follow->from) {
		follow->verified = follow_mark(&follow->view) == follow->from_mark;
		if (!follow->verified && !accept_gap(follow, true))
			return false;
	}
	/* an event without a seq cannot be told from one that came before: lists give it at first only */
	if (follow->view.seq < 0 && follow->contacted)
		return true;
	follow->listing = true;
	if (follow_deliver(follow))
		follow->fresh = true;
	follow->listing = false;
	return !follow->done;
}

void
follow_get_start(struct follow *follow, enum get get)
{
	if (get == follow->need)
		follow->need = GET_NOTHING;
	follow->get = get;
	follow->verified = follow->anew = follow->fresh = false;
	follow->fetching = follow->deaf;
	follow->from = follow->last;
	follow->from_seen = follow->seen;
	follow->from_mark = follow->last_mark;
	follow->pages = (struct pages){ .run = follow->run, .after = follow->last };
	if (follow->what_kind == FOLLOW_THREAD)
		follow->pages = (struct pages){ .thread = follow->run, .after = follow->last };
	if (get == GET_HISTORY) {
		follow->pages.after = 0;
		follow->pages.newest = follow->what_kind == FOLLOW_RUNS;
	} else if (follow->seen && (get == GET_CATCH_UP || !follow->paged))
		follow->pages.after = follow->last - 1; /* our last event must come first, as we know it */
	follow->paging = paging_start(follow->api, &follow->pages, follow->what.s, on_stored, follow);
}

void
follow_get_need(struct follow *follow, enum get get, int64_t at)
{
	follow->need = get;
	follow->next_get = at;
}

/* The server's log is another one now: everything in it is new, and what the stream still brings belongs to the old one. */
static void
begin_anew(struct follow *follow)
{
	follow_stream_close(follow);
	follow->get = GET_NOTHING;
	follow->next_open = clock_monotonic_ms();
	follow_get_need(follow, GET_CATCH_UP, follow->next_open);
}

/* False: it is over, err says why. */
static bool
get_failed(struct follow *follow, const struct err *why, struct err *err)
{
	enum get get = follow->get;

	follow->get = GET_NOTHING;
	if (why->http == 410 && get != GET_HISTORY) {
		/* our cursor is ahead of the log */
		if (!accept_gap(follow, true) && !follow->anew)
			return false;
		begin_anew(follow);
		return true;
	}
	if (!follow->contacted || why->status == STATUS_DENIED || (why->http == 404 && follow->what_kind == FOLLOW_THREAD)) {
		*err = *why;
		return false;
	}
	if (follow->fresh)
		backoff_reset(&follow->get_pause); /* it was cut, but it brings us on */
	else {
		follow_notice(follow, "%s; trying again", why->text);
		follow->trouble = true;
	}
	if (follow_streaming(follow) && get == GET_POLL)
		follow->next_poll = follow_later(&follow->get_pause, why); /* the stream is what counts */
	else
		follow_get_need(follow, get == GET_HISTORY ? get : GET_CATCH_UP, follow_later(&follow->get_pause, why));
	return true;
}

/* What the stream brought while we did not listen is here now, or will not come. */
static void
hear_again(struct follow *follow)
{
	if (!follow->deaf)
		return;
	if (!follow->fetching) {
		follow->next_poll = clock_monotonic_ms();
		return;
	}
	if (follow->last < follow->heard && ++follow->fetches < FOLLOW_FETCHES) {
		follow->next_poll = clock_monotonic_ms();
		return;
	}
	if (follow->last < follow->heard || (follow->deaf_live && !follow->fresh)) {
		follow->unreadable++;
		follow_notice(follow, "a record of the stream could not be read, and %s does not list it", follow->api->address.given.s);
	}
	follow->deaf = false;
}

bool
follow_get_ended(struct follow *follow, bool ok, const struct err *why, struct err *err)
{
	enum get get = follow->get;

	paging_end(follow->paging);
	follow->paging = NULL;
	if (follow->done || follow->gap.status)
		return false;
	if (!ok)
		return get_failed(follow, why, err);
	if (follow->anew || (get != GET_HISTORY && !verify_nothing(follow))) {
		if (!follow->anew && !accept_gap(follow, true) && !follow->anew)
			return false;
		begin_anew(follow);
		return true;
	}
	if (follow->trouble)
		follow_notice(follow, "%s is there again", follow->api->address.given.s);
	follow->trouble = false;
	follow->contacted = true;
	follow->paged = get == GET_HISTORY ? follow->paged : follow->pages.paged;
	follow->ours = follow->pages.ours;
	follow->get = GET_NOTHING;
	backoff_reset(&follow->get_pause);
	follow->next_poll = deadline_in(follow->settings.poll_ms);
	if (get == GET_HISTORY) {
		follow_get_need(follow, GET_CATCH_UP, clock_monotonic_ms());
		return true;
	}
	if (follow->call)
		lead_poll(&follow->lead, follow->last, follow->fresh && !follow->deaf, clock_monotonic_ms());
	if (follow->ws && get == GET_POLL && follow->fresh && !follow->deaf)
		follow->ws_behind = true;
	hear_again(follow);
	follow_edge(follow);
	return !follow->done;
}
