/* browsers.c - sessions in the store: put there, looked for, cleared away when they are over */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "auth/auth.h"
#include "browsers.h"
#include "clock.h"
#include "err.h"
#include "http/server.h"
#include "log/log.h"
#include "status.h"
#include "xalloc.h"

#define HELD_MAX 1000	/* requests that wait at once: whoever makes cookies up does not fill the store's queue */
#define CLEAR_EVERY 600 /* seconds */

struct held {
	struct browsers *browsers;
	struct request *request;
	struct buf key;
	struct held *next, **prev;
};

struct browsers {
	struct log *log;
	struct auth *auth;
	void (*go_on)(struct request *request, void *payload);
	void *payload;
	struct event *clear;
	struct held *held;
	unsigned n_held;
	bool clearing;
};

/* ---- into the store */

struct deed {
	struct browsers *browsers;
	struct buf key, record;
	bool removes;
	enum auth_put how;
	auth_put_cb *done;
	void *payload;
};

static bool
apply_deed(struct change *change, const void *row, struct change_context *context)
{
	const struct deed *deed = change->payload;
	bool there = (!deed->removes && deed->how == AUTH_PUT) || change_has(context, span_of(&deed->key));

	(void)row;
	if (there)
		change_put(context, span_of(&deed->key), deed->removes ? SPAN_NONE : span_of(&deed->record));
	if (there && deed->removes)
		change_tell(context, span_of(&deed->key));
	return true;
}

static void
after_deed(struct change *change)
{
	struct deed *deed = change->payload;

	/* a request that was held meanwhile may have found it still there */
	if (deed->removes && change->result == CHANGE_DONE)
		auth_session_take(deed->browsers->auth, span_of(&deed->key), SPAN_NONE);
	if (deed->done)
		deed->done(change->result == CHANGE_DONE ? NULL : &change->err, deed->payload);
	buf_release(&deed->key);
	buf_release(&deed->record);
	free(deed);
	change_free(change);
}

static void
put(const struct buf *key, struct span record, enum auth_put how, auth_put_cb *done, void *payload, void *self)
{
	struct browsers *browsers = self;
	struct deed *deed = xcalloc(1, sizeof *deed);
	struct change *change = change_new(after_deed, deed);

	deed->browsers = browsers;
	buf_init(&deed->key);
	buf_init(&deed->record);
	buf_add(&deed->key, key->s, key->len);
	deed->removes = !record.s;
	if (record.s)
		buf_add(&deed->record, record.s, record.n);
	deed->how = how;
	deed->done = done;
	deed->payload = payload;
	change->apply = apply_deed;
	log_change(browsers->log, change);
}

/* ---- out of it */

static void
held_free(struct held *held)
{
	*held->prev = held->next;
	if (held->next)
		held->next->prev = held->prev;
	held->browsers->n_held--;
	buf_release(&held->key);
	free(held);
}

static void
refuse(struct request *request)
{
	static const char *const headers[] = { "retry-after", "1", NULL };
	static const char problem[] = "{\"code\":\"AGENT_STORE_UNAVAILABLE\",\"message\":\"Unable to look for the session\"}";

	if (strncmp(request_path(request), "/v1/", 4) != 0)
		request_reply_error(request, 503, headers, "unable to look for the session");
	else
		request_reply(request, 503, "application/json; charset=utf-8", headers, problem, sizeof problem - 1);
}

static void
on_docs(struct docs *docs)
{
	struct held *held = docs->payload;
	struct browsers *browsers = held->browsers;
	struct request *request = held->request;
	bool known = docs->err.status == STATUS_OK;

	if (known)
		auth_session_take(browsers->auth, span_of(&held->key), docs->n ? span_of(&docs->list[0].text) : SPAN_NONE);
	docs->payload = NULL;
	held_free(held);
	docs_free(docs);
	if (known)
		browsers->go_on(request, browsers->payload);
	else
		refuse(request);
}

bool
browsers_hold(struct browsers *browsers, struct request *request)
{
	struct buf key = BUF_INIT;
	struct held *held;

	if (!browsers || !auth_session_asks(browsers->auth, request, &key))
		return false;
	if (browsers->n_held >= HELD_MAX) {
		refuse(request);
		buf_release(&key);
		return true;
	}
	held = xcalloc(1, sizeof *held);
	held->browsers = browsers;
	held->request = request;
	held->key = key;
	held->next = browsers->held;
	held->prev = &browsers->held;
	if (held->next)
		held->next->prev = &held->next;
	browsers->held = held;
	browsers->n_held++;
	log_docs(browsers->log, docs_new(held->key.s, on_docs, held));
	return true;
}

void
browsers_heard(struct browsers *browsers, struct span key)
{
	if (browsers && key.n > strlen(AUTH_SHELF_PREFIX) && !memcmp(key.s, AUTH_SHELF_PREFIX, strlen(AUTH_SHELF_PREFIX)))
		auth_session_take(browsers->auth, key, SPAN_NONE);
}

/* ---- those that are over */

struct over {
	struct buf keys; /* a line each */
};

static bool
apply_over(struct change *change, const void *row, struct change_context *context)
{
	const struct over *over = change->payload;
	const char *at = over->keys.s, *end;

	(void)row;
	for (; at && *at; at = end + 1) {
		end = strchr(at, '\n');
		change_put(context, (struct span){ at, (size_t)(end - at) }, SPAN_NONE);
	}
	return true;
}

static void
after_over(struct change *change)
{
	struct over *over = change->payload;

	buf_release(&over->keys); /* what could not be removed is looked at again */
	free(over);
	change_free(change);
}

static bool
is_over(const struct buf *record, int64_t now)
{
	struct buf until = BUF_INIT;
	int64_t until_ms;
	bool over = !jtext_get_string(span_of(record), "until", &until) || !clock_parse_iso(until.s, until.len, &until_ms) ||
	    until_ms <= now;

	buf_release(&until);
	return over;
}

static void
on_all(struct docs *docs)
{
	struct browsers *browsers = docs->payload;
	struct over *over = xcalloc(1, sizeof *over);
	int64_t now = clock_wall_ms();
	struct change *change;
	size_t i;

	browsers->clearing = false;
	buf_init(&over->keys);
	for (i = 0; i < docs->n; i++)
		if (is_over(&docs->list[i].text, now)) {
			buf_add(&over->keys, docs->list[i].key.s, docs->list[i].key.len);
			buf_addch(&over->keys, '\n');
		}
	docs_free(docs);
	change = change_new(after_over, over);
	change->apply = apply_over;
	if (over->keys.len)
		log_change(browsers->log, change);
	else
		after_over(change);
}

static void
on_clear(evutil_socket_t fd, short what, void *payload)
{
	struct browsers *browsers = payload;

	(void)fd;
	(void)what;
	if (browsers->clearing)
		return;
	browsers->clearing = true;
	log_docs(browsers->log, docs_new(AUTH_SHELF_PREFIX, on_all, browsers));
}

/* ---- the beginning and the end */

struct browsers *
browsers_new(
    struct event_base *base, struct log *log, struct auth *auth, void (*go_on)(struct request *request, void *payload), void *payload)
{
	static const struct timeval every = { CLEAR_EVERY, 0 };
	struct browsers *browsers = xcalloc(1, sizeof *browsers);
	struct auth_shelf shelf = { .put = put, .payload = browsers };

	browsers->log = log;
	browsers->auth = auth;
	browsers->go_on = go_on;
	browsers->payload = payload;
	browsers->clear = event_new(base, -1, EV_PERSIST, on_clear, browsers);
	event_add(browsers->clear, &every);
	on_clear(-1, 0, browsers);
	auth_sessions_share(auth, &shelf);
	return browsers;
}

void
browsers_free(struct browsers *browsers)
{
	if (!browsers)
		return;
	while (browsers->held)
		held_free(browsers->held);
	event_free(browsers->clear);
	free(browsers);
}
