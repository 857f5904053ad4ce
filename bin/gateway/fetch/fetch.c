/* fetch.c - HTTP requests that go out: libcurl's multi interface on the libevent loop */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/event.h>

#include "err.h"
#include "fetch/fetch.h"
#include "fetch/libcurl.h"
#include "xalloc.h"

struct fetch {
	struct fetcher *fetcher;
	CURL *easy;
	struct curl_slist *headers;
	char *body;
	size_t body_len, body_max;
	struct event *clock; /* NULL: no deadline for the head or for silence */
	int64_t head_ms, silence_ms;
	bool held;
	struct fetch_answer answer;
	fetch_body_cb *body_cb;
	fetch_done_cb *done;
	void *payload;
	bool enough; /* the body callback needs no more */
	bool ended;  /* taken out of the multi handle; in the list of those to be told */
	char error[CURL_ERROR_SIZE];
	struct fetch *next, **prev;
};

struct fetcher {
	struct event_base *base;
	char *user_agent;
	const struct libcurl *lib; /* NULL until the first request */
	CURLM *multi;
	struct event *timer, *tell;
	struct fetch *running, *ended, **ended_last;
};

/* ---- the end of a call */

/* Once, before the body: what it is. */
static void
read_type(struct fetch_answer *answer)
{
	size_t i;

	if (answer->content_type.len || !fetch_header(answer, "content-type", &answer->content_type))
		return;
	for (i = 0; i < answer->content_type.len && !strchr("; \t", answer->content_type.s[i]); i++)
		if (answer->content_type.s[i] >= 'A' && answer->content_type.s[i] <= 'Z')
			answer->content_type.s[i] = (char)(answer->content_type.s[i] + 'a' - 'A');
	buf_cut(&answer->content_type, i);
}

static void
fetch_free(struct fetch *fetch)
{
	*fetch->prev = fetch->next;
	if (fetch->next)
		fetch->next->prev = fetch->prev;
	else if (fetch->ended)
		fetch->fetcher->ended_last = fetch->prev;
	if (fetch->easy) {
		if (!fetch->ended)
			fetch->fetcher->lib->multi_remove_handle(fetch->fetcher->multi, fetch->easy);
		fetch->fetcher->lib->easy_cleanup(fetch->easy);
		fetch->fetcher->lib->slist_free_all(fetch->headers);
	}
	if (fetch->clock)
		event_free(fetch->clock);
	if (fetch->body)
		explicit_bzero(fetch->body, fetch->body_len); /* it may have held a secret */
	free(fetch->body);
	buf_release(&fetch->answer.content_type);
	buf_release(&fetch->answer.head);
	buf_release(&fetch->answer.body);
	buf_release(&fetch->answer.why);
	free(fetch);
}

static enum fetch_result
result_of(const struct fetch *fetch, CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return FETCH_DONE;
	case CURLE_WRITE_ERROR:
		return fetch->enough ? FETCH_DONE : fetch->answer.result;
	case CURLE_OPERATION_TIMEDOUT:
		return FETCH_TIMEOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return FETCH_UNREACHABLE;
	default:
		return FETCH_BROKEN;
	}
}

static void
add_reason(struct fetch *fetch, CURLcode code)
{
	struct buf *why = &fetch->answer.why;
	long error = 0;

	if (why->len)
		return;
	/* libcurl's own words are about the address, which is the caller's to say */
	if (code == CURLE_COULDNT_CONNECT)
		fetch->fetcher->lib->easy_getinfo(fetch->easy, CURLINFO_OS_ERRNO, &error);
	buf_addstr(why, error ? strerror((int)error) : *fetch->error ? fetch->error : fetch->fetcher->lib->easy_strerror(code));
	if (why->s[0] >= 'A' && why->s[0] <= 'Z' && !(why->s[1] >= 'A' && why->s[1] <= 'Z'))
		why->s[0] = (char)(why->s[0] + 'a' - 'A');
}

static void
tell_later(struct fetch *fetch)
{
	struct fetcher *fetcher = fetch->fetcher;

	fetch->ended = true;
	fetch->next = NULL;
	fetch->prev = fetcher->ended_last;
	*fetcher->ended_last = fetch;
	fetcher->ended_last = &fetch->next;
	event_active(fetcher->tell, EV_TIMEOUT, 1);
}

/* Takes a finished call out of libcurl; its done() comes from the loop, where everything may be called again. */
static void
end_call(struct fetch *fetch, CURLcode code)
{
	struct fetcher *fetcher = fetch->fetcher;
	curl_off_t at = 0;

	fetch->fetcher->lib->easy_getinfo(fetch->easy, CURLINFO_PRETRANSFER_TIME_T, &at);
	if (fetch->clock)
		event_del(fetch->clock);
	fetch->answer.sent = at > 0;
	fetch->answer.result = result_of(fetch, code);
	if (fetch->answer.result != FETCH_DONE)
		add_reason(fetch, code);
	read_type(&fetch->answer);
	fetch->fetcher->lib->multi_remove_handle(fetcher->multi, fetch->easy);
	*fetch->prev = fetch->next;
	if (fetch->next)
		fetch->next->prev = fetch->prev;
	tell_later(fetch);
}

static void
check_ended(struct fetcher *fetcher)
{
	struct CURLMsg *message;
	int left;

	while ((message = fetcher->lib->multi_info_read(fetcher->multi, &left))) {
		void *fetch = NULL;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		fetcher->lib->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
		end_call(fetch, code);
	}
}

static void
on_tell(evutil_socket_t fd, short what, void *payload)
{
	struct fetcher *fetcher = payload;
	struct fetch *fetch = fetcher->ended;

	(void)fd;
	(void)what;
	if (!fetch)
		return;
	/* one at a time: its done() may cancel others */
	fetch->done(&fetch->answer, fetch->payload);
	fetch_free(fetch);
	if (fetcher->ended)
		event_active(fetcher->tell, EV_TIMEOUT, 1);
}

/* ---- deadlines of a part: the head, and each silence after it */

static void
set_clock(struct fetch *fetch, int64_t ms)
{
	struct timeval after = { (time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000) };

	if (fetch->clock && ms > 0 && !fetch->held)
		event_add(fetch->clock, &after);
	else if (fetch->clock)
		event_del(fetch->clock);
}

static void
on_clock(evutil_socket_t fd, short what, void *payload)
{
	struct fetch *fetch = payload;

	(void)fd;
	(void)what;
	buf_addf(&fetch->answer.why, "nothing came within %lld ms", (long long)(fetch->answer.status ? fetch->silence_ms : fetch->head_ms));
	end_call(fetch, CURLE_OPERATION_TIMEDOUT);
}

void
fetch_silence(struct fetch *fetch, int64_t ms)
{
	fetch->silence_ms = ms;
	set_clock(fetch, ms);
}

void
fetch_hold(struct fetch *fetch, bool held)
{
	if (fetch->held == held || fetch->ended || !fetch->easy)
		return;
	fetch->held = held;
	set_clock(fetch, fetch->silence_ms);
	fetch->fetcher->lib->easy_pause(fetch->easy, held ? CURLPAUSE_RECV : CURLPAUSE_CONT);
}

/* ---- libcurl's sockets and its timer */

static void
on_socket(evutil_socket_t fd, short what, void *payload)
{
	struct fetcher *fetcher = payload;
	int running, action = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	fetcher->lib->multi_socket_action(fetcher->multi, fd, action, &running);
	check_ended(fetcher);
}

static void
on_timer(evutil_socket_t fd, short what, void *payload)
{
	struct fetcher *fetcher = payload;
	int running;

	(void)fd;
	(void)what;
	fetcher->lib->multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	check_ended(fetcher);
}

static int
watch_socket(CURL *easy, curl_socket_t fd, int action, void *payload, void *of_socket)
{
	struct fetcher *fetcher = payload;
	struct event *event = of_socket;
	short what = (short)((action & CURL_POLL_IN ? EV_READ : 0) | (action & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);

	(void)easy;
	if (event)
		event_free(event);
	if (action == CURL_POLL_REMOVE) {
		fetcher->lib->multi_assign(fetcher->multi, fd, NULL);
		return 0;
	}
	event = event_new(fetcher->base, fd, what, on_socket, fetcher);
	event_add(event, NULL);
	fetcher->lib->multi_assign(fetcher->multi, fd, event);
	return 0;
}

static int
set_timer(CURLM *multi, long ms, void *payload)
{
	struct fetcher *fetcher = payload;
	struct timeval after = { ms / 1000, ms % 1000 * 1000 };

	(void)multi;
	if (ms < 0)
		event_del(fetcher->timer);
	else
		event_add(fetcher->timer, &after);
	return 0;
}

/* ---- an answer as it comes */

static size_t
take_header(char *bytes, size_t size, size_t n, void *payload)
{
	struct fetch *fetch = payload;
	struct fetch_answer *answer = &fetch->answer;
	long status = 0;

	n *= size;
	if (n > 5 && !strncmp(bytes, "HTTP/", 5)) {
		buf_reset(&answer->head); /* an interim answer came before it */
		buf_reset(&answer->content_type);
	}
	fetch->fetcher->lib->easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
	answer->status = (int)status;
	if (answer->head.len + n > FETCH_HEAD_MAX) {
		answer->result = FETCH_BROKEN;
		buf_addstr(&answer->why, "the head of the answer is too long");
		return 0;
	}
	buf_add(&answer->head, bytes, n);
	if (n <= 2 && answer->status >= 200)
		set_clock(fetch, fetch->silence_ms);
	return n;
}

static size_t
take_body(char *bytes, size_t size, size_t n, void *payload)
{
	struct fetch *fetch = payload;
	struct fetch_answer *answer = &fetch->answer;
	curl_off_t announced = -1;

	n *= size;
	set_clock(fetch, fetch->silence_ms);
	if (!answer->size) {
		read_type(answer);
		fetch->fetcher->lib->easy_getinfo(fetch->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
	}
	answer->size += n;
	if (announced > 0 && (uint64_t)announced > fetch->body_max)
		answer->size = (uint64_t)announced;
	if (answer->size > fetch->body_max) {
		answer->result = FETCH_TOO_LARGE;
		buf_addstr(&answer->why, "the answer is too large");
		return 0;
	}
	if (fetch->body_cb && answer->status >= 200 && answer->status < 300) {
		if (fetch->body_cb(answer, bytes, n, fetch->payload))
			return n;
		fetch->enough = true;
		return 0;
	}
	buf_add(&answer->body, bytes, n);
	return n;
}

bool
fetch_header(const struct fetch_answer *answer, const char *name, struct buf *to)
{
	const char *line = answer->head.s, *end = line + answer->head.len, *stop;
	size_t n = strlen(name);

	for (; line < end; line = stop + 1) {
		const char *value, *last;

		stop = memchr(line, '\n', (size_t)(end - line));
		if (!stop)
			return false;
		if ((size_t)(stop - line) <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
			continue;
		value = line + n + 1;
		last = stop;
		while (value < last && strchr(" \t\r", *value))
			value++;
		while (last > value && strchr(" \t\r", last[-1]))
			last--;
		buf_add(to, value, (size_t)(last - value));
		return true;
	}
	return false;
}

/* ---- a call */

static bool
start_curl(struct fetcher *fetcher, struct err *err)
{
	if (fetcher->multi)
		return true;
	fetcher->lib = libcurl_load(err);
	if (!fetcher->lib)
		return false;
	fetcher->multi = fetcher->lib->multi_init();
	if (!fetcher->multi)
		abort(); /* memory is out */
	fetcher->lib->multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	fetcher->lib->multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
	fetcher->lib->multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	fetcher->lib->multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
	return true;
}

static void
set_options(struct fetch *fetch, const struct fetch_request *request)
{
	__typeof__(fetch->fetcher->lib->easy_setopt) set = fetch->fetcher->lib->easy_setopt;
	const char *certificates = getenv("SSL_CERT_FILE");
	CURL *easy = fetch->easy;
	bool limited = request->timeout_ms > 0;

	set(easy, CURLOPT_PRIVATE, fetch);
	set(easy, CURLOPT_URL, request->url);
	set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	set(easy, CURLOPT_NOSIGNAL, 1L);
	set(easy, CURLOPT_ERRORBUFFER, fetch->error);
	set(easy, CURLOPT_USERAGENT, fetch->fetcher->user_agent);
	set(easy, CURLOPT_HTTPHEADER, fetch->headers);
	if (request->unix_path)
		set(easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_path);
	set(easy, CURLOPT_CONNECTTIMEOUT_MS,
	    (long)(limited && request->timeout_ms < FETCH_CONNECT_MS ? request->timeout_ms : FETCH_CONNECT_MS));
	set(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	set(easy, CURLOPT_TCP_KEEPALIVE, limited ? 0L : 1L);
	if (certificates && *certificates)
		set(easy, CURLOPT_CAINFO, certificates);
	if (request->once) {
		set(easy, CURLOPT_FRESH_CONNECT, 1L);
		set(easy, CURLOPT_FORBID_REUSE, 1L);
	}
	set(easy, CURLOPT_HEADERFUNCTION, take_header);
	set(easy, CURLOPT_HEADERDATA, fetch);
	set(easy, CURLOPT_WRITEFUNCTION, take_body);
	set(easy, CURLOPT_WRITEDATA, fetch);
	if (fetch->body) {
		set(easy, CURLOPT_POST, 1L);
		set(easy, CURLOPT_POSTFIELDS, fetch->body);
		set(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
	}
	set(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

struct fetch *
fetch_start(struct fetcher *fetcher, const struct fetch_request *request, fetch_done_cb *done, void *payload)
{
	struct fetch *fetch = xcalloc(1, sizeof *fetch);
	struct err err = ERR_INIT;
	size_t i;

	fetch->fetcher = fetcher;
	fetch->body_max = request->body_max;
	fetch->body_cb = request->body_cb;
	fetch->done = done;
	fetch->payload = payload;
	buf_init(&fetch->answer.content_type);
	buf_init(&fetch->answer.head);
	buf_init(&fetch->answer.body);
	buf_init(&fetch->answer.why);
	if (!start_curl(fetcher, &err)) {
		fetch->answer.result = FETCH_UNREACHABLE;
		buf_addstr(&fetch->answer.why, err.text);
		tell_later(fetch);
		return fetch;
	}
	for (i = 0; request->headers && request->headers[i]; i++)
		fetch->headers = fetcher->lib->slist_append(fetch->headers, request->headers[i]);
	fetch->headers = fetcher->lib->slist_append(fetch->headers, "expect:"); /* the body comes with the head, asked for or not */
	if (request->body) {
		fetch->body = xmalloc(request->body_len + 1);
		memcpy(fetch->body, request->body, request->body_len);
		fetch->body_len = request->body_len;
	}
	fetch->head_ms = request->head_ms;
	fetch->silence_ms = request->silence_ms;
	if (fetch->head_ms || fetch->silence_ms)
		fetch->clock = event_new(fetcher->base, -1, 0, on_clock, fetch);
	set_clock(fetch, fetch->head_ms);
	fetch->easy = fetcher->lib->easy_init();
	if (!fetch->easy)
		abort(); /* memory is out */
	set_options(fetch, request);
	fetch->next = fetcher->running;
	fetch->prev = &fetcher->running;
	if (fetch->next)
		fetch->next->prev = &fetch->next;
	fetcher->running = fetch;
	fetcher->lib->multi_add_handle(fetcher->multi, fetch->easy);
	return fetch;
}

void
fetch_cancel(struct fetch *fetch)
{
	if (fetch)
		fetch_free(fetch);
}

struct fetcher *
fetcher_new(struct event_base *base, const char *user_agent)
{
	struct fetcher *fetcher = xcalloc(1, sizeof *fetcher);

	fetcher->base = base;
	fetcher->user_agent = xstrdup(user_agent);
	fetcher->timer = event_new(base, -1, 0, on_timer, fetcher);
	fetcher->tell = event_new(base, -1, 0, on_tell, fetcher);
	fetcher->ended_last = &fetcher->ended;
	return fetcher;
}

void
fetcher_free(struct fetcher *fetcher)
{
	if (!fetcher)
		return;
	while (fetcher->running)
		fetch_free(fetcher->running);
	while (fetcher->ended)
		fetch_free(fetcher->ended);
	if (fetcher->multi)
		fetcher->lib->multi_cleanup(fetcher->multi);
	event_free(fetcher->timer);
	event_free(fetcher->tell);
	free(fetcher->user_agent);
	free(fetcher);
}
