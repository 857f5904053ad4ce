/* api.c - the server: address, token, paths, and what its answers mean */
#include "compat.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "api.h"
#include "blank.h"
#include "clock.h"
#include "cookie.h"
#include "core.h"
#include "err.h"
#include "jtext.h"
#include "num.h"
#include "sig.h"
#include "opt.h"
#include "status.h"
#include "trace.h"
#include "utf8.h"
#include "xalloc.h"

#define TOKEN_MAX 65536 /* bytes of a token file */
#define DEFAULT_URL "http://127.0.0.1:4707"
#define SHOWN_MAX 80 /* bytes of an unexpected body that a message shows */

bool
api_opt(struct api *api, int key, const char *arg, struct err *err)
{
	err->status = STATUS_OK;
	switch (key) {
	case 'u':
		api->url = arg;
		return true;
	case 't':
		return num_duration(arg, "--timeout", &api->timeout_ms, err);
	case OPT_KEY_TOKEN_FILE:
		api->token_file = arg;
		return true;
	case OPT_KEY_COOKIE_FILE:
		api->cookie_file = arg;
		return true;
	case OPT_KEY_ORIGIN:
		api->origin_given = arg;
		return true;
	case OPT_KEY_CONNECT_TIMEOUT:
		return num_duration(arg, "--connect-timeout", &api->connect_timeout_ms, err);
	case OPT_KEY_WAIT_FOR_LIMIT:
		api->wait_for_limit = true;
		return true;
	case OPT_KEY_CACERT:
		api->cacert = arg;
		return true;
	case OPT_KEY_CERT:
		api->cert = arg;
		return true;
	case OPT_KEY_KEY:
		api->key = arg;
		return true;
	default:
		return false;
	}
}

/* ---- the token */

static bool
check_token(const struct buf *token, const char *where, struct err *err)
{
	size_t i;

	for (i = 0; i < token->len; i++)
		if ((unsigned char)token->s[i] <= ' ' || (unsigned char)token->s[i] >= 0x7f)
			return err_set(err, STATUS_CONFIG,
			    "unable to use the token of %s: it holds a blank, a control or a non-ASCII character", where);
	return true;
}

static bool
set_token(struct api *api, struct err *err)
{
	const char *name = "AGENT_RUNTIME_TOKEN", *value = getenv(name);
	struct buf where = BUF_INIT;
	bool ok;

	if (api->token_file) {
		if (!buf_read_file(&api->token, api->token_file, TOKEN_MAX, err)) {
			err->status = STATUS_CONFIG;
			return err_prefix(err, "unable to take the token");
		}
		blank_trim_buf(&api->token, BLANK_JSON);
		if (!api->token.len)
			return err_set(err, STATUS_CONFIG, "unable to take the token: '%s' is empty", api->token_file);
		buf_addf(&where, "'%s'", api->token_file);
	} else {
		if (!value) {
			name = "CLARITY_RUNTIME_TOKEN";
			value = getenv(name);
		}
		if (value)
			buf_addstr(&api->token, value);
		blank_trim_buf(&api->token, BLANK_JSON);
		buf_addstr(&where, name);
	}
	ok = check_token(&api->token, where.s, err);
	buf_release(&where);
	return ok;
}

/* ---- the cookie of a Compass API, and the Origin that goes with it */

static bool
set_cookie(struct api *api, struct err *err)
{
	const char *path = api->cookie_file ? api->cookie_file : getenv("AGENT_COOKIE_FILE");
	struct buf text = BUF_INIT;
	bool ok = true;

	if (!path || !*path)
		return true;
	if (!buf_read_file(&text, path, COOKIE_FILE_MAX, err)) {
		err->status = STATUS_CONFIG;
		ok = err_prefix(err, "unable to take the cookie");
	} else if (!cookie_find(text.s, text.len, &api->cookie))
		ok = err_set(err, STATUS_CONFIG, "unable to take the cookie: '%s' holds no %s", path, COOKIE_NAME);
	buf_release(&text);
	return ok;
}

static bool
set_origin(struct api *api, struct err *err)
{
	const char *given = api->origin_given ? api->origin_given : getenv("AGENT_ORIGIN"), *rest;
	size_t i;

	if (given && *given) {
		for (i = 0; given[i]; i++)
			if ((unsigned char)given[i] <= ' ' || (unsigned char)given[i] >= 0x7f)
				return err_set(err, STATUS_USAGE,
				    "unable to use the origin '%s': it holds a blank, a control or a non-ASCII character", given);
		buf_addstr(&api->origin, given);
		return true;
	}
	/* without a cookie nobody asks for it */
	if (api->cookie.len) {
		rest = strstr(api->address.base.s, "://");
		rest = rest ? rest + 3 : api->address.base.s;
		buf_add(&api->origin, api->address.base.s, (size_t)(rest - api->address.base.s) + strcspn(rest, "/"));
	}
	return true;
}

bool
api_open(struct api *api, struct err *err)
{
	struct http_settings settings = { .user_agent = "agentutils/" PACKAGE_VERSION };
	const char *url = api->url ? api->url : getenv("AGENT_RUNTIME_URL"), *wait = getenv("AGENT_WAIT_FOR_LIMIT");

	if (wait && !strcmp(wait, "1"))
		api->wait_for_limit = true;

	if (!url || !*url)
		url = DEFAULT_URL;
	if (!address_parse(url, &api->address, err) || !set_token(api, err) || !set_cookie(api, err) || !set_origin(api, err))
		return false;
	if (api->token.len || api->cookie.len)
		core_none();
	settings.unix_path = api->address.unix_path.len ? api->address.unix_path.s : NULL;
	settings.cacert = api->cacert;
	settings.cert = api->cert;
	settings.key = api->key;
	settings.connect_timeout_ms = api->connect_timeout_ms;
	api->deadline = api->timeout_ms ? deadline_in(api->timeout_ms) : DEADLINE_NONE;
	api->http = http_new(&settings, !strncasecmp(api->address.base.s, "https:", 6));
	return true;
}

void
api_release(struct api *api)
{
	http_free(api->http);
	api->http = NULL;
	address_release(&api->address);
	buf_release(&api->token);
	buf_release(&api->cookie);
	buf_release(&api->origin);
}

/* ---- paths */

static void
encode(struct buf *to, const char *s)
{
	static const char hex[] = "0123456789ABCDEF";

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c)) {
			buf_addch(to, (char)c);
			continue;
		}
		buf_addch(to, '%');
		buf_addch(to, hex[c >> 4]);
		buf_addch(to, hex[c & 15]);
	}
}

void
api_path(const struct api *api, struct buf *url, const char *const *segments)
{
	buf_add(url, api->address.base.s, api->address.base.len);
	for (; *segments; segments++) {
		buf_addch(url, '/');
		if (!strcmp(*segments, "."))
			buf_addstr(url, "%2E");
		else if (!strcmp(*segments, ".."))
			buf_addstr(url, "%2E%2E");
		else
			encode(url, *segments);
	}
}

void
api_query(struct buf *url, const char *name, const char *value)
{
	buf_addch(url, strchr(url->s, '?') ? '&' : '?');
	encode(url, name);
	buf_addch(url, '=');
	encode(url, value);
}

/* ---- requests */

static void
add_header(char ***list, size_t *n, const char *name, const char *value)
{
	struct buf line = BUF_INIT;

	*list = xrealloc(*list, (*n + 2) * sizeof **list);
	buf_addf(&line, "%s: %s", name, value);
	(*list)[(*n)++] = buf_detach(&line, NULL);
	(*list)[*n] = NULL;
}

/* What started us may have told what this belongs to, as many tools do. */
static void
add_trace(char ***list, size_t *n)
{
	struct trace trace = TRACE_NONE;

	trace_take(&trace, getenv("TRACEPARENT"), getenv("TRACESTATE"));
	if (trace.parent)
		add_header(list, n, "traceparent", trace.parent);
	if (trace.state)
		add_header(list, n, "tracestate", trace.state);
	trace_release(&trace);
}

char **
api_headers(const struct api *api, const char *accept, const char *const *extra)
{
	char **list = NULL;
	size_t n = 0;
	struct buf bearer = BUF_INIT;

	add_header(&list, &n, "accept", accept);
	if (api->token.len) {
		buf_addf(&bearer, "Bearer %s", api->token.s);
		add_header(&list, &n, "authorization", bearer.s);
		buf_release(&bearer);
	}
	if (api->cookie.len)
		add_header(&list, &n, "cookie", api->cookie.s);
	if (api->origin.len)
		add_header(&list, &n, "origin", api->origin.s);
	add_trace(&list, &n);
	if (api->prefer)
		add_header(&list, &n, "prefer", api->prefer);
	for (; extra && extra[0]; extra += 2)
		add_header(&list, &n, extra[0], extra[1]);
	return list;
}

void
api_headers_free(char **headers)
{
	char **at;

	for (at = headers; at && *at; at++)
		free(*at);
	free(headers);
}

static int
status_of(int http)
{
	switch (http) {
	case 401:
	case 403:
		return STATUS_DENIED;
	case 404:
		return STATUS_NO;
	case 408:
	case 504:
		return STATUS_TIMEOUT;
	case 400:
	case 413:
	case 415:
	case 422:
		return STATUS_INPUT;
	case 409:
		return STATUS_CONFLICT;
	case 410:
		return STATUS_GAP;
	case 429:
	case 503:
		return STATUS_RETRY;
	default:
		return STATUS_PROTOCOL;
	}
}

/* What the body says: {"error":text} (Clarity), {"code":word,"message":text} (Compass). False when it says nothing of the kind. */
static bool
body_reason(const struct http_answer *answer, struct buf *to, struct buf *code)
{
	struct span body;

	if (!jtext_check(answer->body.s, answer->body.len, false, &body, NULL))
		return false;
	if (jtext_get_string(body, "error", to))
		return true;
	(void)jtext_get_string(body, "code", code);
	return jtext_get_string(body, "message", to);
}

/* A 503 for which coming back later does not help: somebody must log in first; it is switched off, not set up or not as needed. */
static int
status_of_503(const struct http_answer *answer, const struct buf *code)
{
	static const struct {
		const char *end;
		int status;
	} ends[] = { { "_AUTH_REQUIRED", STATUS_DENIED }, { "_DISABLED", STATUS_CONFIG }, { "_NOT_CONFIGURED", STATUS_CONFIG },
		{ "_NOT_IMPLEMENTED", STATUS_CONFIG }, { "_RUNTIME_MISSING", STATUS_CONFIG }, { "_RUNTIME_VERSION", STATUS_CONFIG },
		{ "_RUNTIME_CONFIG", STATUS_CONFIG }, { "_RUNTIME_ENGINE_MISSING", STATUS_CONFIG },
		{ "_RUNTIME_IMAGE_MISSING", STATUS_CONFIG }, { "_RUNTIME_CONTAINER_FAILED", STATUS_CONFIG },
		{ "_RUNTIME_POOL_NOT_FOUND", STATUS_CONFIG }, { "_RUNTIME_TOKEN_UNAVAILABLE", STATUS_DENIED },
		{ "_RUNTIME_TOKEN_REFUSED", STATUS_DENIED } };
	struct buf word = BUF_INIT;
	int status = STATUS_RETRY;
	size_t i, n;

	/* where the code says what failed, this says why */
	if (!http_header(answer, "x-agent-fault", &word))
		buf_add(&word, code->s, code->len);
	for (i = 0; i < ARRAY_LEN(ends); i++) {
		n = strlen(ends[i].end);
		if (word.len > n && !memcmp(word.s + word.len - n, ends[i].end, n))
			status = ends[i].status;
	}
	buf_release(&word);
	return status;
}

static void
show_body(const struct http_answer *answer, struct buf *to)
{
	size_t n = answer->body.len < SHOWN_MAX ? answer->body.len : SHOWN_MAX;

	buf_addf(to, "%s", answer->content_type.len ? answer->content_type.s : "no content type");
	if (!n)
		return;
	buf_addstr(to, ", '");
	utf8_safe(to, answer->body.s, n, UTF8_SAFE_LINE);
	buf_addstr(to, n < answer->body.len ? "...'" : "'");
}

bool
api_fail(const struct api *api, const struct http_answer *answer, const char *what, struct err *err)
{
	struct buf reason = BUF_INIT, safe = BUF_INIT, code = BUF_INIT, safe_code = BUF_INIT;
	bool ok2xx = answer->status >= 200 && answer->status < 300;
	bool said = body_reason(answer, &reason, &code);

	utf8_safe(&safe, reason.s, reason.len, UTF8_SAFE_LINE);
	if (ok2xx ||
	    (!said && answer->status != 404 && answer->status != 401 && answer->status != 403 && answer->status != 429 &&
		answer->status != 503)) {
		buf_reset(&safe);
		show_body(answer, &safe);
		err_set(err, ok2xx ? STATUS_PROTOCOL : status_of(answer->status), "unable to %s: %s answered %d with %s", what,
		    api->address.given.s, answer->status, safe.s);
		err_hint(err, "is that the address of an agent runtime?");
	} else if (said) {
		utf8_safe(&safe_code, code.s, code.len, UTF8_SAFE_LINE);
		err_set(err, answer->status == 503 ? status_of_503(answer, &code) : status_of(answer->status), "unable to %s: %s (%d%s%s)",
		    what, safe.s, answer->status, code.len ? " " : "", safe_code.s);
	} else
		err_set(err, status_of(answer->status), "unable to %s: %s answered %d", what, api->address.given.s, answer->status);
	err->http = answer->status;
	err->retry_at_ms = http_retry_at(answer, clock_wall_ms());
	/* of a runtime that is not logged in the message says what to do, and it is not about us */
	if (answer->status == 401 && strcmp(code.s, "AGENT_RUNTIME_AUTH_REQUIRED") != 0)
		err_hint(err, "%s",
		    api->token.len	  ? "the server does not take this token"
			: api->cookie.len ? "the server does not take this cookie"
					  : "give a token with --token-file or AGENT_RUNTIME_TOKEN");
	if (code.len && !strncmp(code.s, "CSRF_", 5))
		err_hint(err, "name the web address that the server trusts with --origin or AGENT_ORIGIN");
	buf_release(&reason);
	buf_release(&safe);
	buf_release(&code);
	buf_release(&safe_code);
	return false;
}

bool
api_wait_for_limit(const struct api *api, int64_t until)
{
	int64_t now = clock_wall_ms();

	if (until <= 0)
		until = now + API_LIMIT_MS;
	if (until - now > API_LIMIT_MAX_MS || (api->deadline != DEADLINE_NONE && until - now > deadline_left(api->deadline)))
		return false;
	if (api->limit_met)
		api->limit_met(until);
	while ((now = clock_wall_ms()) < until)
		if (sig_wait(deadline_in(until - now)))
			return false;
	return true;
}

static bool
call_once(struct api *api, const char *method, const char *url, const struct buf *json, const char *key, const char *what,
    struct http_answer *answer, struct err *err)
{
	const char *extra[5] = { NULL };
	struct http_request request = { .method = method, .url = url };
	struct span value;
	char **headers;
	size_t n = 0;
	bool ok;

	if (json) {
		extra[n++] = "content-type";
		extra[n++] = "application/json";
		request.body = json->s;
		request.body_len = json->len;
	}
	if (key) {
		extra[n++] = "idempotency-key";
		extra[n++] = key;
	}
	headers = api_headers(api, "application/json", extra);
	request.headers = (const char *const *)(uintptr_t)headers;
	request.deadline = deadline_in(API_REQUEST_TIMEOUT_MS);
	if (api->deadline != DEADLINE_NONE)
		request.deadline = api->deadline;
	ok = http_run(api->http, &request, answer, err);
	api_headers_free(headers);
	if (!ok) {
		err_prefix(err, "unable to %s: unable to reach %s", what, api->address.given.s);
		if (err->status == STATUS_PROTOCOL)
			err_hint(err, "is that the address of an agent runtime?");
		return false;
	}
	if (answer->status < 200 || answer->status > 299)
		return api_fail(api, answer, what, err);
	if (!jtext_check(answer->body.s, answer->body.len, false, &value, NULL))
		return api_fail(api, answer, what, err);
	return true;
}

bool
api_call(struct api *api, const char *method, const char *url, const struct buf *json, const char *key, const char *what,
    struct http_answer *answer, struct err *err)
{
	while (!call_once(api, method, url, json, key, what, answer, err)) {
		if (!api->wait_for_limit || answer->status != 429 || !api_wait_for_limit(api, err->retry_at_ms))
			return false;
		http_answer_release(answer);
		*err = (struct err)ERR_INIT;
	}
	return true;
}
