/* uplink.c - events that go into a thread from here */
#include "compat.h"

#include "api.h"
#include "err.h"
#include "key.h"
#include "post.h"
#include "status.h"
#include "uplink.h"

void
uplink_release(struct uplink *uplink)
{
	buf_release(&uplink->thread);
	buf_release(&uplink->events);
	uplink->n = 0;
}

bool
uplink_room(const struct uplink *uplink, size_t n)
{
	return !uplink->n || (uplink->n < UPLINK_EVENTS_MAX && uplink->events.len + n < UPLINK_BYTES_MAX);
}

void
uplink_add(struct uplink *uplink, const char *turn, const char *method, struct span payload)
{
	struct buf text = BUF_INIT;

	buf_addstr(&uplink->events, uplink->n++ ? ",{" : "{");
	if (*turn)
		jtext_add_text(&uplink->events, "turnId", turn);
	jtext_add_text(&uplink->events, "method", method);
	if (payload.s) {
		jtext_compact(&text, payload);
		jtext_add_raw(&uplink->events, "payload", text.s, text.len);
	}
	buf_addch(&uplink->events, '}');
	buf_release(&text);
}

static bool
check_answer(const struct api *api, const struct http_answer *answer, size_t n, const char *what, struct err *err)
{
	struct span value;
	int64_t accepted = -1;

	if (!jtext_check(answer->body.s, answer->body.len, false, &value, NULL) || !jtext_get_i64(value, "accepted", &accepted))
		return api_fail(api, answer, what, err);
	if (accepted != (int64_t)n)
		return err_set(
		    err, STATUS_PROTOCOL, "unable to %s: %s took %lld of %zu", what, api->address.given.s, (long long)accepted, n);
	return true;
}

bool
uplink_send(struct uplink *uplink, struct api *api, const char *key, struct err *err)
{
	struct buf url = BUF_INIT, body = BUF_INIT, what = BUF_INIT, fresh = BUF_INIT;
	struct http_answer answer;
	bool ok;

	if (!uplink->n)
		return true;
	API_PATH(api, &url, "v1", "agent", "threads", uplink->thread.s);
	buf_addstr(&url, "/events:batch");
	buf_addf(&what, "post to thread '%s'", uplink->thread.s);
	buf_addstr(&body, "{\"events\":[");
	buf_add(&body, uplink->events.s, uplink->events.len);
	buf_addstr(&body, "]}");
	if (!key)
		key_add(&fresh);
	ok = post_json(api, url.s, &body, key ? key : fresh.s, uplink->patient, what.s, &answer, err) &&
	    check_answer(api, &answer, uplink->n, what.s, err);
	http_answer_release(&answer);
	buf_reset(&uplink->events);
	uplink->n = 0;
	buf_release(&url);
	buf_release(&body);
	buf_release(&what);
	buf_release(&fresh);
	return ok;
}
