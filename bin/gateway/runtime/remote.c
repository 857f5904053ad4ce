/* remote.c - a session host as a child: lines to and from it, its end, and the stream of its account's notices */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/event.h>

#include "clock.h"
#include "err.h"
#include "runtime/bearer.h"
#include "runtime/container.h"
#include "runtime/message.h"
#include "runtime/remote.h"
#include "sse.h"
#include "xalloc.h"

#define GIVE_MAX 1000	     /* lines in one tick before others on the loop get a turn */
#define NOTICES_PAUSE_MS 750 /* before the stream of notices is asked for again; doubling to ... */
#define NOTICES_PAUSE_MAX_MS 30000

static void notices_ask(struct remote *remote);

static struct remote *
of(struct child *child)
{
	return (struct remote *)child;
}

const char *
runtime_host_wrong(const char *endpoint)
{
	const char *rest = NULL;

	endpoint += strspn(endpoint, " \t");
	if (!strncmp(endpoint, "unix:/", 6))
		return NULL;
	if (!strncasecmp(endpoint, "http://", 7))
		rest = endpoint + 7;
	else if (!strncasecmp(endpoint, "https://", 8))
		rest = endpoint + 8;
	if (!rest)
		return "it does not begin with http://, https:// or unix:/";
	if (!*rest || strchr("/:?#", *rest))
		return "it names no host";
	return endpoint[strcspn(endpoint, "?#")] ? "it has a query or a fragment" : NULL;
}

void
remote_url(const struct remote *remote, const char *path, const struct buf *identifier, struct buf *to)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	size_t i;

	buf_add(to, remote->url.s, remote->url.len);
	buf_addstr(to, path);
	if (!identifier)
		return;
	buf_addstr(to, "?identifier=");
	for (i = 0; i < identifier->len; i++)
		if (identifier->s[i] && strchr(plain, identifier->s[i]))
			buf_addch(to, identifier->s[i]);
		else
			buf_addf(to, "%%%02X", (unsigned char)identifier->s[i]);
}

/* ---- lines */

void
remote_give(struct remote *remote, struct buf *text)
{
	struct line *line = xcalloc(1, sizeof *line);

	line->text = *text;
	buf_init(text);
	*remote->last = line;
	remote->last = &line->next;
	event_active(remote->tick, EV_TIMEOUT, 1);
}

static void
drop_first(struct remote *remote)
{
	struct line *line = remote->first;

	remote->first = line->next;
	if (!remote->first)
		remote->last = &remote->first;
	buf_release(&line->text);
	free(line);
}

static void
on_tick(evutil_socket_t fd, short what, void *payload)
{
	struct remote *remote = payload;
	int n;

	(void)fd;
	(void)what;
	for (n = 0; remote->first && !remote->hold && n < GIVE_MAX; n++) {
		remote->calls.line(remote->first->text.s, remote->first->text.len, remote->payload);
		drop_first(remote);
	}
	ask_hold(remote, remote->hold);
	if (remote->first && !remote->hold)
		event_active(remote->tick, EV_TIMEOUT, 1);
	else if (remote->ending && !remote->hold && (!remote->container || remote->removed)) {
		remote->calls.ended(0, remote->payload);
		return;
	}
	remote->calls.turn(remote->payload);
}

static bool
remote_write(struct child *child, const void *bytes, size_t n, bool wipe)
{
	struct remote *remote = of(child);
	struct span whole, trace = SPAN_NONE;
	struct message message;

	(void)wipe; /* what is made of it is overwritten in any case */
	message_init(&message);
	while (n && ((const char *)bytes)[n - 1] == '\n')
		n--;
	if (!remote->ending && message_read(&message, bytes, n)) {
		if (message.type == MESSAGE_REQUEST) {
			if (jtext_check(bytes, n, false, &whole, NULL))
				(void)jtext_get(whole, "trace", &trace);
			ask_request(remote, message.number, message.method.s, message.params, trace);
		} else if (message.type != MESSAGE_NOTIFICATION)
			ask_approval(remote, &message);
	}
	message_release(&message);
	return true;
}

static void
remote_hold(struct child *child, bool held)
{
	struct remote *remote = of(child);

	remote->hold = held;
	event_active(remote->tick, EV_TIMEOUT, 1);
}

/* ---- the account's notices */

static void
notices_again(struct remote *remote)
{
	int64_t ms = NOTICES_PAUSE_MS + backoff_next(&remote->stream_pause);
	struct timeval after = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	sse_free(remote->stream_sse);
	remote->stream_sse = NULL;
	event_add(remote->stream_timer, &after);
}

static bool
on_notice(const struct sse_event *event, void *payload)
{
	static const char *const known[] = { "account/login/completed", "account/updated", "account/rateLimits/updated",
		"mcpServer/oauthLogin/completed" };
	struct remote *remote = payload;
	struct buf method = BUF_INIT, line = BUF_INIT;
	struct span object, params;
	int64_t cursor;
	size_t i;

	if (!jtext_check(event->data, event->data_len, true, &object, NULL) || !jtext_get_string(object, "method", &method)) {
		buf_release(&method);
		return true;
	}
	remote->stream_cursor = jtext_get_i64(object, "cursor", &cursor) && cursor > 0 ? cursor : remote->stream_cursor + 1;
	for (i = 0; i < ARRAY_LEN(known); i++)
		if (!strcmp(method.s, known[i])) {
			buf_addch(&line, '{');
			jtext_add_buf(&line, "method", &method);
			if (jtext_get(object, "params", &params) && jtext_type(params) == JTEXT_OBJECT)
				jtext_add_raw(&line, "params", params.s, params.n);
			buf_addch(&line, '}');
			remote_give(remote, &line);
		}
	buf_release(&method);
	buf_release(&line);
	return true;
}

static bool
on_stream_body(const struct fetch_answer *answer, const char *bytes, size_t n, void *payload)
{
	struct remote *remote = payload;

	if (strcmp(answer->content_type.s, "text/event-stream") != 0)
		return false;
	backoff_reset(&remote->stream_pause);
	return sse_feed(remote->stream_sse, bytes, n, NULL);
}

static void
on_stream_done(const struct fetch_answer *answer, void *payload)
{
	struct remote *remote = payload;

	(void)answer; /* whatever it was: the calls of the account say what is wrong */
	remote->stream = NULL;
	notices_again(remote);
}

static void
notices_open(struct remote *remote, const struct buf *token)
{
	const char *headers[] = { "accept: text/event-stream", NULL, NULL };
	struct fetch_request request = { .method = "GET",
		.headers = headers,
		.unix_path = remote->socket,
		.head_ms = RUNTIME_HOST_STREAM_MS,
		.silence_ms = RUNTIME_HOST_STREAM_MS,
		.body_max = SIZE_MAX,
		.body_cb = on_stream_body };
	struct buf url = BUF_INIT, header = BUF_INIT;

	if (token) {
		buf_addf(&header, "authorization: Bearer %s", token->s);
		headers[1] = header.s;
	}
	remote_url(remote, "/agent/stream", NULL, &url);
	buf_addf(&url, "?cursor=%lld", (long long)remote->stream_cursor);
	request.url = url.s;
	remote->stream_sse = sse_new(on_notice, NULL, remote);
	remote->stream = fetch_start(remote->fetcher, &request, on_stream_done, remote);
	if (header.cap)
		explicit_bzero(header.s, header.cap);
	buf_release(&header);
	buf_release(&url);
}

static void
on_stream_token(const struct buf *token, const char *why, void *payload)
{
	struct remote *remote = payload;

	(void)why;
	remote->stream_waiting = NULL;
	if (token)
		notices_open(remote, token);
	else
		notices_again(remote);
}

static void
notices_ask(struct remote *remote)
{
	event_del(remote->stream_timer); /* there is one stream, whoever asked for it first */
	if (remote->container && !remote->ready)
		notices_again(remote);
	else if (remote->token.len)
		notices_open(remote, &remote->token);
	else if (remote->bearer)
		remote->stream_waiting = bearer_get(remote->bearer, on_stream_token, remote);
	else
		notices_open(remote, NULL);
}

static void
on_stream_timer(evutil_socket_t fd, short what, void *payload)
{
	(void)fd;
	(void)what;
	notices_ask(payload);
}

/* ---- its container, if it has one */

static void
on_container(const char *url, const char *token, void *payload)
{
	struct remote *remote = payload;

	buf_reset(&remote->url);
	buf_addstr(&remote->url, url);
	buf_reset(&remote->token);
	buf_addstr(&remote->token, token);
	remote->ready = true;
	if (!remote->stream && !remote->stream_waiting)
		notices_ask(remote);
	ask_ready(remote);
}

static void
on_no_container(const char *code, const char *why, void *payload)
{
	ask_none(payload, code, why);
}

static void
on_container_gone(void *payload)
{
	struct remote *remote = payload;

	remote->removed = true;
	event_active(remote->tick, EV_TIMEOUT, 1);
}

/* ---- its end */

static void
stop(struct remote *remote)
{
	while (remote->asks)
		ask_free(remote->asks);
	bearer_forget(remote->stream_waiting);
	fetch_cancel(remote->stream);
	sse_free(remote->stream_sse);
	remote->stream_waiting = NULL;
	remote->stream = NULL;
	remote->stream_sse = NULL;
	event_del(remote->stream_timer);
}

static void
remote_end(struct child *child, bool gently, int64_t grace_ms)
{
	struct remote *remote = of(child);

	(void)gently;
	(void)grace_ms;
	if (remote->ending)
		return;
	remote->ending = true;
	stop(remote);
	if (remote->container)
		container_remove(remote->container);
	event_active(remote->tick, EV_TIMEOUT, 1);
}

static void
remote_kill(struct child *child)
{
	remote_end(child, false, 0);
}

static void
remote_free(struct child *child)
{
	struct remote *remote = of(child);

	stop(remote);
	while (remote->first)
		drop_first(remote);
	bearer_free(remote->bearer);
	container_free(remote->container);
	if (remote->token.cap)
		explicit_bzero(remote->token.s, remote->token.cap);
	buf_release(&remote->token);
	fetcher_free(remote->fetcher);
	event_free(remote->tick);
	event_free(remote->stream_timer);
	buf_release(&remote->url);
	free(remote->socket);
	free(remote);
}

/* ---- its beginning */

static void
set_endpoint(struct remote *remote)
{
	const char *endpoint = remote->host->endpoint + strspn(remote->host->endpoint, " \t");

	if (!strncmp(endpoint, "unix:", 5)) {
		remote->socket = xstrdup(endpoint + 5);
		buf_addstr(&remote->url, "http://localhost");
		return;
	}
	buf_add(&remote->url, endpoint, strcspn(endpoint, " \t\r\n"));
	while (remote->url.len && remote->url.s[remote->url.len - 1] == '/')
		buf_cut(&remote->url, remote->url.len - 1);
}

struct child *
remote_start(struct event_base *base, const struct runtime_host *host, const struct child_calls *calls, void *payload)
{
	static const struct child_kind kind = { remote_write, remote_hold, remote_end, remote_kill, remote_free };
	static const struct container_calls containing = { on_container, on_no_container, on_container_gone };
	struct remote *remote = xcalloc(1, sizeof *remote);

	remote->child.kind = &kind;
	remote->base = base;
	remote->calls = *calls;
	remote->payload = payload;
	remote->host = host;
	remote->name = host->pool ? "Dynamic Sessions runtime" : "Local runtime";
	remote->last = &remote->first;
	remote->request_ms = host->request_ms ? host->request_ms : RUNTIME_REQUEST_MS;
	remote->turn_ms = host->request_ms ? host->request_ms : RUNTIME_HOST_TURN_MS;
	buf_init(&remote->url);
	buf_init(&remote->token);
	if (host->endpoint)
		set_endpoint(remote);
	remote->fetcher = fetcher_new(base, "agentutils/" PACKAGE_VERSION);
	if (host->pool || host->token || host->token_file)
		remote->bearer = bearer_new(base, remote->fetcher, host);
	remote->tick = event_new(base, -1, 0, on_tick, remote);
	remote->stream_timer = event_new(base, -1, 0, on_stream_timer, remote);
	backoff_init(&remote->stream_pause, 1, NOTICES_PAUSE_MAX_MS, (uint64_t)clock_wall_ms() ^ (uint64_t)(uintptr_t)remote);
	if (host->container)
		remote->container = container_new(base, remote->fetcher, host->container, &containing, remote);
	else if (!host->pool)
		notices_ask(remote);
	return &remote->child;
}
