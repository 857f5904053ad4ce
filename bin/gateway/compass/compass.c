/* compass.c - the routes, made from contract/openapi.json, and the order in which a request is looked at (contract sections 2 and 3) */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/event.h>

#include "clock.h"
#include "compass/board.h"
#include "compass/internal.h"
#include "compass/run.h"
#include "compass/routes.h"
#include "http/server.h"
#include "http/ws.h"
#include "utf8.h"
#include "xalloc.h"

#define SEGMENTS_MAX 10
#define TICK_MS 250
#define HOST_CALL_MS 150000 /* of a request to a session host, with a token and with a second try; its own deadlines are shorter */

struct route {
	const char *method, *path;
	handler_fn *handler; /* NULL: a WebSocket */
	unsigned scopes;
};

/* Of the parameters in a path the first is the thread, the second the turn or the approval. */
#define ROUTE(method, path, handler, scope) { method, path, handler, scope },
static const struct route routes[] = { COMPASS_ROUTES(ROUTE) };

static const char *const providers[] = { [PROVIDER_MOCK] = "mock",
	[PROVIDER_DYNAMIC_SESSIONS] = "dynamic_sessions",
	[PROVIDER_LOCAL_PROCESS] = "local_process",
	[PROVIDER_LOCAL_DOCKER] = "local_docker" };
_Static_assert(ARRAY_LEN(providers) == PROVIDER_COUNT, "a name for each provider");

const char *
compass_provider_text(enum compass_provider provider)
{
	return providers[provider];
}

bool
compass_provider_of(const char *text, enum compass_provider *ret)
{
	size_t n, i;

	text += strspn(text, " \t\r\n");
	for (n = strlen(text); n && strchr(" \t\r\n", text[n - 1]); n--)
		;
	for (i = 0; i < ARRAY_LEN(providers); i++)
		if (n == strlen(providers[i]) && !strncasecmp(text, providers[i], n)) {
			*ret = (enum compass_provider)i;
			return true;
		}
	return false;
}

/* ---- which route */

/* The path in pieces, each percent-decoded. False: a bad escape, or not UTF-8. *ret_n > SEGMENTS_MAX: too many for any route. */
static bool
split(const char *path, struct buf *segments, size_t *ret_n)
{
	size_t n = 0, len;

	for (path++; *path; path += len + (path[len] == '/')) {
		len = strcspn(path, "/");
		if (n == SEGMENTS_MAX) {
			n++;
			break;
		}
		if (!server_decode_segment(path, len, &segments[n]) || !utf8_valid(segments[n].s, segments[n].len))
			return false;
		n++;
		if (!path[len])
			break;
	}
	*ret_n = n;
	return true;
}

static bool
fits(const char *pattern, const struct buf *segments, size_t n, struct buf *params)
{
	size_t i = 0, taken = 0, len;

	for (; *pattern; pattern += len + (pattern[len] == '/')) {
		len = strcspn(pattern, "/");
		if (i == n || !segments[i].len)
			return false;
		if (*pattern == ':') {
			buf_reset(&params[taken]);
			buf_add(&params[taken++], segments[i].s, segments[i].len);
		} else if (segments[i].len != len || strncasecmp(segments[i].s, pattern, len))
			return false;
		i++;
		if (!pattern[len])
			break;
	}
	return i == n;
}

static const struct route *
find_route(const char *method, const struct buf *segments, size_t n, struct buf *params)
{
	size_t i;

	if (!strcmp(method, "HEAD"))
		method = "GET";
	if (n > SEGMENTS_MAX)
		return NULL;
	for (i = 0; i < ARRAY_LEN(routes); i++)
		if (!strcmp(routes[i].method, method) && fits(routes[i].path + 1, segments, n, params))
			return &routes[i];
	return NULL;
}

/* ---- the body (contract section 2) */

static bool
has_token(const char *s, size_t n, const char *word)
{
	while (n && (*s == ' ' || *s == '\t' || *s == '"')) {
		s++;
		n--;
	}
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '"'))
		n--;
	return n == strlen(word) && !strncasecmp(s, word, n);
}

static enum problem
read_body(struct request *request, struct span *ret)
{
	const char *type = request_header(request, "content-type"), *at;
	struct span body;

	*ret = SPAN_NONE;
	if (request_problem(request) == REQUEST_BODY_TOO_LARGE)
		return PROBLEM_BODY_TOO_LARGE;
	if (!type || !has_token(type, strcspn(type, ";"), "application/json"))
		return PROBLEM_NONE;
	if (!request_header(request, "content-length") && !request_header(request, "transfer-encoding"))
		return PROBLEM_NONE;
	for (at = strchr(type, ';'); at; at = strchr(at, ';')) {
		at += 1 + strspn(at + 1, " \t");
		if (!strncasecmp(at, "charset=", 8) && !has_token(at + 8, strcspn(at + 8, ";"), "utf-8") &&
		    !has_token(at + 8, strcspn(at + 8, ";"), "utf8"))
			return PROBLEM_MEDIA_TYPE;
	}
	switch (request_inflate(request, COMPASS_BODY_MAX)) {
	case REQUEST_INFLATED:
		break;
	case REQUEST_UNKNOWN_CODING:
		return PROBLEM_MEDIA_TYPE;
	case REQUEST_BROKEN:
		return PROBLEM_INVALID_JSON;
	case REQUEST_INFLATED_TOO_LARGE:
		return PROBLEM_BODY_TOO_LARGE;
	}
	body = request_body(request);
	/* a mark of UTF-8 at the beginning says what is known, and is no part of the text */
	if (body.n >= 3 && !memcmp(body.s, "\xef\xbb\xbf", 3)) {
		body.s += 3;
		body.n -= 3;
	}
	if (!body.n)
		*ret = (struct span){ "{}", 2 };
	else if (!jtext_check(body.s, body.n, true, ret, NULL) || (jtext_type(*ret) != JTEXT_OBJECT && jtext_type(*ret) != JTEXT_ARRAY))
		return PROBLEM_INVALID_JSON;
	return PROBLEM_NONE;
}

/* ---- requests */

static void
answer_options(struct request *request)
{
	const char *asked = request_header(request, "access-control-request-headers");
	const char *headers[] = { "access-control-allow-origin", "*", "access-control-allow-methods", "GET,HEAD,PUT,PATCH,POST,DELETE",
		"content-length", "0", NULL, NULL, NULL, NULL, NULL };

	if (asked) {
		headers[6] = "access-control-allow-headers";
		headers[7] = asked;
		headers[8] = "vary";
		headers[9] = "Access-Control-Request-Headers";
	}
	request_reply(request, 204, NULL, headers, "", 0);
}

static void
refuse(struct request *request, const struct auth_verdict *verdict)
{
	struct buf seconds = BUF_INIT;
	const char *headers[3] = { NULL };

	if (verdict->status == 401) {
		headers[0] = "www-authenticate";
		headers[1] = "Bearer";
	} else if (verdict->retry_after) {
		buf_addf(&seconds, "%u", verdict->retry_after);
		headers[0] = "retry-after";
		headers[1] = seconds.s;
	}
	refuse_with(request, verdict->status, verdict->code, verdict->message, headers);
	buf_release(&seconds);
}

static void
handle(struct compass *compass, struct request *request, const struct buf *segments, size_t n)
{
	struct buf params[2] = { BUF_INIT, BUF_INIT };
	const struct route *route = find_route(request_method(request), segments, n, params);
	struct auth_verdict verdict = { 0 };
	struct principal *who = NULL;
	struct call *call;
	struct span body;
	enum problem problem = read_body(request, &body);

	if (route)
		request_set_route(request, route->path);
	if (problem)
		refuse_problem(request, problem);
	else if (!auth_judge_origin(compass->settings.auth, request, &verdict))
		refuse(request, &verdict);
	else if (!route)
		refuse_problem(request, PROBLEM_NOT_FOUND);
	else if (!route->handler)
		upgrade_required(request);
	else if (route->scopes && !compass->settings.enabled)
		refuse_problem(request, PROBLEM_DISABLED);
	else if (route->scopes && !(who = auth_judge(compass->settings.auth, request, route->scopes, &verdict)))
		refuse(request, &verdict);
	else {
		call = call_begin(compass, request, who, &params[0], &params[1]);
		call->body = body;
		who = NULL;
		route->handler(call);
	}
	principal_unref(who);
	buf_release(&params[0]);
	buf_release(&params[1]);
}

void
base_health(struct call *call)
{
	struct buf body = BUF_INIT;

	buf_addstr(&body, "{\"status\":\"ok\"");
	jtext_add_time(&body, "timestamp", clock_wall_ms());
	buf_addch(&body, '}');
	call_reply(call, 200, &body);
	buf_release(&body);
}

void
base_ping(struct call *call)
{
	struct buf body = BUF_INIT;

	buf_addstr(&body, "{\"ok\":true,\"service\":\"api\"}");
	call_reply(call, 200, &body);
	buf_release(&body);
}

bool
compass_handle(struct compass *compass, struct request *request)
{
	const char *path = request_path(request);
	struct buf segments[SEGMENTS_MAX];
	size_t n = 0, i;

	if (strncasecmp(path, "/v1/", 4) && strcasecmp(path, "/health") && strcasecmp(path, "/health/"))
		return false;
	for (i = 0; i < SEGMENTS_MAX; i++)
		buf_init(&segments[i]);
	if (!strcmp(request_method(request), "OPTIONS"))
		answer_options(request);
	else if (ws_asked(request) && upgrade_handle(compass, request))
		;
	else if (!split(path, segments, &n))
		refuse_problem(request, PROBLEM_INVALID_PATH);
	else
		handle(compass, request, segments, n);
	for (i = 0; i < SEGMENTS_MAX; i++)
		buf_release(&segments[i]);
	return true;
}

/* ---- life cycle */

static void
on_tick(evutil_socket_t fd, short what, void *payload)
{
	(void)fd;
	(void)what;
	watchers_tick(payload);
	flights_tick(payload);
	runs_tick(payload);
}

static void
on_account(const char *method, struct span params, void *payload)
{
	account_heard(payload, method, params);
	watch_notice(payload, method, params);
}

void
compass_notice(const char *method, struct span params, void *payload)
{
	struct compass *compass = payload;
	struct buf text = BUF_INIT, line = BUF_INIT;

	if (!compass->settings.say)
		return;
	if (!jtext_string(params, &text))
		buf_add(&text, params.s, params.n);
	buf_addf(&line, "runtime: %s: ", method);
	utf8_safe(&line, text.s, text.len, UTF8_SAFE_LINE);
	compass->settings.say(line.s, compass->settings.say_payload);
	buf_release(&text);
	buf_release(&line);
}

void
compass_gone(const struct runtime_gone *gone, void *payload)
{
	struct compass *compass = payload;
	struct buf line = BUF_INIT;

	if (!compass->settings.say || gone->fault == RUNTIME_FAULT_NONE)
		return;
	buf_addstr(&line, "runtime: ");
	utf8_safe(&line, gone->message, strlen(gone->message), UTF8_SAFE_LINE);
	compass->settings.say(line.s, compass->settings.say_payload);
	buf_release(&line);
}

const char **
compass_environment(void)
{
	static const char *const ours[] = { "CLARITYD_AUTH_TOKEN=", "CLARITY_API_TOKEN=", "CLARITY_RUNTIME_TOKEN=", "AGENT_RUNTIME_TOKEN=",
		"DYNAMIC_SESSIONS_BEARER_TOKEN=", "AGENT_RUNTIME_ENDPOINT_TOKEN=", "IDENTITY_HEADER=", "MSI_SECRET=" };
	extern char **environ;
	const char **list;
	size_t n = 0, i, k;

	for (i = 0; environ[i]; i++)
		;
	list = xcalloc(i + 1, sizeof *list);
	for (i = 0; environ[i]; i++) {
		for (k = 0; k < ARRAY_LEN(ours) && strncmp(environ[i], ours[k], strlen(ours[k])); k++)
			;
		if (k == ARRAY_LEN(ours))
			list[n++] = environ[i];
	}
	return list;
}

struct compass *
compass_new(const struct compass_settings *settings, struct err *err)
{
	static const struct runtime_calls calls = { .account = on_account, .notice = compass_notice, .gone = compass_gone };
	struct runtime_settings runtime = { .oldest = settings->oldest, .argv = settings->command };
	struct compass *compass = xcalloc(1, sizeof *compass);
	struct timeval tick = { 0, TICK_MS * 1000 };

	compass->settings = *settings;
	if (settings->api_key) {
		const char *file = getenv("AGENT_RUNTIME_API_KEY_FILE");

		runtime.key_file = file && *file ? file : NULL;
		runtime.key_variable = "OPENAI_API_KEY";
	}
	if (settings->questions && !(compass->board = board_new(settings->base, settings->questions, approvals_from_board, compass, err))) {
		free(compass);
		return NULL;
	}
	if (settings->host) {
		runtime.host = settings->host;
		runtime.keep = true; /* its account has news that nobody asks for */
		runtime.call_timeout_ms = HOST_CALL_MS;
		if (settings->host->request_ms > HOST_CALL_MS / 4)
			runtime.call_timeout_ms = 4 * settings->host->request_ms;
		compass->runtime = runtime_new(settings->base, &runtime, &calls, compass);
	} else if (settings->command) {
		runtime.env = compass_environment();
		compass->runtime = runtime_new(settings->base, &runtime, &calls, compass);
		free((void *)runtime.env);
	}
	compass->tick = event_new(settings->base, -1, EV_PERSIST, on_tick, compass);
	event_add(compass->tick, &tick);
	return compass;
}

void
compass_recover(struct compass *compass)
{
	flights_recover(compass);
}

void
compass_quiet(struct compass *compass)
{
	if (!compass->draining || compass->stopping || compass->flights || !compass->drained)
		return;
	compass->drained(compass->drained_payload);
	compass->drained = NULL;
}

static void
on_stopped(void *payload)
{
	struct compass *compass = payload;

	compass->stopping--;
	compass_quiet(compass);
}

void
compass_drain(struct compass *compass, int64_t grace_ms, void (*cb)(void *payload), void *payload)
{
	compass->draining = true;
	compass->drained = cb;
	compass->drained_payload = payload;
	watchers_close(compass);
	compass->stopping = 1 + engines_count(compass);
	engines_stop(compass, grace_ms, on_stopped, compass);
	if (compass->runtime)
		runtime_stop(compass->runtime, grace_ms, on_stopped, compass);
	else
		on_stopped(compass);
}

void
compass_free(struct compass *compass)
{
	if (!compass)
		return;
	watchers_close(compass);
	runtime_free(compass->runtime);
	engines_free(compass);
	flights_free(compass);
	runs_free(compass);
	board_free(compass->board);
	watch_forget_notices(compass);
	event_free(compass->tick);
	free(compass);
}

struct compass_stats
compass_stats(const struct compass *compass)
{
	struct compass_stats stats = { .completed = compass->ended[RUNTIME_COMPLETED],
		.interrupted = compass->ended[RUNTIME_INTERRUPTED],
		.failed = compass->ended[RUNTIME_FAILED],
		.has_runtime = compass->runtime != NULL };
	struct runtime_status status;

	flights_count(compass, &stats);
	if (compass->runtime) {
		runtime_status(compass->runtime, &status);
		stats.runtime_state = runtime_state_word(status.state);
		stats.starts = status.generation;
		stats.unasked_ends = status.ends;
	}
	return stats;
}
