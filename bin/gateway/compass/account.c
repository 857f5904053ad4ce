/* account.c - the runtime's account: read, login, logout, limits (contract sections 6.2 and 10) */
#include "compat.h"

#include <string.h>

#include "blank.h"
#include "compass/internal.h"
#include "http/server.h"
#include "ratelimits.h"

static bool
is_interactive(const struct compass *compass)
{
	return compass->settings.provider == PROVIDER_LOCAL_PROCESS || compass->settings.provider == PROVIDER_LOCAL_DOCKER;
}

static void
reply_text(struct call *call, const char *text)
{
	struct buf body = BUF_INIT;

	buf_addstr(&body, text);
	call_reply(call, 200, &body);
	buf_release(&body);
}

bool
call_has_runtime(struct call *call)
{
	const struct compass_settings *settings = &call->compass->settings;
	struct buf text = BUF_INIT;

	if (call->compass->runtime)
		return true;
	buf_addf(&text, "Runtime provider %s is unavailable: %s", compass_provider_text(settings->provider), settings->missing);
	call_fail_text(call, 503, "AGENT_RUNTIME_UNAVAILABLE", text.s, NULL);
	buf_release(&text);
	return false;
}

/* What can be done. With a key there are no limits to read, and logging in with one does not change that. */
static const char *
hint_of(const struct runtime_reply *reply)
{
	if (reply->fault == RUNTIME_FAULT_AUTH && strcasestr(reply->message, "chatgpt authentication required"))
		return "limits are known of a ChatGPT account only, not of a key: agent-account-login chatgpt logs in with one";
	/* that a host cannot be reached is said in the contract's words, and no others */
	if (reply->fault == RUNTIME_FAULT_REFUSED && *reply->code)
		return !strcmp(reply->code, "AGENT_RUNTIME_UNAVAILABLE") ? "" : fault_hint_of_code(reply->code);
	return fault_hint(reply->fault);
}

bool
call_runtime_failed(struct call *call, const struct runtime_reply *reply, int status, const char *code)
{
	/* the body has two members and no more (contract section 4), and its code is that of what was asked: why, for a program, stands
	 * here */
	const char *const fault[] = { "x-agent-fault", fault_code(reply->fault), NULL };
	struct buf text = BUF_INIT;

	if (reply->fault == RUNTIME_FAULT_NONE)
		return false;
	buf_addstr(&text, reply->message);
	if (*hint_of(reply))
		buf_addf(&text, "; %s", hint_of(reply));
	if (reply->fault == RUNTIME_FAULT_REFUSED && *reply->code)
		call_fail_text(call, reply->status, reply->code, text.s, NULL);
	else if (reply->fault == RUNTIME_FAULT_REFUSED || reply->rpc_code) /* its own words have the code of what was asked */
		call_fail_text(call, status, code, text.s, reply->fault == RUNTIME_FAULT_REFUSED ? NULL : fault);
	else if (reply->fault == RUNTIME_FAULT_AUTH)
		call_fail_text(call, 401, fault_code(reply->fault), text.s, NULL);
	else
		call_fail_text(call, 503, fault_code(reply->fault), text.s, NULL);
	buf_release(&text);
	return true;
}

/* ---- read */

static void
begin_account(const struct compass *compass, struct buf *to)
{
	static const char *const names[] = { "interactiveAuth", "supportsChatgptManaged", "supportsApiKey", "supportsChatgptAuthTokens",
		"supportsRateLimits", "supportsRuntimeStream" };
	size_t i;

	buf_addf(to, "{\"provider\":\"%s\",\"capabilities\":{", compass_provider_text(compass->settings.provider));
	for (i = 0; i < ARRAY_LEN(names); i++)
		jtext_add_bool(to, names[i], is_interactive(compass));
	buf_addch(to, '}');
}

/* One of the three modes by its name, else NULL. */
static const char *
mode_of(struct span object, const char *key)
{
	static const char *const modes[] = { "apikey", "chatgpt", "chatgptAuthTokens" };
	struct buf name = BUF_INIT;
	const char *mode = NULL;
	size_t i;

	(void)jtext_get_string(object, key, &name);
	for (i = 0; i < ARRAY_LEN(modes); i++)
		if (!strcmp(name.s, modes[i]))
			mode = modes[i];
	if (!strcmp(name.s, "apiKey"))
		mode = modes[0];
	buf_release(&name);
	return mode;
}

void
account_heard(struct compass *compass, const char *method, struct span params)
{
	if (!strcmp(method, "account/updated"))
		compass->auth_mode = mode_of(params, "authMode");
}

/* As a session host says it in its answer; else the one that was notified last (an account by foreign tokens has the type of another), else
 * by the account's type. */
static void
add_mode(const struct compass *compass, struct span answer, struct span account, struct buf *to)
{
	const char *mode = compass->settings.host ? mode_of(answer, "authMode")
	    : compass->auth_mode		  ? compass->auth_mode
						  : mode_of(account, "type");

	jtext_add_text_or_null(to, "authMode", mode);
}

/* The runtime's account, with a label in any case. */
static void
add_account(struct buf *to, struct span account)
{
	struct buf text = BUF_INIT;
	struct span label;

	if (!account.s || jtext_type(account) != JTEXT_OBJECT) {
		buf_addstr(to, "null");
		return;
	}
	jtext_compact(&text, account);
	if (!jtext_get(account, "label", &label) || jtext_type(label) == JTEXT_STRING) {
		buf_add(to, text.s, text.len);
		if (!jtext_get(account, "label", &label)) {
			buf_cut(to, to->len - 1);
			buf_addstr(to, text.len > 2 ? ",\"label\":null}" : "\"label\":null}");
		}
	} else
		jtext_merge(to, (struct span){ "{\"label\":null}", 14 }, account);
	buf_release(&text);
}

static void
on_read(const struct runtime_reply *reply, void *payload)
{
	struct call *call = payload;
	struct span account = SPAN_NONE, needs;
	struct buf body = BUF_INIT;

	if (call_runtime_failed(call, reply, 503, "RUNTIME_ACCOUNT_READ_FAILED"))
		return;
	(void)jtext_get(reply->result, "account", &account);
	begin_account(call->compass, &body);
	add_mode(call->compass, reply->result, account, &body);
	jtext_add_bool(
	    &body, "requiresOpenaiAuth", jtext_get(reply->result, "requiresOpenaiAuth", &needs) && jtext_type(needs) == JTEXT_TRUE);
	buf_addstr(&body, ",\"account\":");
	add_account(&body, account);
	buf_addch(&body, '}');
	call_reply(call, 200, &body);
	buf_release(&body);
}

void
account_read(struct call *call)
{
	struct valid valid = VALID_INIT;
	struct buf body = BUF_INIT;
	bool refresh = false;

	if (valid_body(&valid, call->body))
		(void)valid_bool(&valid, "refreshToken", &refresh);
	if (valid_failed(&valid, call) || !call_has_runtime(call))
		return;
	if (is_interactive(call->compass)) {
		runtime_account_read(call->compass->runtime, refresh, on_read, call);
		return;
	}
	begin_account(call->compass, &body);
	buf_addstr(&body, ",\"authMode\":null,\"requiresOpenaiAuth\":false,\"account\":");
	buf_addstr(&body,
	    call->compass->settings.provider == PROVIDER_MOCK ? "{\"type\":\"mock\",\"label\":\"Mock runtime\"}}"
							      : "{\"type\":\"service\",\"label\":\"Managed runtime identity\"}}");
	call_reply(call, 200, &body);
	buf_release(&body);
}

/* ---- login */

/* the last one is not of the contract, and where it is listed it does not stand */
static const char *const logins[] = { "chatgpt", "apiKey", "chatgptAuthTokens", "chatgptDeviceCode" };

static void
add_text(struct buf *to, struct span result, const char *key, const char *name)
{
	struct buf text = BUF_INIT;
	struct span value;

	if (jtext_get(result, key, &value) &&
	    (jtext_type(value) == JTEXT_NUMBER || jtext_type(value) == JTEXT_TRUE || jtext_type(value) == JTEXT_FALSE))
		buf_add(&text, value.s, value.n);
	else
		(void)jtext_get_string(result, key, &text);
	jtext_add_or_null(to, name, &text);
	buf_release(&text);
}

static void
on_login(const struct runtime_reply *reply, void *payload)
{
	struct call *call = payload;
	struct buf body = BUF_INIT;
	struct span code;

	if (call_runtime_failed(call, reply, 400, "RUNTIME_AUTH_LOGIN_FAILED"))
		return;
	buf_addf(&body, "{\"type\":\"%s\"", logins[call->state]);
	add_text(&body, reply->result, "loginId", "loginId");
	if (jtext_get(reply->result, "userCode", &code)) {
		add_text(&body, reply->result, "verificationUrl", "authUrl");
		add_text(&body, reply->result, "userCode", "userCode");
	} else
		add_text(&body, reply->result, "authUrl", "authUrl");
	buf_addch(&body, '}');
	call_reply(call, 200, &body);
	buf_release(&body);
}

static void
add_member(struct valid *valid, const char *key, struct buf *to)
{
	struct buf text = BUF_INIT;

	if (valid_string(valid, key, VALID_REQUIRED, 1, 0, &text)) {
		blank_trim_buf(&text, BLANK_JS);
		jtext_add_buf(to, key, &text);
	}
	buf_release(&text);
}

static void
add_plan(struct valid *valid, struct buf *to)
{
	struct buf text = BUF_INIT;
	struct span plan;

	if (!valid->message.len && jtext_get(valid->object, "chatgptPlanType", &plan) && jtext_type(plan) != JTEXT_NULL)
		(void)valid_string(valid, "chatgptPlanType", 0, 1, 0, &text);
	jtext_add_or_null(to, "chatgptPlanType", &text);
	buf_release(&text);
}

static int
read_login(struct valid *valid, struct buf *to)
{
	struct buf type = BUF_INIT;
	int which = -1;
	size_t i;

	(void)jtext_get_string(valid->object, "type", &type);
	for (i = 0; i < ARRAY_LEN(logins); i++)
		if (!strcmp(logins[i], type.s))
			which = (int)i;
	buf_release(&type);
	if (which < 0) {
		valid_issue(valid, "Invalid discriminator value. Expected 'chatgpt' | 'apiKey' | 'chatgptAuthTokens'");
		return which;
	}
	buf_addf(to, "{\"type\":\"%s\"", logins[which]);
	if (which == 1)
		add_member(valid, "apiKey", to);
	if (which == 2) {
		add_member(valid, "accessToken", to);
		add_member(valid, "chatgptAccountId", to);
		add_plan(valid, to);
	}
	buf_addch(to, '}');
	return which;
}

/* A secret leaves no copy of ours behind. */
static void
wipe(struct buf *text)
{
	volatile char *at = text->s;
	size_t i;

	for (i = 0; i < text->len; i++)
		at[i] = 0;
	buf_release(text);
}

void
account_login(struct call *call)
{
	struct valid valid = VALID_INIT;
	struct buf params = BUF_INIT;

	if (valid_body(&valid, call->body))
		call->state = read_login(&valid, &params);
	if (valid_failed(&valid, call) || !call_has_runtime(call))
		;
	else if (!is_interactive(call->compass))
		call_refuse(call, PROBLEM_PROVIDER_UNSUPPORTED);
	else
		runtime_account_login(call->compass->runtime, span_of(&params), on_login, call);
	wipe(&params);
}

static void
on_cancel(const struct runtime_reply *reply, void *payload)
{
	struct call *call = payload;
	struct buf body = BUF_INIT, status = BUF_INIT;

	if (call_runtime_failed(call, reply, 400, "RUNTIME_AUTH_LOGIN_CANCEL_FAILED"))
		return;
	buf_addch(&body, '{');
	if (jtext_get_string(reply->result, "status", &status))
		jtext_add_buf(&body, "status", &status);
	buf_addch(&body, '}');
	call_reply(call, 200, &body);
	buf_release(&body);
	buf_release(&status);
}

void
account_cancel(struct call *call)
{
	struct valid valid = VALID_INIT;

	if (valid_body(&valid, call->body))
		(void)valid_string(&valid, "loginId", VALID_REQUIRED, 1, 0, &call->text);
	if (valid_failed(&valid, call) || !call_has_runtime(call))
		return;
	if (!is_interactive(call->compass))
		call_refuse(call, PROBLEM_PROVIDER_UNSUPPORTED);
	else
		runtime_account_login_cancel(call->compass->runtime, span_of(&call->text), on_cancel, call);
}

static void
on_logout(const struct runtime_reply *reply, void *payload)
{
	struct call *call = payload;

	if (!call_runtime_failed(call, reply, 503, "RUNTIME_AUTH_LOGOUT_FAILED"))
		reply_text(call, "{}");
}

void
account_logout(struct call *call)
{
	if (!call_has_runtime(call))
		;
	else if (!is_interactive(call->compass))
		call_refuse(call, PROBLEM_PROVIDER_UNSUPPORTED);
	else
		runtime_account_logout(call->compass->runtime, on_logout, call);
}

/* ---- limits */

static void
on_limits(const struct runtime_reply *reply, void *payload)
{
	struct call *call = payload;
	struct buf body = BUF_INIT;

	if (call_runtime_failed(call, reply, 503, "RUNTIME_RATE_LIMITS_READ_FAILED"))
		return;
	ratelimits_add(&body, reply->result);
	call_reply(call, 200, &body);
	buf_release(&body);
}

void
account_limits(struct call *call)
{
	if (!call_has_runtime(call))
		;
	else if (!is_interactive(call->compass))
		reply_text(call, "{\"rateLimits\":null,\"rateLimitsByLimitId\":null}");
	else
		runtime_account_limits(call->compass->runtime, on_limits, call);
}
