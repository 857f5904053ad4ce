/* http.c - HTTP requests over libcurl's multi interface */
#include "compat.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "clock.h"
#include "curlerr.h"
#include "err.h"
#include "http.h"
#include "num.h"
#include "status.h"
#include "xalloc.h"

#define CONNECT_TIMEOUT_MS 10000
#define EXTRA_MAX HTTP_EXTRA_MAX /* further descriptors in one wait */

struct http {
	CURLM *multi;
	bool moved; /* a callback ran: the caller may have something to do now */
	struct http_settings settings;
	struct http_call *calls;
};

struct http_call {
	struct http *http;
	struct http_call *next;
	CURL *easy;
	struct curl_slist *headers;
	struct buf body; /* of the request; must live as long as the transfer */
	struct http_answer answer;
	struct err err;
	char reason[CURL_ERROR_SIZE];
	http_body_cb *body_cb;
	void *payload;
	size_t body_max;
	int64_t deadline, silence_ms, last_byte;
	bool done, ok, too_large;
};

struct http *
http_new(const struct http_settings *settings, bool tls)
{
	struct http *http = xcalloc(1, sizeof *http);

	/* Starting OpenSSL costs more than a request on loopback: only for https. */
	curl_global_init(tls ? CURL_GLOBAL_SSL : CURL_GLOBAL_NOTHING);
	http->settings = *settings;
	http->multi = curl_multi_init();
	if (!http->multi)
		abort();
	return http;
}

void
http_free(struct http *http)
{
	if (!http)
		return;
	while (http->calls)
		http_end(http->calls);
	curl_multi_cleanup(http->multi);
	curl_global_cleanup();
	free(http);
}

static void
answer_init(struct http_answer *answer)
{
	memset(answer, 0, sizeof *answer);
	buf_init(&answer->body);
	buf_init(&answer->content_type);
	buf_init(&answer->retry_after);
	buf_init(&answer->head);
}

void
http_answer_release(struct http_answer *answer)
{
	/* one that is all zero was never filled */
	if (answer->body.s) {
		buf_release(&answer->body);
		buf_release(&answer->content_type);
		buf_release(&answer->retry_after);
		buf_release(&answer->head);
	}
	answer_init(answer);
}

bool
http_header(const struct http_answer *answer, const char *name, struct buf *to)
{
	size_t n = strlen(name);
	const char *line = answer->head.s, *end;

	for (; (end = strchr(line, '\n')); line = end + 1) {
		const char *value = line + n + 1, *stop = end;

		if ((size_t)(end - line) <= n || line[n] != ':' || strncasecmp(line, name, n))
			continue;
		while (value < stop && (*value == ' ' || *value == '\t'))
			value++;
		while (stop > value && (stop[-1] == ' ' || stop[-1] == '\t' || stop[-1] == '\r'))
			stop--;
		buf_add(to, value, (size_t)(stop - value));
		return true;
	}
	return false;
}

int64_t
http_retry_at(const struct http_answer *answer, int64_t now_ms)
{
	uint64_t seconds;

	if (num_u64(answer->retry_after.s, answer->retry_after.len, &seconds) && seconds < 366 * 24 * 3600)
		return now_ms + (int64_t)seconds * 1000;
	return 0;
}

static void
head_complete(struct http_answer *answer)
{
	size_t i, n;

	buf_reset(&answer->content_type);
	buf_reset(&answer->retry_after);
	http_header(answer, "content-type", &answer->content_type);
	http_header(answer, "retry-after", &answer->retry_after);
	n = strcspn(answer->content_type.s, "; \t");
	buf_cut(&answer->content_type, n);
	for (i = 0; i < n; i++)
		if (answer->content_type.s[i] >= 'A' && answer->content_type.s[i] <= 'Z')
			answer->content_type.s[i] = (char)(answer->content_type.s[i] + 'a' - 'A');
}

static size_t
on_header(char *bytes, size_t size, size_t n, void *payload)
{
	struct http_call *call = payload;
	long status = 0;

	n *= size;
	call->http->moved = true;
	call->last_byte = clock_monotonic_ms();
	if (n >= 5 && !memcmp(bytes, "HTTP/", 5)) {
		buf_reset(&call->answer.head); /* 1xx answers and a proxy's CONNECT come before the real one */
		return n;
	}
	if (call->answer.head.len + n > HTTP_HEAD_MAX) {
		call->too_large = true;
		return 0;
	}
	if (n <= 2) {
		curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
		call->answer.status = (int)status;
		head_complete(&call->answer);
	} else
		buf_add(&call->answer.head, bytes, n);
	return n;
}

static size_t
on_body(char *bytes, size_t size, size_t n, void *payload)
{
	struct http_call *call = payload;
	int status = call->answer.status;

	n *= size;
	call->http->moved = true;
	call->last_byte = clock_monotonic_ms();
	if (call->body_cb && status >= 200 && status < 300) {
		if (call->body_cb(bytes, n, call->payload))
			return n;
		call->answer.aborted = true;
		return 0;
	}
	if (call->answer.body.len + n > call->body_max) {
		call->too_large = true;
		return 0;
	}
	buf_add(&call->answer.body, bytes, n);
	return n;
}

static void
set_options(struct http_call *call, const struct http_request *request)
{
	const struct http_settings *settings = &call->http->settings;
	CURL *easy = call->easy;
	const char *const *header;
	struct curl_slist *list = NULL;

	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(
	    easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(settings->connect_timeout_ms ? settings->connect_timeout_ms : CONNECT_TIMEOUT_MS));
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 131072L);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, call->reason);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, call);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
	if (settings->user_agent)
		curl_easy_setopt(easy, CURLOPT_USERAGENT, settings->user_agent);
	if (settings->unix_path)
		curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, settings->unix_path);
	if (settings->cacert)
		curl_easy_setopt(easy, CURLOPT_CAINFO, settings->cacert);
	if (settings->cert)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, settings->cert);
	if (settings->key)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, settings->key);
	if (!strcmp(request->method, "HEAD"))
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	if (request->body) {
		buf_add(&call->body, request->body, request->body_len);
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->body.s);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.len);
		list = curl_slist_append(list, "Expect:"); /* no round trip before the body */
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	for (header = request->headers; header && *header; header++)
		list = curl_slist_append(list, *header);
	call->headers = list;
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
}

struct http_call *
http_start(struct http *http, const struct http_request *request)
{
	struct http_call *call = xcalloc(1, sizeof *call);

	call->http = http;
	call->easy = curl_easy_init();
	if (!call->easy)
		abort();
	buf_init(&call->body);
	answer_init(&call->answer);
	call->body_cb = request->body_cb;
	call->payload = request->payload;
	call->body_max = request->body_max ? request->body_max : HTTP_BODY_MAX;
	call->deadline = request->deadline ? request->deadline : DEADLINE_NONE;
	call->silence_ms = request->silence_ms;
	call->last_byte = clock_monotonic_ms();
	set_options(call, request);
	curl_multi_add_handle(http->multi, call->easy);
	call->next = http->calls;
	http->calls = call;
	return call;
}

void
http_end(struct http_call *call)
{
	struct http_call **at;

	if (!call)
		return;
	for (at = &call->http->calls; *at; at = &(*at)->next)
		if (*at == call) {
			*at = call->next;
			break;
		}
	curl_multi_remove_handle(call->http->multi, call->easy);
	curl_easy_cleanup(call->easy);
	curl_slist_free_all(call->headers);
	buf_release(&call->body);
	http_answer_release(&call->answer);
	free(call);
}

static void
finish(struct http_call *call, CURLcode code)
{
	long size = 0;

	call->done = true;
	curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &size);
	call->answer.sent = size > 0;
	call->ok = code == CURLE_OK || call->answer.aborted;
	if (call->ok)
		return;
	if (call->too_large) {
		err_set(&call->err, STATUS_PROTOCOL, "the answer is longer than %zu bytes",
		    call->answer.head.len > HTTP_HEAD_MAX / 2 ? (size_t)HTTP_HEAD_MAX : call->body_max);
		return;
	}
	curlerr_set(&call->err, call->easy, (int)code, call->reason, call->answer.status != 0);
}

/* Ends a call whose time is over; libcurl is not asked. */
static void
give_up(struct http_call *call, const char *why, int64_t ms)
{
	long size = 0;

	curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &size);
	call->answer.sent = size > 0;
	call->done = true;
	call->ok = false;
	if (ms)
		err_set(&call->err, STATUS_TIMEOUT, "%s %lld ms", why, (long long)ms);
	else
		err_set(&call->err, STATUS_TIMEOUT, "%s", why);
	curl_multi_remove_handle(call->http->multi, call->easy);
}

static int64_t
earliest(const struct http *http, int64_t deadline)
{
	const struct http_call *call;

	for (call = http->calls; call; call = call->next) {
		if (call->done)
			continue;
		if (call->deadline < deadline)
			deadline = call->deadline;
		if (call->silence_ms && call->last_byte + call->silence_ms < deadline)
			deadline = call->last_byte + call->silence_ms;
	}
	return deadline;
}

static void
check_deadlines(struct http *http)
{
	int64_t now = clock_monotonic_ms();
	struct http_call *call;

	for (call = http->calls; call; call = call->next) {
		if (call->done)
			continue;
		if (call->deadline <= now)
			give_up(call, "the deadline passed", 0);
		else if (call->silence_ms && call->last_byte + call->silence_ms <= now)
			give_up(call, "nothing came for", call->silence_ms);
	}
}

/* Lets libcurl work; true when something happened: a call ended, or brought something. */
static bool
work(struct http *http)
{
	int running, left;
	CURLMsg *message;

	http->moved = false;
	curl_multi_perform(http->multi, &running);
	while ((message = curl_multi_info_read(http->multi, &left))) {
		struct http_call *call = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
		finish(call, message->data.result);
		http->moved = true;
	}
	return http->moved;
}

bool
http_wait(struct http *http, struct pollfd *extra, unsigned n_extra, int64_t deadline, struct err *err)
{
	struct curl_waitfd fds[EXTRA_MAX];
	int timeout, seen = 0;
	unsigned i;
	CURLMcode code;

	if (n_extra > EXTRA_MAX)
		return err_set(err, STATUS_BUG, "too many descriptors to wait for: %u", n_extra);
	for (i = 0; i < n_extra; i++) {
		fds[i] = (struct curl_waitfd){ .fd = extra[i].fd, .events = CURL_WAIT_POLLIN };
		extra[i].events = POLLIN;
		extra[i].revents = 0;
	}
	/* what has happened must not wait for what is yet to happen: the deadline was made before it */
	if (!work(http)) {
		timeout = deadline_poll(earliest(http, deadline));
		code = curl_multi_poll(http->multi, fds, n_extra, timeout < 0 ? 3600000 : timeout, &seen);
		if (code != CURLM_OK)
			return err_set(err, STATUS_IO, "unable to wait: %s", curl_multi_strerror(code));
		work(http);
	}
	/* libcurl does not report a hang-up; poll() does */
	(void)poll(extra, n_extra, 0);
	check_deadlines(http);
	return true;
}

bool
http_done(struct http_call *call, bool *ret_ok, struct err *err)
{
	if (!call->done)
		return false;
	*ret_ok = call->ok;
	if (!call->ok && err)
		*err = call->err;
	return true;
}

const struct http_answer *
http_call_answer(const struct http_call *call)
{
	return &call->answer;
}

bool
http_run(struct http *http, const struct http_request *request, struct http_answer *answer, struct err *err)
{
	struct http_call *call = http_start(http, request);
	bool ok = false;

	answer_init(answer);
	while (!http_done(call, &ok, err))
		if (!http_wait(http, NULL, 0, DEADLINE_NONE, err))
			break;
	/* the answer changes hands */
	*answer = call->answer;
	answer_init(&call->answer);
	http_end(call);
	return ok;
}
