/* hitl.c - the broker's routes, and who hears of new questions (Clarity contract section 13.2) */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "auth/auth.h"
#include "blank.h"
#include "clock.h"
#include "dirwatch.h"
#include "hitl/hitl.h"
#include "hitl/internal.h"
#include "hitl/routes.h"
#include "hitl_news.h"
#include "http/server.h"
#include "jtext.h"
#include "xalloc.h"

#define TICK_MS 250
#define SHOW_TRIES 10 /* times HITL_SETTLE_MS that a GET waits for an answer that is still being written */

struct client {
	struct broker *broker;
	struct stream *stream;
	struct principal *who;
	uint64_t from; /* the scan that it waits for */
	bool live;
	int64_t next_ping;
	struct client *next, **prev;
};

/* The directory is only looked at while somebody listens. One scan is on its way at most; what happens meanwhile asks for another one. */
struct broker {
	struct broker_settings settings;
	struct clerk *clerk;
	struct client *clients;
	struct dirwatch watch;
	struct event *changed, *tick;
	struct hitl_list known;
	uint64_t scans; /* begun */
	bool scanning, again, stopped;
	int64_t next_look;
	struct errand *settling; /* GETs that wait for an answer to be whole */
	struct event *settled;
};

/* ---- answers */

static void
reply(const struct broker *broker, struct request *request, int status, const struct buf *compact)
{
	static const char *const retry[] = { "retry-after", "1", NULL };
	struct buf pretty = BUF_INIT;

	if (!broker->settings.compact) {
		jtext_pretty(&pretty, (struct span){ compact->s, compact->len }, 0);
		buf_addch(&pretty, '\n');
		compact = &pretty;
	}
	request_reply(request, status, "application/json; charset=utf-8", status == 503 ? retry : NULL, compact->s, compact->len);
	buf_release(&pretty);
}

static void
refuse(const struct broker *broker, struct request *request, int status, const char *text)
{
	struct buf body = BUF_INIT;

	buf_addch(&body, '{');
	jtext_add_string(&body, "error", text, strlen(text));
	buf_addch(&body, '}');
	reply(broker, request, status, &body);
	buf_release(&body);
}

static void
add(struct broker *broker, struct errand *errand)
{
	if (clerk_add(broker->clerk, errand))
		return;
	refuse(broker, errand->request, 503, "too many requests wait for the directory of questions");
	errand_free(errand);
}

/* ---- who listens */

static void watch_start(struct broker *broker);
static void watch_stop(struct broker *broker);

static void
client_free(struct client *client)
{
	struct broker *broker = client->broker;

	*client->prev = client->next;
	if (client->next)
		client->next->prev = client->prev;
	principal_unref(client->who);
	free(client);
	if (!broker->clients)
		watch_stop(broker);
}

static void
on_closed(void *payload)
{
	client_free(payload);
}

static const struct stream_events stream_events = { .closed = on_closed };

static void
frame_of(struct buf *to, const char *type, const struct hitl_question *question)
{
	buf_addstr(to, "data: {");
	jtext_add_string(to, "type", type, strlen(type));
	jtext_add_string(to, "key", question->key.s, question->key.len);
	if (!strcmp(type, "new_question"))
		jtext_add_i64(to, "timestamp", question->timestamp);
	buf_addstr(to, "}\n\n");
}

static void
publish(struct broker *broker, const char *type, const struct hitl_question *question)
{
	struct buf frame = BUF_INIT;
	struct client *client, *next;

	frame_of(&frame, type, question);
	for (client = broker->clients; client; client = next) {
		struct stream *stream = client->stream;

		next = client->next;
		if (!client->live)
			continue;
		if (!stream_full(stream)) {
			stream_write(stream, frame.s, frame.len);
			continue;
		}
		/* too slow: it comes back and gets the list of what waits then */
		client_free(client);
		stream_end(stream);
	}
	buf_release(&frame);
}

static void
on_news(enum hitl_news what, struct hitl_question *question, void *payload)
{
	static const char *const types[] = {
		[HITL_NEWS_ASKED] = "new_question", [HITL_NEWS_ANSWERED] = "answered", [HITL_NEWS_GONE] = "removed"
	};

	publish(payload, types[what], question);
}

/* An answer may be taken away before the next scan sees it. */
static void
note_answered(struct broker *broker, const char *stem)
{
	struct hitl_question *question = hitl_news_find(&broker->known, stem);

	if (!question || question->answered)
		return;
	question->answered = true;
	publish(broker, "answered", question);
}

/* The list of what waits, for those who came before it was made. */
static void
welcome(struct broker *broker, uint64_t scan)
{
	struct hitl_list list = { NULL, 0, false };
	struct buf frames = BUF_INIT;
	struct client *client;
	bool wanted = false;
	size_t i;

	for (client = broker->clients; client; client = client->next)
		wanted = wanted || (!client->live && client->from <= scan);
	if (!wanted)
		return;
	list = broker->known; /* borrowed; only its order changes for a while */
	hitl_news_by_time(&list);
	for (i = 0; i < list.n; i++)
		if (!list.questions[i].answered)
			frame_of(&frames, "new_question", &list.questions[i]);
	hitl_news_by_stem(&list);
	buf_addstr(&frames, ": live\n\n");
	for (client = broker->clients; client; client = client->next)
		if (!client->live && client->from <= scan) {
			client->live = true;
			stream_write(client->stream, frames.s, frames.len);
		}
	buf_release(&frames);
}

static void
scan(struct broker *broker)
{
	struct errand *errand;

	if (!broker->clients || broker->stopped)
		return;
	if (broker->scanning) {
		broker->again = true;
		return;
	}
	errand = errand_new(ERRAND_SCAN, NULL);
	broker->next_look = clock_monotonic_ms() + dirwatch_interval(&broker->watch);
	if (!clerk_add(broker->clerk, errand)) {
		errand_free(errand); /* the next look comes */
		return;
	}
	broker->scanning = true;
	broker->again = false;
	broker->scans++;
}

static void
scanned(struct broker *broker, struct errand *errand)
{
	broker->scanning = false;
	if (errand->http == 200) {
		if (errand->reopened) {
			watch_stop(broker);
			watch_start(broker);
			broker->again = true;
		}
		hitl_news(&broker->known, &errand->list, on_news, broker);
		welcome(broker, broker->scans);
	}
	if (broker->again)
		scan(broker);
}

/* ---- the directory */

static void
on_name(const char *name, void *payload)
{
	struct buf stem = BUF_INIT;
	size_t n = strlen(name);

	if (n <= 7 || strcmp(name + n - 7, ".answer"))
		return;
	buf_add(&stem, name, n - 7);
	note_answered(payload, stem.s);
	buf_release(&stem);
}

static void
on_changed(evutil_socket_t fd, short what, void *payload)
{
	struct broker *broker = payload;

	(void)fd;
	(void)what;
	dirwatch_names(&broker->watch, on_name, broker);
	scan(broker);
}

static void
on_tick(evutil_socket_t fd, short what, void *payload)
{
	struct broker *broker = payload;
	int64_t now = clock_monotonic_ms();
	struct client *client, *next;

	(void)fd;
	(void)what;
	for (client = broker->clients; client; client = next) {
		struct stream *stream = client->stream;

		next = client->next;
		if (client->who && !auth_holds(broker->settings.auth, client->who)) {
			client_free(client);
			stream_end(stream);
		} else if (client->next_ping <= now) {
			client->next_ping += broker->settings.ping_ms;
			if (!stream_full(stream))
				stream_write(stream, ": ping\n\n", 8);
		}
	}
	if (broker->next_look <= now)
		scan(broker);
}

static void
watch_start(struct broker *broker)
{
	struct timeval tick = { 0, TICK_MS * 1000 };

	dirwatch_open(&broker->watch, clerk_path(broker->clerk));
	if (broker->watch.fd >= 0) {
		broker->changed = event_new(broker->settings.base, broker->watch.fd, EV_READ | EV_PERSIST, on_changed, broker);
		event_add(broker->changed, NULL);
	}
	event_add(broker->tick, &tick);
}

static void
watch_stop(struct broker *broker)
{
	event_del(broker->tick);
	if (broker->changed)
		event_free(broker->changed);
	broker->changed = NULL;
	dirwatch_close(&broker->watch);
	if (!broker->clients)
		hitl_list_release(&broker->known);
}

/* ---- what came of a errand */

static void
on_settled(evutil_socket_t fd, short what, void *payload)
{
	struct broker *broker = payload;
	struct errand *errand = broker->settling, *next;

	(void)fd;
	(void)what;
	broker->settling = NULL;
	for (; errand; errand = next) {
		next = errand->next;
		add(broker, errand);
	}
}

static void
wait_settled(struct broker *broker, struct errand *errand)
{
	struct timeval later = { 0, HITL_SETTLE_MS * 1000 };

	errand->next = broker->settling;
	broker->settling = errand;
	if (!event_pending(broker->settled, EV_TIMEOUT, NULL))
		event_add(broker->settled, &later);
}

static void
on_done(struct errand *errand, void *payload)
{
	struct broker *broker = payload;

	if (errand->kind == ERRAND_SCAN) {
		scanned(broker, errand);
		errand_free(errand);
		return;
	}
	if (errand->settling && ++errand->tries < SHOW_TRIES && !broker->stopped) {
		wait_settled(broker, errand);
		return;
	}
	reply(broker, errand->request, errand->http, &errand->body);
	if (errand->kind == ERRAND_ANSWER && errand->http == 200)
		note_answered(broker, errand->question.stem.s);
	if (errand->kind == ERRAND_ANSWER || errand->kind == ERRAND_ASK || errand->kind == ERRAND_CANCEL)
		scan(broker);
	errand_free(errand);
}

/* ---- the routes */

/* The body as an object; blank is an empty one, and so is what has no members. False: answered. */
static bool
take_body(const struct broker *broker, struct request *request, struct span *ret)
{
	struct span body = request_body(request);

	if (blank_only(body.s, body.n, BLANK_JS))
		*ret = (struct span){ "{}", 2 };
	else if (!jtext_check(body.s, body.n, true, ret, NULL) || jtext_type(*ret) == JTEXT_NULL) {
		refuse(broker, request, 400, "invalid JSON body");
		return false;
	} else if (jtext_type(*ret) != JTEXT_OBJECT)
		*ret = (struct span){ "{}", 2 };
	return true;
}

static void
list_questions(struct broker *broker, struct request *request, struct span key)
{
	(void)key;
	add(broker, errand_new(ERRAND_LIST, request));
}

static void
get_question(struct broker *broker, struct request *request, struct span key)
{
	struct errand *errand = errand_new(ERRAND_SHOW, request);

	buf_add(&errand->key, key.s, key.n);
	add(broker, errand);
}

/* A request whose body names a key; expected says what else it must hold. */
static struct errand *
posted(struct broker *broker, struct request *request, enum errand_kind kind, const char *text_name, const char *expected)
{
	struct errand *errand = errand_new(kind, request);
	struct span body;
	bool ok;

	if (!take_body(broker, request, &body)) {
		errand_free(errand);
		return NULL;
	}
	ok = jtext_get_string(body, "key", &errand->key) && !blank_only(errand->key.s, errand->key.len, BLANK_JS);
	if (ok && text_name)
		ok = jtext_get_string(body, text_name, &errand->text) &&
		    (kind == ERRAND_ANSWER || !blank_only(errand->text.s, errand->text.len, BLANK_JS));
	if (!ok) {
		refuse(broker, request, 400, expected);
		errand_free(errand);
		return NULL;
	}
	blank_trim_buf(&errand->key, BLANK_JS);
	errand->timed = hitl_number(body, "timestamp", &errand->timestamp);
	if (kind == ERRAND_ASK && !hitl_number(body, "pid", &errand->pid))
		errand->pid = -1;
	return errand;
}

static void
post_question(struct broker *broker, struct request *request, struct span key)
{
	struct errand *errand = posted(broker, request, ERRAND_ASK, "question", "expected { key, question }");

	(void)key;
	if (!errand)
		return;
	blank_trim_buf(&errand->text, BLANK_JS);
	add(broker, errand);
}

static void
post_answer(struct broker *broker, struct request *request, struct span key)
{
	struct errand *errand = posted(broker, request, ERRAND_ANSWER, "response", "expected { key, response }");

	(void)key;
	if (errand)
		add(broker, errand);
}

static void
post_cancel_question(struct broker *broker, struct request *request, struct span key)
{
	struct errand *errand = posted(broker, request, ERRAND_CANCEL, NULL, "expected { key }");

	(void)key;
	if (errand)
		add(broker, errand);
}

static void
stream_questions(struct broker *broker, struct request *request, struct span key)
{
	struct client *client = xcalloc(1, sizeof *client);
	struct principal *who = auth_caller(request) ? principal_ref((struct principal *)(uintptr_t)auth_caller(request)) : NULL;

	(void)key;
	client->broker = broker;
	client->who = who;
	client->stream = request_stream(request, "text/event-stream; charset=utf-8", NULL, &stream_events, client);
	if (!client->stream) {
		principal_unref(who);
		free(client);
		return;
	}
	client->next_ping = clock_monotonic_ms() + broker->settings.ping_ms;
	client->next = broker->clients;
	client->prev = &broker->clients;
	if (client->next)
		client->next->prev = &client->next;
	broker->clients = client;
	if (!client->next)
		watch_start(broker);
	stream_write(client->stream, "retry: 1000\n\n", 13);
	/* a scan that is on its way may have passed by already */
	client->from = broker->scans + 1;
	scan(broker);
}

#define ROUTE(method, path, handler, scope) { method, path, handler },
static const struct route {
	const char *method, *path;
	void (*handler)(struct broker *broker, struct request *request, struct span key);
} routes[] = { HITL_ROUTES(ROUTE) };

/* The path, or its beginning before the ":key" of the route. */
static bool
is_path(const struct route *route, const char *path, const char **ret_segment)
{
	size_t n = strcspn(route->path, ":");

	*ret_segment = NULL;
	if (strncmp(route->path, path, n) != 0)
		return false;
	if (!route->path[n])
		return !path[n];
	*ret_segment = path + n;
	return path[n] && !strchr(path + n, '/');
}

static bool
is_method(const struct route *route, const char *method)
{
	return !strcmp(route->method, method) || (!strcmp(method, "HEAD") && !strcmp(route->method, "GET"));
}

static void
call(const struct route *route, struct broker *broker, struct request *request, const char *segment)
{
	struct buf key = BUF_INIT;

	if (request_problem(request) == REQUEST_BODY_TOO_LARGE)
		refuse(broker, request, 413, "request body too large (>1048576 bytes)");
	else if (segment && !server_decode_segment(segment, strlen(segment), &key))
		refuse(broker, request, 400, "URI malformed");
	else
		route->handler(broker, request, (struct span){ key.s, key.len });
	buf_release(&key);
}

bool
broker_handle(struct broker *broker, struct request *request)
{
	struct buf allow = BUF_INIT;
	const char *segment;
	bool known;
	size_t i;

	for (i = 0; i < ARRAY_LEN(routes); i++) {
		if (!is_path(&routes[i], request_path(request), &segment))
			continue;
		if (is_method(&routes[i], request_method(request))) {
			request_set_route(request, routes[i].path);
			call(&routes[i], broker, request, segment);
			buf_release(&allow);
			return true;
		}
		buf_addf(&allow, "%s%s", allow.len ? ", " : "", !strcmp(routes[i].method, "GET") ? "GET, HEAD" : routes[i].method);
	}
	known = allow.len > 0;
	if (known)
		request_reply_error(request, 405, (const char *const[]){ "allow", allow.s, NULL }, "method not allowed");
	buf_release(&allow);
	return known;
}

/* ---- the room */

struct broker *
broker_new(const struct broker_settings *settings, struct err *err)
{
	struct broker *broker = xcalloc(1, sizeof *broker);

	broker->settings = *settings;
	broker->watch.fd = -1;
	broker->clerk = clerk_new(settings->base, settings->dir, on_done, broker, err);
	if (!broker->clerk) {
		free(broker);
		return NULL;
	}
	broker->tick = event_new(settings->base, -1, EV_PERSIST, on_tick, broker);
	broker->settled = event_new(settings->base, -1, 0, on_settled, broker);
	return broker;
}

const char *
broker_path(const struct broker *broker)
{
	return clerk_path(broker->clerk);
}

void
broker_stop(struct broker *broker)
{
	struct stream *stream;

	broker->stopped = true;
	while (broker->clients) {
		stream = broker->clients->stream;
		client_free(broker->clients);
		stream_end(stream);
	}
}

void
broker_free(struct broker *broker)
{
	struct errand *next;

	if (!broker)
		return;
	clerk_free(broker->clerk);
	for (; broker->settling; broker->settling = next) {
		next = broker->settling->next;
		errand_free(broker->settling);
	}
	broker_stop(broker);
	event_free(broker->tick);
	event_free(broker->settled);
	hitl_list_release(&broker->known);
	free(broker);
}
