/* hitl.c - the broker's routes (Clarity contract section 13.2) */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "auth/auth.h"
#include "blank.h"
#include "hitl/hitl.h"
#include "hitl/internal.h"
#include "hitl/routes.h"
#include "http/server.h"
#include "jtext.h"
#include "xalloc.h"

#define SHOW_TRIES 10 /* times HITL_SETTLE_MS that a GET waits for an answer that is still being written */

struct broker {
	struct broker_settings settings;
	struct clerk *clerk;
	struct hearers *hearers;
	bool stopped;
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
		jtext_pretty(&pretty, span_of(compact), 0);
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
	jtext_add_text(&body, "error", text);
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

/* ---- what came of an errand */

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

	if (errand->reopened)
		hearers_moved(broker->hearers);
	if (errand->kind == ERRAND_SCAN) {
		hearers_scanned(broker->hearers, errand);
		errand_free(errand);
		return;
	}
	if (errand->settling && ++errand->tries < SHOW_TRIES && !broker->stopped) {
		wait_settled(broker, errand);
		return;
	}
	reply(broker, errand->request, errand->http, &errand->body);
	if (errand->kind == ERRAND_ANSWER && errand->http == 200)
		hearers_answered(broker->hearers, errand->question.stem.s);
	if (errand->kind == ERRAND_ANSWER || errand->kind == ERRAND_ASK || errand->kind == ERRAND_CANCEL)
		hearers_scan(broker->hearers);
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
	(void)key;
	hearers_add(broker->hearers, request);
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
		route->handler(broker, request, span_of(&key));
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
	broker->clerk = clerk_new(settings->base, settings->dir, on_done, broker, err);
	if (!broker->clerk) {
		free(broker);
		return NULL;
	}
	broker->hearers = hearers_new(settings->base, settings->auth, broker->clerk, settings->ping_ms);
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
	broker->stopped = true;
	hearers_stop(broker->hearers);
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
	hearers_free(broker->hearers);
	event_free(broker->settled);
	free(broker);
}
