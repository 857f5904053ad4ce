/* wsclient.h - a WebSocket as a client (RFC 6455): libcurl connects (TLS, proxy, unix socket), wspeer.h speaks
 *
 * One thread, no retries of its own. Opening waits, with a deadline; after that nothing waits but wsclient_wait(). A program that waits
 * for other things too passes wsclient_fd() to http_wait() as a further descriptor, with the earlier of its deadline and
 * wsclient_deadline(), and calls wsclient_step() after each wait. Silence is asked about with a ping; who does not answer is dead.
 */
#ifndef WSCLIENT_H
#define WSCLIENT_H

#include "compat.h"
#include "http.h"
#include "jtext.h"

struct err;
struct wsclient;

#define WSCLIENT_MESSAGE_MAX (16u << 20) /* bytes of one message, unless said otherwise */
#define WSCLIENT_PING_MS 30000
#define WSCLIENT_PONG_MS 10000
#define WSCLIENT_HEAD_MAX 65536	       /* bytes of the answer's head */
#define WSCLIENT_REFUSAL_MAX 65536     /* bytes of a refusal's body that are kept */
#define WSCLIENT_UNSENT_MAX (1u << 20) /* bytes that the other side does not take */

/* One text message, borrowed; never from inside wsclient_open(). The client may be used, not freed. Return false: nothing more is read for
 * now, and wsclient_step() returns; messages that have been read already still come. */
typedef bool wsclient_text_cb(struct span message, void *payload);

struct wsclient_settings {
	const struct http_settings *http; /* as for http_new() */
	const char *url;		  /* "http://..." or "https://...", "ws" and "wss" too */
	const char *const *headers;	  /* "name: value", NULL-ended; NULL: none */
	int64_t deadline;		  /* for opening */
	size_t message_max;		  /* 0: WSCLIENT_MESSAGE_MAX */
	int64_t ping_ms, pong_ms;	  /* 0: as above */
	wsclient_text_cb *text;
	void *payload;
};

/* NULL: err says why only ("connection refused"), as http_run() does; when the server has refused, answer has its status, head and body
 * (api_fail() makes an error of it). Release answer in any case. */
struct wsclient *wsclient_open(const struct wsclient_settings *settings, struct http_answer *answer, struct err *err);
void wsclient_free(struct wsclient *client); /* accepts NULL; says nothing */

/* Takes what has come and sends what waits; never waits itself. False: it is over and err says why: STATUS_UNREACHABLE (lost, no sign of
 * life, a goodbye) or STATUS_PROTOCOL (it broke the protocol). */
bool wsclient_step(struct wsclient *client, struct err *err) USE_RESULT;
int wsclient_fd(const struct wsclient *client);
int64_t wsclient_deadline(const struct wsclient *client); /* when wsclient_step() has something to do although nothing came */

/* Waits for something to come, at most to the deadline, and does wsclient_step(). */
bool wsclient_wait(struct wsclient *client, int64_t deadline, struct err *err) USE_RESULT;

void wsclient_send(struct wsclient *client, const void *text, size_t n); /* valid UTF-8; goes out with the next step at the latest */

/* The code of the other side's goodbye (1005: none in it), 1006 without one; its reason, "" without. Once it is over. */
int wsclient_code(const struct wsclient *client);
const char *wsclient_reason(const struct wsclient *client);

/* Says goodbye (1000) and waits for the answer, at most to the deadline. */
void wsclient_close(struct wsclient *client, int64_t deadline);

#endif
