/* bearer.c - the token that opens a session pool */
#include "compat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "blank.h"
#include "clock.h"
#include "err.h"
#include "fetch/fetch.h"
#include "jtext.h"
#include "runtime/bearer.h"
#include "runtime/redact.h"
#include "runtime/runtime.h"
#include "xalloc.h"

struct bearer_wait {
	struct bearer_wait *next, **prev;
	bearer_cb *cb;
	void *payload;
};

struct bearer {
	struct fetcher *fetcher;
	struct event *tell;
	char *given, *file, *resource, *client;
	struct buf token, why; /* why: not "" while those who wait are to be told that there is none */
	int64_t end_ms;	       /* of the token, wall clock; 0: there is none */
	struct fetch *fetch;
	bool old; /* family B was asked */
	struct bearer_wait *waits;
};

/* ---- an answer */

static bool
read_number(struct span object, const char *key, double *ret)
{
	struct buf text = BUF_INIT;
	struct span value;
	bool good = false;
	char *end;

	if (jtext_get(object, key, &value)) {
		if (jtext_type(value) == JTEXT_NUMBER)
			buf_add(&text, value.s, value.n);
		else
			(void)jtext_string(value, &text);
		*ret = strtod(text.s, &end);
		good = text.len && !*end && isfinite(*ret) && *ret > 0 && *ret < 1e12;
	}
	buf_release(&text);
	return good;
}

bool
bearer_read(const char *s, size_t n, bool old, int64_t now_ms, struct buf *token, int64_t *ret_end_ms)
{
	struct span body;
	double seconds;

	if (!jtext_check(s, n, true, &body, NULL) || !jtext_get_string(body, "access_token", token))
		return false;
	blank_trim_buf(token, BLANK_JS);
	/* it becomes a line of a head */
	if (!token->len || token->len != strcspn(token->s, " \t\r\n\v\f"))
		return false;
	if (!old && read_number(body, "expires_on", &seconds))
		*ret_end_ms = (int64_t)(seconds * 1000);
	else if (read_number(body, "expires_in", &seconds))
		*ret_end_ms = now_ms + (int64_t)(seconds * 1000);
	else if (old && read_number(body, "expires_on", &seconds))
		*ret_end_ms = (int64_t)(seconds * 1000);
	else
		*ret_end_ms = now_ms + BEARER_LIFE_MS;
	return true;
}

/* ---- telling */

static void
unlink_wait(struct bearer_wait *wait)
{
	*wait->prev = wait->next;
	if (wait->next)
		wait->next->prev = wait->prev;
}

void
bearer_forget(struct bearer_wait *wait)
{
	if (!wait)
		return;
	unlink_wait(wait);
	free(wait);
}

static void
on_tell(evutil_socket_t fd, short what, void *payload)
{
	struct bearer *bearer = payload;
	struct buf token = BUF_INIT, why = BUF_INIT;
	struct bearer_wait *wait, *waits = bearer->waits;

	(void)fd;
	(void)what;
	/* what they are told stays as it is, whatever they ask for now; who comes now is for the next time */
	buf_add(&token, bearer->token.s, bearer->token.len);
	buf_add(&why, bearer->why.s, bearer->why.len);
	buf_reset(&bearer->why);
	bearer->waits = NULL;
	if (waits)
		waits->prev = &waits;
	while ((wait = waits)) {
		unlink_wait(wait);
		wait->cb(why.len ? NULL : &token, why.s, wait->payload);
		free(wait);
	}
	if (token.cap)
		explicit_bzero(token.s, token.cap);
	buf_release(&token);
	buf_release(&why);
}

static void
tell(struct bearer *bearer)
{
	event_active(bearer->tell, EV_TIMEOUT, 1);
}

/* ---- asking */

static const char *
variable(const char *name)
{
	const char *value = getenv(name);

	return value && value[strspn(value, " \t\r\n")] ? value : NULL;
}

static void
on_answer(const struct fetch_answer *answer, void *payload)
{
	struct bearer *bearer = payload;
	const char *name = bearer->old ? "MSI" : "Managed identity", *secret = variable(bearer->old ? "MSI_SECRET" : "IDENTITY_HEADER");

	bearer->fetch = NULL;
	buf_reset(&bearer->token);
	bearer->end_ms = 0;
	if (answer->result != FETCH_DONE)
		buf_addf(&bearer->why, "%s token request failed: %s", name, answer->why.s);
	else if (answer->status < 200 || answer->status > 299) {
		buf_addf(&bearer->why, "%s token request failed (%d): ", name, answer->status);
		redact_add(
		    &bearer->why, answer->body.s, answer->body.len, BEARER_SHOWN_MAX, (const char *const[]){ secret ? secret : "", NULL });
	} else if (!bearer_read(answer->body.s, answer->body.len, bearer->old, clock_wall_ms(), &bearer->token, &bearer->end_ms)) {
		buf_reset(&bearer->token);
		buf_addf(&bearer->why, "%s token response did not include access_token", name);
	}
	tell(bearer);
}

static void
add_encoded(struct buf *to, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-._";

	for (; *text; text++)
		if (strchr(plain, *text))
			buf_addch(to, *text);
		else
			buf_addf(to, "%%%02X", (unsigned char)*text);
}

/* Sets a parameter of the query: those that were there under its name go. */
static void
set_query(struct buf *url, const char *key, const char *value)
{
	size_t n = strlen(key), path = strcspn(url->s, "?"), len;
	struct buf old = BUF_INIT;
	const char *at;

	buf_add(&old, url->s, url->len);
	buf_cut(url, path);
	buf_addch(url, '?');
	for (at = old.s + path + (old.s[path] == '?'); *at; at += len + (at[len] == '&')) {
		len = strcspn(at, "&");
		if (len && (strncmp(at, key, n) != 0 || (len > n && at[n] != '='))) {
			buf_add(url, at, len);
			buf_addch(url, '&');
		}
	}
	buf_addf(url, "%s=", key);
	add_encoded(url, value);
	buf_release(&old);
}

static void
ask(struct bearer *bearer)
{
	const char *endpoint = variable("IDENTITY_ENDPOINT"), *secret = variable("IDENTITY_HEADER");
	const char *headers[] = { NULL, "metadata: true", NULL };
	struct fetch_request request = { .method = "GET",
		.headers = headers,
		.head_ms = BEARER_HEAD_MS,
		.silence_ms = BEARER_BODY_MS,
		.timeout_ms = BEARER_HEAD_MS + BEARER_BODY_MS,
		.body_max = BEARER_MAX };
	struct buf url = BUF_INIT, header = BUF_INIT;

	bearer->old = !endpoint || !secret;
	if (bearer->old) {
		endpoint = variable("MSI_ENDPOINT");
		secret = variable("MSI_SECRET");
	}
	if (!endpoint || !secret) {
		buf_reset(&bearer->why); /* somebody may have asked a moment ago, and not been told yet */
		buf_addstr(&bearer->why, "Managed identity endpoint is not configured");
		tell(bearer);
		return;
	}
	endpoint += strspn(endpoint, " \t\r\n");
	secret += strspn(secret, " \t\r\n");
	buf_add(&url, endpoint, strcspn(endpoint, " \t\r\n#"));
	set_query(&url, "api-version", bearer->old ? "2017-09-01" : "2019-08-01");
	set_query(&url, "resource", bearer->resource);
	if (*bearer->client)
		set_query(&url, bearer->old ? "clientid" : "client_id", bearer->client);
	buf_addf(&header, "%s: %.*s", bearer->old ? "secret" : "x-identity-header", (int)strcspn(secret, "\r\n"), secret);
	headers[0] = header.s;
	request.url = url.s;
	bearer->fetch = fetch_start(bearer->fetcher, &request, on_answer, bearer);
	explicit_bzero(header.s, header.len);
	buf_release(&url);
	buf_release(&header);
}

/* It is read each time, so a new one in it counts at once. */
static void
read_file(struct bearer *bearer)
{
	struct err err = ERR_INIT;

	buf_reset(&bearer->token);
	buf_reset(&bearer->why);
	if (!buf_read_file(&bearer->token, bearer->file, BEARER_MAX, &err))
		buf_addstr(&bearer->why, err.text);
	blank_trim_buf(&bearer->token, BLANK_JS);
	if (!bearer->why.len && (!bearer->token.len || bearer->token.len != strcspn(bearer->token.s, " \t\r\n\v\f")))
		buf_addf(&bearer->why, "unable to use '%s': there is no token in it", bearer->file);
	tell(bearer);
}

struct bearer_wait *
bearer_get(struct bearer *bearer, bearer_cb *cb, void *payload)
{
	struct bearer_wait *wait = xcalloc(1, sizeof *wait);

	wait->cb = cb;
	wait->payload = payload;
	wait->next = bearer->waits;
	wait->prev = &bearer->waits;
	if (wait->next)
		wait->next->prev = &wait->next;
	bearer->waits = wait;
	if (bearer->given)
		tell(bearer);
	else if (bearer->file)
		read_file(bearer);
	else if (bearer->end_ms > clock_wall_ms() + BEARER_EARLY_MS)
		tell(bearer);
	else if (!bearer->fetch)
		ask(bearer);
	return wait;
}

bool
bearer_refused(struct bearer *bearer, const struct buf *token)
{
	if (bearer->given)
		return false;
	if (bearer->end_ms && buf_equal(&bearer->token, token))
		bearer->end_ms = 0;
	return true;
}

/* ---- its life */

struct bearer *
bearer_new(struct event_base *base, struct fetcher *fetcher, const struct runtime_host *host)
{
	struct bearer *bearer = xcalloc(1, sizeof *bearer);

	bearer->fetcher = fetcher;
	bearer->given = host->token ? xstrdup(host->token) : NULL;
	bearer->file = host->token_file ? xstrdup(host->token_file) : NULL;
	bearer->resource = xstrdup(host->token_resource ? host->token_resource : RUNTIME_TOKEN_RESOURCE);
	bearer->client = xstrdup(host->token_client ? host->token_client : "");
	buf_init(&bearer->token);
	buf_init(&bearer->why);
	if (bearer->given) {
		buf_addstr(&bearer->token, bearer->given);
		blank_trim_buf(&bearer->token, BLANK_JS);
	}
	bearer->tell = event_new(base, -1, 0, on_tell, bearer);
	return bearer;
}

void
bearer_free(struct bearer *bearer)
{
	if (!bearer)
		return;
	fetch_cancel(bearer->fetch);
	while (bearer->waits)
		bearer_forget(bearer->waits);
	event_free(bearer->tell);
	if (bearer->given)
		explicit_bzero(bearer->given, strlen(bearer->given));
	if (bearer->token.cap)
		explicit_bzero(bearer->token.s, bearer->token.cap);
	buf_release(&bearer->token);
	buf_release(&bearer->why);
	free(bearer->given);
	free(bearer->file);
	free(bearer->resource);
	free(bearer->client);
	free(bearer);
}
