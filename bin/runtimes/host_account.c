/* host_account.c - the runtime's account over HTTP (contract section 11.2) */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "host_internal.h"
#include "http/server.h"
#include "ratelimits.h"
#include "xalloc.h"

/* True: it went wrong, and that is answered. */
static bool
failed(struct request *request, const struct runtime_reply *reply, int status, const char *code)
{
	struct buf text = BUF_INIT;

	if (reply->fault == RUNTIME_FAULT_NONE)
		return false;
	buf_addstr(&text, reply->message);
	if (reply->fault == RUNTIME_FAULT_MISSING || reply->fault == RUNTIME_FAULT_VERSION)
		buf_addf(&text, "; %s", fault_hint(reply->fault));
	host_refuse(request, status, code, text.s, NULL);
	buf_release(&text);
	return true;
}

/* ---- read */

struct read {
	struct host *host;
	struct request *request;
};

static void
add_mode(const struct host *host, struct span account, struct buf *to)
{
	struct span type;

	buf_addstr(to, "{\"authMode\":");
	if (host->mode.len && strcmp(host->mode.s, "null") != 0)
		buf_add(to, host->mode.s, host->mode.len);
	else if (!account.s || !jtext_get(account, "type", &type))
		buf_addstr(to, "null");
	else if (jtext_is_string(type, "apiKey"))
		buf_addstr(to, "\"apikey\"");
	else
		jtext_compact(to, type);
}

static void
on_read(const struct runtime_reply *reply, void *payload)
{
	struct read *read = payload;
	struct host *host = read->host;
	struct request *request = read->request;
	struct span account = SPAN_NONE, needs;
	struct buf body = BUF_INIT;

	free(read);
	if (failed(request, reply, 502, "RUNTIME_ACCOUNT_READ_FAILED"))
		return;
	if (!jtext_get(reply->result, "account", &account) || jtext_type(account) != JTEXT_OBJECT)
		account = SPAN_NONE;
	add_mode(host, account, &body);
	jtext_add_bool(
	    &body, "requiresOpenaiAuth", jtext_get(reply->result, "requiresOpenaiAuth", &needs) && jtext_type(needs) == JTEXT_TRUE);
	buf_addstr(&body, ",\"account\":");
	if (account.s)
		jtext_compact(&body, account);
	else
		buf_addstr(&body, "null");
	buf_addch(&body, '}');
	host_reply(request, 200, &body);
	buf_release(&body);
}

static void
account_read(struct host *host, struct request *request)
{
	struct read *read;
	struct span body, refresh;

	if (!host_body(request, &body))
		return;
	read = xcalloc(1, sizeof *read);
	read->host = host;
	read->request = request;
	runtime_account_read(host->runtime, jtext_get(body, "refreshToken", &refresh) && jtext_type(refresh) == JTEXT_TRUE, on_read, read);
}

/* ---- login */

static void
add_word(struct buf *to, const char *key, struct span result)
{
	struct buf text = BUF_INIT;

	(void)jtext_get_string(result, key, &text);
	jtext_add_or_null(to, key, &text);
	buf_release(&text);
}

static void
login_done(struct request *request, const struct runtime_reply *reply, const char *type)
{
	struct buf body = BUF_INIT;

	if (failed(request, reply, 400, "RUNTIME_AUTH_LOGIN_FAILED"))
		return;
	buf_addf(&body, "{\"type\":\"%s\"", type);
	add_word(&body, "loginId", reply->result);
	add_word(&body, "authUrl", reply->result);
	buf_addch(&body, '}');
	host_reply(request, 200, &body);
	buf_release(&body);
}

static void
on_chatgpt(const struct runtime_reply *reply, void *request)
{
	login_done(request, reply, "chatgpt");
}

static void
on_tokens(const struct runtime_reply *reply, void *request)
{
	login_done(request, reply, "chatgptAuthTokens");
}

static void
on_key(const struct runtime_reply *reply, void *request)
{
	login_done(request, reply, "apiKey");
}

/* The member, trimmed; false when there is nothing in it. */
static bool
add_member(struct span body, const char *key, struct buf *to)
{
	static const char blanks[] = " \t\r\n";
	struct buf text = BUF_INIT;
	size_t skip;

	(void)jtext_get_string(body, key, &text);
	while (text.len && strchr(blanks, text.s[text.len - 1]))
		buf_cut(&text, text.len - 1);
	skip = strspn(text.s, blanks);
	if (text.len > skip)
		jtext_add_string(to, key, text.s + skip, text.len - skip);
	explicit_bzero(text.s, text.len);
	skip = text.len - skip;
	buf_release(&text);
	return skip > 0;
}

static void
account_login(struct host *host, struct request *request)
{
	struct buf params = BUF_INIT, type = BUF_INIT;
	const char *problem = NULL;
	runtime_reply_cb *done = on_key;
	struct span body;

	if (!host_body(request, &body))
		return;
	(void)jtext_get_string(body, "type", &type);
	if (!strcmp(type.s, "chatgpt")) {
		done = on_chatgpt;
		buf_addstr(&params, "{\"type\":\"chatgpt\"");
	} else if (!strcmp(type.s, "chatgptAuthTokens")) {
		done = on_tokens;
		buf_addstr(&params, "{\"type\":\"chatgptAuthTokens\"");
		if (!add_member(body, "accessToken", &params) || !add_member(body, "chatgptAccountId", &params))
			problem = "accessToken and chatgptAccountId are required for chatgptAuthTokens mode";
		if (!add_member(body, "chatgptPlanType", &params))
			buf_addstr(&params, ",\"chatgptPlanType\":null");
	} else {
		buf_addstr(&params, "{\"type\":\"apiKey\"");
		if (!add_member(body, "apiKey", &params))
			problem = "API key is required for apiKey login mode";
	}
	buf_addch(&params, '}');
	if (problem)
		host_refuse(request, 400, "RUNTIME_AUTH_LOGIN_FAILED", problem, NULL);
	else
		runtime_account_login(host->runtime, span_of(&params), done, request);
	explicit_bzero(params.s, params.len);
	buf_release(&params);
	buf_release(&type);
}

static void
on_cancel(const struct runtime_reply *reply, void *request)
{
	struct buf body = BUF_INIT;

	if (failed(request, reply, 400, "RUNTIME_AUTH_LOGIN_CANCEL_FAILED"))
		return;
	jtext_compact(&body, reply->result);
	host_reply(request, 200, &body);
	buf_release(&body);
}

static void
account_cancel(struct host *host, struct request *request)
{
	struct buf id = BUF_INIT;
	struct span body;

	if (!host_body(request, &body))
		return;
	(void)jtext_get_string(body, "loginId", &id);
	if (!id.s[strspn(id.s, " \t\r\n")])
		host_refuse(request, 400, "RUNTIME_AUTH_LOGIN_CANCEL_FAILED", "loginId is required", NULL);
	else
		runtime_account_login_cancel(host->runtime, span_of(&id), on_cancel, request);
	buf_release(&id);
}

/* ---- logout, limits */

static void
on_logout(const struct runtime_reply *reply, void *request)
{
	struct buf body = BUF_INIT;

	if (failed(request, reply, 502, "RUNTIME_AUTH_LOGOUT_FAILED"))
		return;
	buf_addstr(&body, "{}");
	host_reply(request, 200, &body);
	buf_release(&body);
}

static void
on_limits(const struct runtime_reply *reply, void *request)
{
	struct buf body = BUF_INIT;

	if (failed(request, reply, 502, "RUNTIME_RATE_LIMITS_READ_FAILED"))
		return;
	ratelimits_add(&body, reply->result);
	host_reply(request, 200, &body);
	buf_release(&body);
}

bool
account_handle(struct host *host, struct request *request, const char *what)
{
	if (!host->runtime)
		return mock_account(request, what);
	if (!strcmp(what, "read"))
		account_read(host, request);
	else if (!strcmp(what, "login/start"))
		account_login(host, request);
	else if (!strcmp(what, "login/cancel"))
		account_cancel(host, request);
	else if (!strcmp(what, "logout"))
		runtime_account_logout(host->runtime, on_logout, request);
	else if (!strcmp(what, "rate-limits/read"))
		runtime_account_limits(host->runtime, on_limits, request);
	else
		return false;
	return true;
}
