/* turnstream.c - start a turn and give its events as they happen */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "clock.h"
#include "compass.h"
#include "err.h"
#include "event.h"
#include "http.h"
#include "status.h"
#include "turns.h"
#include "turnstream.h"
#include "xalloc.h"

struct turnstream {
	struct api *api;
	struct buf thread, text, request_id, body, what, url;
	void (*event)(const struct event_view *event, void *payload);
	void (*notice)(const char *text, void *payload);
	void *payload;
	struct follow *follow;
	struct http_call *call; /* the question; NULL once it is answered */
	int64_t ask_at;		/* ask again then, DEADLINE_NONE: not */
	int64_t lost_at;	/* the answer was lost then, 0: it was not */
	struct buf turn, candidate;
	struct buf kept; /* events that came before the id, one a line */
	struct event_view view;
	int outcome; /* -1: it has not ended */
	struct err err;
	bool too_much;
};

/* ---- events */

static void
give(struct turnstream *stream, const struct event_view *view)
{
	struct span turn;

	if (stream->outcome >= 0 || !jtext_get(view->whole, "turnId", &turn) || !jtext_is_string(turn, stream->turn.s))
		return;
	stream->event(view, stream->payload);
	stream->outcome = turns_end_of(view);
}

static void
give_kept(struct turnstream *stream)
{
	const char *at = stream->kept.s, *end;
	struct span record;

	for (; (end = strchr(at, '\n')); at = end + 1)
		if (jtext_check(at, (size_t)(end - at), false, &record, NULL) && event_view_read(&stream->view, record))
			give(stream, &stream->view);
	buf_release(&stream->kept);
}

static void
set_turn(struct turnstream *stream, const struct buf *turn)
{
	if (stream->turn.len)
		return;
	buf_add(&stream->turn, turn->s, turn->len);
	give_kept(stream);
}

/* Does this event say that our turn has begun? */
static void
recognize(struct turnstream *stream, const struct event_view *view)
{
	struct buf turn = BUF_INIT;
	struct span value;

	if (strcmp(view->kind.s, "turn.started") || !view->data.s || !jtext_get_string(view->whole, "turnId", &turn) ||
	    memchr(turn.s, '\0', turn.len))
		goto out;
	if (jtext_get(view->data, "clientRequestId", &value) && jtext_type(value) == JTEXT_STRING) {
		if (jtext_is_string(value, stream->request_id.s))
			set_turn(stream, &turn);
	} else if (!stream->candidate.len && jtext_get(view->data, "text", &value) && jtext_is_string(value, stream->text.s))
		buf_add(&stream->candidate, turn.s, turn.len);
out:
	buf_release(&turn);
}

static bool
on_event(const struct event_view *view, void *payload)
{
	struct turnstream *stream = payload;

	if (!stream->turn.len) {
		if (stream->kept.len + view->whole.n > TURNSTREAM_KEPT_MAX) {
			stream->too_much = true;
			return false;
		}
		buf_add(&stream->kept, view->whole.s, view->whole.n);
		buf_addch(&stream->kept, '\n');
		recognize(stream, view);
	} else
		give(stream, view);
	return stream->outcome < 0;
}

static bool
on_gap(const struct err *err, void *payload)
{
	struct turnstream *stream = payload;

	if (stream->notice)
		stream->notice(err->text, stream->payload);
	return false;
}

static void
on_notice(const char *text, void *payload)
{
	struct turnstream *stream = payload;

	if (stream->notice)
		stream->notice(text, stream->payload);
}

static const struct follow_events follow_events = { .event = on_event, .gap = on_gap, .notice = on_notice };

/* ---- the question */

static void
ask(struct turnstream *stream)
{
	static const char *const extra[] = { "prefer", "respond-async", NULL };

	stream->ask_at = DEADLINE_NONE;
	stream->call = compass_start(stream->api, "POST", stream->url.s, &stream->body, extra);
}

/* The answer was lost, or a proxy's stands in its place: the turn may have begun all the same. */
static bool
was_lost(const struct http_call *call)
{
	const struct http_answer *answer = http_call_answer(call);

	return answer->status ? answer->status == 502 || answer->status == 504 : answer->sent;
}

/* False: there is no turn, stream->err says why. */
static bool
answered(struct turnstream *stream, bool ok, const struct err *why)
{
	struct span whole, object;
	struct buf id = BUF_INIT;
	bool lost = was_lost(stream->call);

	stream->err = *why;
	if (compass_result(stream->api, stream->call, ok, "turn", stream->what.s, &whole, &object, &stream->err)) {
		if (jtext_get_string(object, "turnId", &id) && id.len && !memchr(id.s, '\0', id.len))
			set_turn(stream, &id);
		else
			err_set(&stream->err, STATUS_PROTOCOL, "unable to %s: the turn has no turnId", stream->what.s);
		lost = false;
	} else if (lost || stream->lost_at) {
		lost = lost || !http_call_answer(stream->call)->status;
		if (!stream->lost_at)
			stream->lost_at = clock_monotonic_ms();
	}
	buf_release(&id);
	http_end(stream->call);
	stream->call = NULL;
	if (!lost)
		return stream->turn.len > 0;
	err_hint(&stream->err, "the turn may have begun all the same; see agent-events --thread");
	if (stream->candidate.len)
		set_turn(stream, &stream->candidate);
	else if (follow_is_gateway(stream->follow))
		stream->ask_at = deadline_in(1000); /* it knows the request by its id: asking again starts nothing twice */
	return true;
}

/* ---- life */

struct turnstream *
turnstream_new(struct api *api, const struct turnstream_request *request, struct err *err)
{
	struct turnstream *stream;
	int64_t last;

	if (!compass_last(api, request->thread, request->from, &last, err))
		return NULL;
	stream = xcalloc(1, sizeof *stream);
	stream->api = api;
	stream->event = request->event;
	stream->notice = request->notice;
	stream->payload = request->payload;
	stream->outcome = -1;
	buf_init(&stream->thread);
	buf_init(&stream->text);
	buf_init(&stream->request_id);
	buf_init(&stream->body);
	buf_init(&stream->what);
	buf_init(&stream->url);
	buf_init(&stream->turn);
	buf_init(&stream->candidate);
	buf_init(&stream->kept);
	event_view_init(&stream->view);
	buf_addstr(&stream->thread, request->thread);
	buf_addstr(&stream->text, request->text);
	buf_addstr(&stream->request_id, request->request_id);
	buf_add(&stream->body, request->body->s, request->body->len);
	buf_addf(&stream->what, "start a turn in thread '%s'", request->thread);
	COMPASS_PATH(api, &stream->url, "threads", request->thread, "turns");
	api_query(&stream->url, "wait", "false");
	stream->follow = follow_thread_new(api, stream->thread.s, last, &request->follow, &follow_events, stream);
	ask(stream);
	return stream;
}

void
turnstream_free(struct turnstream *stream)
{
	if (!stream)
		return;
	http_end(stream->call);
	follow_free(stream->follow);
	buf_release(&stream->thread);
	buf_release(&stream->text);
	buf_release(&stream->request_id);
	buf_release(&stream->body);
	buf_release(&stream->what);
	buf_release(&stream->url);
	buf_release(&stream->turn);
	buf_release(&stream->candidate);
	buf_release(&stream->kept);
	event_view_release(&stream->view);
	free(stream);
}

enum follow_result
turnstream_step(struct turnstream *stream, struct err *err)
{
	struct err why = ERR_INIT;
	enum follow_result result;
	bool ok;

	if (stream->call && http_done(stream->call, &ok, &why) && !answered(stream, ok, &why)) {
		*err = stream->err;
		return FOLLOW_FAILED;
	}
	if (stream->outcome >= 0)
		return FOLLOW_DONE;
	if (stream->lost_at && !stream->turn.len) {
		if (stream->candidate.len)
			set_turn(stream, &stream->candidate);
		else if (deadline_left(stream->lost_at + TURNSTREAM_LOST_MS) == 0) {
			*err = stream->err;
			return FOLLOW_FAILED;
		} else if (!stream->call && deadline_left(stream->ask_at) == 0)
			ask(stream);
	}
	result = follow_step(stream->follow, err);
	if (stream->outcome >= 0)
		return FOLLOW_DONE;
	if (stream->too_much) {
		err_set(err, STATUS_PROTOCOL, "unable to %s: more than %u bytes of events came before its answer", stream->what.s,
		    TURNSTREAM_KEPT_MAX);
		return FOLLOW_FAILED;
	}
	return result;
}

int64_t
turnstream_deadline(const struct turnstream *stream)
{
	int64_t next = follow_deadline(stream->follow);

	if (stream->outcome >= 0)
		return 0;
	if (stream->lost_at && !stream->turn.len) {
		if (stream->lost_at + TURNSTREAM_LOST_MS < next)
			next = stream->lost_at + TURNSTREAM_LOST_MS;
		if (!stream->call && stream->ask_at < next)
			next = stream->ask_at;
	}
	return next;
}

int
turnstream_fd(const struct turnstream *stream)
{
	return follow_fd(stream->follow);
}

const char *
turnstream_turn(const struct turnstream *stream)
{
	return stream->turn.len ? stream->turn.s : stream->candidate.len ? stream->candidate.s : NULL;
}

int
turnstream_outcome(const struct turnstream *stream)
{
	return stream->outcome;
}
