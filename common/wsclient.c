/* wsclient.c - a WebSocket as a client */
#include "compat.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "clock.h"
#include "curlerr.h"
#include "err.h"
#include "num.h"
#include "status.h"
#include "wsclient.h"
#include "wspeer.h"
#include "xalloc.h"

#define CONNECT_TIMEOUT_MS 10000
#define READ_STEP 65536
#define STEPS 16	  /* reads in one wsclient_step(), so that others get a turn */
#define UNSENT_LOOK_MS 20 /* when output waits: between two tries, for callers who only wait for input */

struct wsclient {
	CURL *easy;
	curl_socket_t fd;
	struct wspeer *peer;
	wsclient_text_cb *text;
	void *payload;
	struct buf first; /* what came with the answer's head */
	struct buf out;	  /* frames that have not gone */
	char *read;	  /* READ_STEP bytes */
	int64_t ping_ms, pong_ms, heard, pinged;
	bool enough; /* the callback wants no more for now */
	bool more;   /* there may be more to read without waiting */
	bool lost;   /* the connection has ended */
	char reason[CURL_ERROR_SIZE];
};

/* ---- opening */

static void
on_message(bool text, struct span message, void *payload)
{
	struct wsclient *client = payload;

	if (text && !client->text(message, client->payload))
		client->enough = true;
}

static void
on_output(const void *bytes, size_t n, void *payload)
{
	struct wsclient *client = payload;

	buf_add(&client->out, bytes, n);
}

static const struct wspeer_events peer_events = { .message = on_message, .output = on_output };

static void
set_options(struct wsclient *client, const struct wsclient_settings *settings, const char *url)
{
	const struct http_settings *http = settings->http;
	int64_t left = deadline_left(settings->deadline),
		timeout = http->connect_timeout_ms ? http->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	CURL *easy = client->easy;

	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L); /* nothing but HTTP/1.1 can be upgraded */
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(left < timeout ? (left ? left : 1) : timeout));
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, client->reason);
	if (http->user_agent)
		curl_easy_setopt(easy, CURLOPT_USERAGENT, http->user_agent);
	if (http->unix_path)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, http->unix_path);
	if (http->cacert)
		curl_easy_setopt(easy, CURLOPT_CAINFO, http->cacert);
	if (http->cert)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, http->cert);
	if (http->key)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, http->key);
}

/* ws: and wss: are other names of http: and https:. */
static void
plain_url(const char *url, struct buf *to)
{
	if (!strncasecmp(url, "ws:", 3) || !strncasecmp(url, "wss:", 4)) {
		buf_addstr(to, "http");
		url += 2;
	}
	buf_addstr(to, url);
}

static void
take_part(CURLU *parts, CURLUPart which, const char *before, struct buf *to)
{
	char *text = NULL;

	if (curl_url_get(parts, which, &text, 0) == CURLUE_OK) {
		buf_addstr(to, before);
		buf_addstr(to, text);
	}
	curl_free(text);
}

static bool
make_request(const struct wsclient_settings *settings, const char *url, const struct buf *key, struct buf *to, struct err *err)
{
	CURLU *parts = curl_url();
	const char *const *header;

	if (!parts)
		abort();
	if (curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK) {
		curl_url_cleanup(parts);
		return err_set(err, STATUS_USAGE, "this is no address");
	}
	buf_addstr(to, "GET ");
	take_part(parts, CURLUPART_PATH, "", to);
	take_part(parts, CURLUPART_QUERY, "?", to);
	buf_addstr(to, " HTTP/1.1\r\nHost: ");
	take_part(parts, CURLUPART_HOST, "", to);
	take_part(parts, CURLUPART_PORT, ":", to);
	buf_addf(to, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", key->s);
	if (settings->http->user_agent)
		buf_addf(to, "User-Agent: %s\r\n", settings->http->user_agent);
	for (header = settings->headers; header && *header; header++)
		buf_addf(to, "%s\r\n", *header);
	buf_addstr(to, "\r\n");
	curl_url_cleanup(parts);
	return true;
}

static bool
wait_for(struct wsclient *client, short events, int64_t deadline, struct err *err)
{
	struct pollfd p = { .fd = client->fd, .events = events };
	int n = poll(&p, 1, deadline_poll(deadline));

	if (n < 0 && errno != EINTR)
		return err_errno(err, STATUS_IO, "unable to wait");
	if (n == 0)
		return err_set(err, STATUS_TIMEOUT, "the deadline passed");
	return true;
}

static bool
send_all(struct wsclient *client, const struct buf *bytes, int64_t deadline, struct err *err)
{
	size_t done = 0, n;
	CURLcode code;

	while (done < bytes->len) {
		n = 0;
		code = curl_easy_send(client->easy, bytes->s + done, bytes->len - done, &n);
		if (code == CURLE_AGAIN) {
			if (!wait_for(client, POLLOUT, deadline, err))
				return false;
		} else if (code != CURLE_OK)
			return curlerr_set(err, client->easy, (int)code, client->reason, false);
		done += n;
	}
	return true;
}

/* More of the answer. False: err is filled, or *ret_end is true. */
static bool
receive(struct wsclient *client, struct buf *to, int64_t deadline, bool *ret_end, struct err *err)
{
	CURLcode code;
	size_t n = 0;

	*ret_end = false;
	while ((code = curl_easy_recv(client->easy, client->read, READ_STEP, &n)) == CURLE_AGAIN)
		if (!wait_for(client, POLLIN, deadline, err))
			return false;
	if (code != CURLE_OK)
		return curlerr_set(err, client->easy, (int)code, client->reason, to->len > 0);
	if (!n) {
		*ret_end = true;
		return false;
	}
	buf_add(to, client->read, n);
	return true;
}

/* Reads one head into answer; what follows it stays in bytes. */
static bool
read_head(struct wsclient *client, struct buf *bytes, int64_t deadline, struct http_answer *answer, struct err *err)
{
	const char *end, *line;
	bool over;
	uint64_t status;

	while (!(end = memmem(bytes->s, bytes->len, "\r\n\r\n", 4))) {
		if (bytes->len > WSCLIENT_HEAD_MAX)
			return err_set(err, STATUS_PROTOCOL, "the head of the answer is longer than %d bytes", WSCLIENT_HEAD_MAX);
		if (!receive(client, bytes, deadline, &over, err))
			return over ? err_set(err, bytes->len ? STATUS_PROTOCOL : STATUS_UNREACHABLE,
					  "the connection ended before there was an answer")
				    : false;
	}
	if (memchr(bytes->s, '\0', (size_t)(end - bytes->s)) || bytes->len < 12 || strncmp(bytes->s, "HTTP/1.", 7) || bytes->s[8] != ' ' ||
	    !num_u64(bytes->s + 9, 3, &status) || status < 100)
		return err_set(err, STATUS_PROTOCOL, "this is no HTTP");
	line = strstr(bytes->s, "\r\n") + 2;
	answer->status = (int)status;
	buf_reset(&answer->head);
	if (line < end)
		buf_add(&answer->head, line, (size_t)(end + 2 - line));
	buf_consume(bytes, (size_t)(end + 4 - bytes->s));
	return true;
}

/* What the server says about it, as far as it comes. */
static void
read_refusal(struct wsclient *client, struct buf *bytes, int64_t deadline, struct http_answer *answer)
{
	struct buf text = BUF_INIT;
	uint64_t length = WSCLIENT_REFUSAL_MAX;
	struct err ignored = ERR_INIT;
	size_t n, i;
	bool over;

	if (http_header(answer, "content-length", &text) && (!num_u64(text.s, text.len, &length) || length > WSCLIENT_REFUSAL_MAX))
		length = WSCLIENT_REFUSAL_MAX;
	while (bytes->len < length && receive(client, bytes, deadline, &over, &ignored))
		;
	buf_add(&answer->body, bytes->s, bytes->len < length ? bytes->len : (size_t)length);
	http_header(answer, "retry-after", &answer->retry_after);
	http_header(answer, "content-type", &answer->content_type);
	n = strcspn(answer->content_type.s, "; \t");
	buf_cut(&answer->content_type, n);
	for (i = 0; i < n; i++)
		if (answer->content_type.s[i] >= 'A' && answer->content_type.s[i] <= 'Z')
			answer->content_type.s[i] = (char)(answer->content_type.s[i] + 'a' - 'A');
	buf_release(&text);
}

static bool
header_is(const struct http_answer *answer, const char *name, const char *want, bool exact)
{
	struct buf value = BUF_INIT;
	bool is = http_header(answer, name, &value) && (exact ? !strcmp(value.s, want) : !strcasecmp(value.s, want));

	buf_release(&value);
	return is;
}

static bool
has_header(const struct http_answer *answer, const char *name)
{
	struct buf value = BUF_INIT;
	bool has = http_header(answer, name, &value);

	buf_release(&value);
	return has;
}

/* RFC 6455 4.1: what the answer must and must not have. */
static bool
check_answer(const struct http_answer *answer, const struct buf *key, struct err *err)
{
	struct buf accept = BUF_INIT;
	bool ok;

	wspeer_add_accept(&accept, key->s, key->len);
	ok = header_is(answer, "upgrade", "websocket", false) && header_is(answer, "connection", "upgrade", false) &&
	    header_is(answer, "sec-websocket-accept", accept.s, true) && !has_header(answer, "sec-websocket-extensions") &&
	    !has_header(answer, "sec-websocket-protocol");
	buf_release(&accept);
	return ok || err_set(err, STATUS_PROTOCOL, "the answer to the WebSocket handshake is wrong");
}

static bool
shake_hands(struct wsclient *client, const struct wsclient_settings *settings, const char *url, struct http_answer *answer,
    struct buf *bytes, struct err *err)
{
	struct buf key = BUF_INIT, request = BUF_INIT;
	bool ok;

	wspeer_add_key(&key);
	ok = make_request(settings, url, &key, &request, err) && send_all(client, &request, settings->deadline, err) &&
	    read_head(client, bytes, settings->deadline, answer, err);
	while (ok && answer->status < 200 && answer->status != 101)
		ok = read_head(client, bytes, settings->deadline, answer, err);
	if (ok && answer->status != 101) {
		read_refusal(client, bytes, settings->deadline, answer);
		ok = err_set(err, STATUS_PROTOCOL, "the server answered %d", answer->status);
		err->http = answer->status;
	} else if (ok) {
		ok = check_answer(answer, &key, err);
		answer->status = ok ? answer->status : 0; /* it refused nothing: it is wrong */
	} else
		answer->status = 0;
	if (request.cap)
		memset(request.s, 0, request.len); /* the token */
	buf_release(&request);
	buf_release(&key);
	return ok;
}

struct wsclient *
wsclient_open(const struct wsclient_settings *settings, struct http_answer *answer, struct err *err)
{
	struct wsclient *client = xcalloc(1, sizeof *client);
	struct buf url = BUF_INIT, bytes = BUF_INIT;
	CURLcode code;
	bool ok;

	memset(answer, 0, sizeof *answer);
	http_answer_release(answer);
	plain_url(settings->url, &url);
	curl_global_init(strncasecmp(url.s, "https:", 6) ? CURL_GLOBAL_NOTHING : CURL_GLOBAL_SSL);
	client->easy = curl_easy_init();
	if (!client->easy)
		abort();
	client->read = xmalloc(READ_STEP);
	client->text = settings->text;
	client->payload = settings->payload;
	client->ping_ms = settings->ping_ms ? settings->ping_ms : WSCLIENT_PING_MS;
	client->pong_ms = settings->pong_ms ? settings->pong_ms : WSCLIENT_PONG_MS;
	buf_init(&client->first);
	buf_init(&client->out);
	set_options(client, settings, url.s);
	code = curl_easy_perform(client->easy);
	if (code == CURLE_OK)
		code = curl_easy_getinfo(client->easy, CURLINFO_ACTIVESOCKET, &client->fd);
	if (code == CURLE_OPERATION_TIMEDOUT)
		ok = err_set(err, deadline_left(settings->deadline) ? STATUS_UNREACHABLE : STATUS_TIMEOUT, "no connection in time");
	else if (code != CURLE_OK)
		ok = curlerr_set(err, client->easy, (int)code, client->reason, false);
	else
		ok = shake_hands(client, settings, url.s, answer, &bytes, err);
	if (ok) {
		client->heard = clock_monotonic_ms();
		client->peer = wspeer_new(
		    WSPEER_CLIENT, settings->message_max ? settings->message_max : WSCLIENT_MESSAGE_MAX, &peer_events, client);
		client->more = true;
		buf_add(&client->first, bytes.s, bytes.len);
	} else {
		wsclient_free(client);
		client = NULL;
	}
	buf_release(&url);
	buf_release(&bytes);
	return client;
}

void
wsclient_free(struct wsclient *client)
{
	if (!client)
		return;
	wspeer_free(client->peer);
	curl_easy_cleanup(client->easy);
	curl_global_cleanup();
	buf_release(&client->first);
	buf_release(&client->out);
	free(client->read);
	free(client);
}

/* ---- open */

static bool
take_input(struct wsclient *client, struct err *err)
{
	CURLcode code;
	size_t n;
	int i;

	client->enough = client->more = false;
	wspeer_feed(client->peer, client->first.s, client->first.len);
	buf_reset(&client->first);
	for (i = 0; i < STEPS && !client->enough && wspeer_state(client->peer) != WSPEER_CLOSED; i++) {
		n = 0;
		code = curl_easy_recv(client->easy, client->read, READ_STEP, &n);
		if (code == CURLE_AGAIN)
			return true;
		if (code != CURLE_OK) {
			client->lost = true;
			return curlerr_set(err, client->easy, (int)code, client->reason, false);
		}
		if (!n) {
			client->lost = true;
			return err_set(err, STATUS_UNREACHABLE, "the connection was lost");
		}
		client->heard = clock_monotonic_ms();
		wspeer_feed(client->peer, client->read, n);
	}
	client->more = true;
	return true;
}

static bool
give_output(struct wsclient *client, struct err *err)
{
	CURLcode code;
	size_t n;

	while (client->out.len) {
		n = 0;
		code = curl_easy_send(client->easy, client->out.s, client->out.len, &n);
		if (code == CURLE_AGAIN)
			break;
		if (code != CURLE_OK) {
			client->lost = true;
			return curlerr_set(err, client->easy, (int)code, client->reason, false);
		}
		buf_consume(&client->out, n);
	}
	if (client->out.len > WSCLIENT_UNSENT_MAX)
		return err_set(err, STATUS_UNREACHABLE, "the server takes nothing");
	return true;
}

static bool
check_life(struct wsclient *client, struct err *err)
{
	int64_t now = clock_monotonic_ms();

	if (client->pinged && client->heard >= client->pinged)
		client->pinged = 0;
	if (client->pinged && now - client->pinged >= client->pong_ms)
		return err_set(err, STATUS_UNREACHABLE, "no sign of life for %lld ms", (long long)(now - client->heard));
	if (!client->pinged && now - client->heard >= client->ping_ms) {
		client->pinged = now;
		wspeer_ping(client->peer);
	}
	return true;
}

bool
wsclient_step(struct wsclient *client, struct err *err)
{
	bool ok = take_input(client, err) && check_life(client, err);

	if (client->lost || wspeer_state(client->peer) != WSPEER_CLOSED)
		return ok && give_output(client, err);
	(void)give_output(client, err); /* the answer to its goodbye */
	if (wspeer_broken(client->peer))
		return err_set(err, STATUS_PROTOCOL, "the server broke the WebSocket protocol (%d)", wspeer_code(client->peer));
	if (*wspeer_reason(client->peer))
		return err_set(
		    err, STATUS_UNREACHABLE, "the server said goodbye: %d %s", wspeer_code(client->peer), wspeer_reason(client->peer));
	return err_set(err, STATUS_UNREACHABLE, "the server said goodbye: %d", wspeer_code(client->peer));
}

int
wsclient_fd(const struct wsclient *client)
{
	return (int)client->fd;
}

int64_t
wsclient_deadline(const struct wsclient *client)
{
	int64_t at = client->pinged ? client->pinged + client->pong_ms : client->heard + client->ping_ms, now = clock_monotonic_ms();

	if (client->more)
		return now; /* what TLS holds back is not seen by poll() */
	if (client->out.len && now + UNSENT_LOOK_MS < at)
		return now + UNSENT_LOOK_MS;
	return at;
}

bool
wsclient_wait(struct wsclient *client, int64_t deadline, struct err *err)
{
	struct pollfd p = { .fd = client->fd, .events = (short)(client->out.len ? POLLIN | POLLOUT : POLLIN) };
	int64_t own = wsclient_deadline(client);

	if (poll(&p, 1, deadline_poll(own < deadline ? own : deadline)) < 0 && errno != EINTR)
		return err_errno(err, STATUS_IO, "unable to wait");
	return wsclient_step(client, err);
}

void
wsclient_send(struct wsclient *client, const void *text, size_t n)
{
	struct err ignored = ERR_INIT;

	wspeer_text(client->peer, text, n);
	(void)give_output(client, &ignored); /* the next step tells */
}

int
wsclient_code(const struct wsclient *client)
{
	return wspeer_code(client->peer);
}

const char *
wsclient_reason(const struct wsclient *client)
{
	return wspeer_reason(client->peer);
}

void
wsclient_close(struct wsclient *client, int64_t deadline)
{
	struct err ignored = ERR_INIT;

	wspeer_close(client->peer, 1000, "");
	(void)give_output(client, &ignored);
	while (!client->lost && wspeer_state(client->peer) == WSPEER_CLOSING && deadline_left(deadline))
		if (!wsclient_wait(client, deadline, &ignored))
			break;
}
