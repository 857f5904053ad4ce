/* host.c - the session host: who may come in, which route it is, and how it stands */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <event2/event.h>

#include "auth/auth.h"
#include "clock.h"
#include "err.h"
#include "host_internal.h"
#include "http/server.h"
#include "key.h"
#include "utf8.h"
#include "xalloc.h"

#define ERRORS_SHOWN 10 /* lines of the runtime's standard error */

/* ---- answers */

void
host_reply(struct request *request, int status, const struct buf *body)
{
	static const char *const headers[] = { "cache-control", "no-store", NULL };

	request_reply(request, status, "application/json", headers, body->s, body->len);
}

void
host_refuse(struct request *request, int status, const char *code, const char *message, const struct buf *turn)
{
	static const char *const headers[] = { "cache-control", "no-store", "www-authenticate", "Bearer", NULL };
	static const char *const later[] = { "cache-control", "no-store", "retry-after", "1", NULL };
	struct buf body = BUF_INIT;

	buf_addch(&body, '{');
	jtext_add_text(&body, "code", code);
	jtext_add_text(&body, "message", message);
	if (turn)
		jtext_add_buf(&body, "turnId", turn);
	buf_addch(&body, '}');
	if (status == 401)
		request_reply(request, status, "application/json", headers, body.s, body.len);
	else if (status == 429 || status == 503)
		request_reply(request, status, "application/json", later, body.s, body.len);
	else
		host_reply(request, status, &body);
	buf_release(&body);
}

bool
host_body(struct request *request, struct span *ret)
{
	struct span body = request_body(request);
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < body.n && strchr(" \t\r\n", body.s[i]);)
		i++;
	if (i == body.n) {
		*ret = (struct span){ "{}", 2 };
		return true;
	}
	if (jtext_check(body.s, body.n, true, ret, &err))
		return true;
	host_refuse(request, 400, "INVALID_JSON", "Request body must be valid JSON", NULL);
	return false;
}

/* ---- how it stands */

static void
add_errors(const struct runtime_status *now, struct buf *to)
{
	const char *end = now->errors + now->errors_len, *s, *line;
	struct buf safe = BUF_INIT;
	int lines = 0;

	buf_addstr(to, ",\"stderrTail\":[");
	while (now->errors_len && end > now->errors && end[-1] == '\n')
		end--;
	for (s = end; s > now->errors; s--)
		if (s[-1] == '\n' && ++lines == ERRORS_SHOWN)
			break;
	for (line = s; line < end; line = s + 1) {
		s = memchr(line, '\n', (size_t)(end - line));
		if (!s)
			s = end;
		buf_reset(&safe);
		utf8_safe(&safe, line, (size_t)(s - line), UTF8_SAFE_LINE);
		if (to->s[to->len - 1] != '[')
			buf_addch(to, ',');
		jtext_quote(to, safe.s, safe.len);
	}
	buf_addch(to, ']');
	buf_release(&safe);
}

static void
add_runtime(const struct host *host, struct buf *to)
{
	struct runtime_status now;
	size_t i;

	runtime_status(host->runtime, &now);
	buf_addch(to, '{');
	jtext_add_text(to, "command", host->settings.argv[0]);
	buf_addstr(to, ",\"args\":[");
	for (i = 1; host->settings.argv[i]; i++) {
		if (i > 1)
			buf_addch(to, ',');
		jtext_quote(to, host->settings.argv[i], strlen(host->settings.argv[i]));
	}
	buf_addch(to, ']');
	jtext_add_bool(to, "running", now.pid != 0);
	jtext_add_bool(to, "initialized", now.state == RUNTIME_READY);
	if (now.pid)
		jtext_add_i64(to, "pid", now.pid);
	else
		jtext_add_null(to, "pid");
	jtext_add_time_or_null(to, "readyAt", now.ready_ms);
	jtext_add_i64(to, "restartCount", now.generation ? (int64_t)now.generation - 1 : 0);
	jtext_add_text(to, "lastError", now.last_error);
	add_errors(&now, to);
	jtext_add_raw(to, "lastAuthMode", host->mode.len ? host->mode.s : "null", host->mode.len ? host->mode.len : 4);
	jtext_add_raw(to, "lastRateLimits", host->limits.len ? host->limits.s : "null", host->limits.len ? host->limits.len : 4);
	buf_addch(to, '}');
}

static void
health(const struct host *host, struct request *request, bool whole)
{
	struct buf body = BUF_INIT;

	buf_addstr(&body, "{\"status\":\"ok\"");
	if (whole) {
		jtext_add_buf(&body, "bootId", &host->boot);
		jtext_add_i64(&body, "bootAt", host->boot_ms);
		jtext_add_buf(&body, "hostname", &host->name);
		jtext_add_i64(&body, "pid", getpid());
		jtext_add_i64(&body, "uptimeMs", clock_monotonic_ms() - host->boot_mono);
		jtext_add_i64(&body, "requestCount", (int64_t)host->requests);
		jtext_add_text(&body, "engine", host->settings.engine);
		buf_addstr(&body, ",\"codex\":");
		if (host->runtime)
			add_runtime(host, &body);
		else
			buf_addstr(&body, "null");
	}
	buf_addch(&body, '}');
	host_reply(request, 200, &body);
	buf_release(&body);
}

/* ---- who may come in */

static bool
is_json(const char *type)
{
	static const char json[] = "application/json";

	return type && !strncasecmp(type, json, sizeof json - 1) && strchr("; \t", type[sizeof json - 1]);
}

/* False: it has been answered. */
static bool
admit(struct host *host, struct request *request, bool reads)
{
	struct auth_verdict verdict;
	struct principal *who = auth_judge(host->settings.auth, request, reads ? AUTH_READ : AUTH_WRITE, &verdict);

	principal_unref(who);
	if (!who) {
		if (verdict.status == 401 && reads && !strcmp(request_path(request), "/health"))
			health(host, request, false);
		else
			host_refuse(request, verdict.status, verdict.code, verdict.message, NULL);
		return false;
	}
	if (request_problem(request) == REQUEST_BODY_TOO_LARGE) {
		host_refuse(request, 413, "BODY_TOO_LARGE", "Request body exceeds configured limit", NULL);
		return false;
	}
	if (request_body(request).n && !is_json(request_header(request, "content-type"))) {
		host_refuse(request, 415, "UNSUPPORTED_MEDIA_TYPE", "The content type must be application/json", NULL);
		return false;
	}
	return true;
}

/* ---- the routes */

/* /agent/turns/ID/interrupt */
static bool
interrupt_of(const char *path, struct buf *ret_id)
{
	static const char before[] = "/agent/turns/", after[] = "/interrupt";
	size_t n = strlen(path), b = sizeof before - 1, a = sizeof after - 1;

	return n > a + b && !strncmp(path, before, b) && !strcmp(path + n - a, after) && !memchr(path + b, '/', n - a - b) &&
	    server_decode_segment(path + b, n - a - b, ret_id);
}

/* /agent/turns/ID/approvals/NUMBER */
static bool
approval_of(const char *path, struct buf *ret_turn, struct buf *ret_approval)
{
	static const char before[] = "/agent/turns/", between[] = "/approvals/";
	const char *turn = path + sizeof before - 1, *slash, *approval;

	if (strncmp(path, before, sizeof before - 1) != 0)
		return false;
	slash = strchr(turn, '/');
	if (!slash || slash == turn || strncmp(slash, between, sizeof between - 1) != 0)
		return false;
	approval = slash + sizeof between - 1;
	return *approval && !strchr(approval, '/') && server_decode_segment(turn, (size_t)(slash - turn), ret_turn) &&
	    server_decode_segment(approval, strlen(approval), ret_approval);
}

static bool
post(struct host *host, struct request *request, const char *path)
{
	static const char account[] = "/agent/account/";
	struct buf id = BUF_INIT, approval = BUF_INIT;
	bool found = true;

	if (!strcmp(path, "/agent/session/bootstrap"))
		turns_bootstrap(host, request);
	else if (!strcmp(path, "/agent/turns/start"))
		turns_start(host, request);
	else if (interrupt_of(path, &id))
		turns_interrupt(host, request, &id);
	else if (approval_of(path, &id, &approval))
		ask_answer(host, request, &id, &approval);
	else
		found = !strncmp(path, account, sizeof account - 1) && account_handle(host, request, path + sizeof account - 1);
	buf_release(&id);
	buf_release(&approval);
	return found;
}

void
host_handle(struct host *host, struct request *request)
{
	const char *path = request_path(request), *method = request_method(request);
	bool reads = !strcmp(method, "GET") || !strcmp(method, "HEAD");

	host->requests++;
	if (!admit(host, request, reads))
		return;
	if (reads && !strcmp(path, "/health"))
		health(host, request, true);
	else if (reads && !strcmp(path, "/agent/stream"))
		stream_open(host, request);
	else if (strcmp(method, "POST") != 0 || !post(host, request, path))
		host_refuse(request, 404, "NOT_FOUND", "Not Found", NULL);
}

/* ---- its life */

static void
on_ping(evutil_socket_t fd, short what, void *payload)
{
	(void)fd;
	(void)what;
	stream_ping(payload);
	turns_ping(payload);
}

static void
set_names(struct host *host)
{
	char name[256] = "", *dir = getcwd(NULL, 0);

	(void)gethostname(name, sizeof name - 1);
	buf_addstr(&host->name, name);
	buf_addstr(&host->dir, dir ? dir : "/");
	free(dir);
	key_add_uuid(&host->boot);
}

struct host *
host_new(const struct host_settings *settings)
{
	struct runtime_settings runtime = { .argv = settings->argv,
		.whole_env = true,
		.oldest = settings->oldest,
		.key_variable = "OPENAI_API_KEY",
		.init_timeout_ms = settings->init_ms,
		.call_timeout_ms = settings->call_ms };
	static const struct runtime_calls calls = { .account = stream_notice };
	static const struct timeval often = { .tv_sec = HOST_PING_MS / 1000 };
	struct host *host = xcalloc(1, sizeof *host);
	size_t i;

	host->settings = *settings;
	buf_init(&host->boot);
	buf_init(&host->name);
	buf_init(&host->dir);
	buf_init(&host->mode);
	buf_init(&host->limits);
	for (i = 0; i < HOST_TURNS_MAX; i++)
		buf_init(&host->ended[i].id);
	set_names(host);
	host->boot_ms = clock_wall_ms();
	host->boot_mono = clock_monotonic_ms();
	if (!settings->mock)
		host->runtime = runtime_new(settings->base, &runtime, &calls, host);
	host->ping = event_new(settings->base, -1, EV_PERSIST, on_ping, host);
	event_add(host->ping, &often);
	return host;
}

void
host_stop(struct host *host, int64_t grace_ms, void (*done)(void *payload), void *payload)
{
	stream_close(host);
	if (host->runtime)
		runtime_stop(host->runtime, grace_ms, done, payload);
	else
		done(payload);
}

void
host_free(struct host *host)
{
	size_t i;

	if (host->runtime)
		runtime_free(host->runtime);
	jobs_free(host);
	stream_close(host);
	for (i = 0; i < HOST_RING_MAX; i++)
		shared_unref(host->ring[i].frame);
	event_free(host->ping);
	buf_release(&host->boot);
	buf_release(&host->name);
	buf_release(&host->dir);
	buf_release(&host->mode);
	buf_release(&host->limits);
	free(host);
}
