/* mock_account.c - the account: it is in memory, and every key is good */
#include "compat.h"

#include <string.h>

#include "clock.h"
#include "key.h"
#include "mock.h"

static void
account_text(const struct mock *mock, struct buf *to)
{
	static const char *const modes[] = { "null", "\"apikey\"", "\"chatgpt\"", "\"chatgptAuthTokens\"" };

	buf_addf(to, "{\"authMode\":%s,\"planType\":%s}", modes[mock->account], mock->account >= ACCOUNT_CHATGPT ? "\"plus\"" : "null");
}

static void
account_updated(struct mock *mock)
{
	struct buf params = BUF_INIT;

	account_text(mock, &params);
	mock_notify(mock, "account/updated", params.s);
	buf_release(&params);
}

static void
account_read(const struct mock *mock, const char *id)
{
	static const char *const accounts[] = { "null", "{\"type\":\"apiKey\"}",
		"{\"type\":\"chatgpt\",\"email\":\"mock@example.com\",\"planType\":\"plus\"}",
		"{\"type\":\"chatgpt\",\"email\":\"mock@example.com\",\"planType\":\"plus\"}" };
	struct buf result = BUF_INIT;

	buf_addf(&result, "{\"account\":%s,\"requiresOpenaiAuth\":%s}", accounts[mock->account], mock->login_needed ? "true" : "false");
	mock_answer(id, result.s);
	buf_release(&result);
}

static void
login_completed(struct mock *mock, const char *login, bool success)
{
	struct buf params = BUF_INIT;

	buf_addch(&params, '{');
	jtext_add_text_or_null(&params, "loginId", login);
	jtext_add_bool(&params, "success", success);
	buf_addf(&params, ",\"error\":%s}", success ? "null" : "\"Login cancelled\"");
	mock_notify(mock, "account/login/completed", params.s);
	buf_release(&params);
}

void
mock_login_done(struct mock *mock, bool success)
{
	char login[MOCK_ID];

	if (!*mock->login)
		return;
	memcpy(login, mock->login, sizeof login);
	*mock->login = '\0';
	mock->login_at = DEADLINE_NONE;
	login_completed(mock, login, success);
	if (!success)
		return;
	mock->account = ACCOUNT_CHATGPT;
	account_updated(mock);
}

static void
login_start(struct mock *mock, const char *id, struct span params)
{
	struct buf type = BUF_INIT, value = BUF_INIT, result = BUF_INIT;

	jtext_get_string(params, "type", &type);
	if (!strcmp(type.s, "apiKey") && jtext_get_string(params, "apiKey", &value)) {
		mock_answer(id, "{\"type\":\"apiKey\"}");
		mock->account = ACCOUNT_API_KEY;
		login_completed(mock, NULL, true);
		account_updated(mock);
	} else if (!strcmp(type.s, "chatgptAuthTokens") && jtext_get_string(params, "accessToken", &value) &&
	    jtext_get_string(params, "chatgptAccountId", &value)) {
		mock_answer(id, "{\"type\":\"chatgptAuthTokens\"}");
		mock->account = ACCOUNT_TOKENS;
		login_completed(mock, NULL, true);
		account_updated(mock);
	} else if (!strcmp(type.s, "chatgpt") || !strcmp(type.s, "chatgptDeviceCode")) {
		mock_login_done(mock, false); /* a second one cancels the first */
		mock_id(mock, mock->login);
		mock->login_at = deadline_in(mock->login_ms);
		buf_addch(&result, '{');
		jtext_add_buf(&result, "type", &type);
		jtext_add_text(&result, "loginId", mock->login);
		if (!strcmp(type.s, "chatgpt"))
			buf_addf(&result, ",\"authUrl\":\"http://127.0.0.1:1455/auth?state=%s\"}", mock->login);
		else
			buf_addstr(&result, ",\"verificationUrl\":\"http://127.0.0.1:1455/device\",\"userCode\":\"MOCK-CODE\"}");
		mock_answer(id, result.s);
	} else
		mock_refuse(id, INVALID, "Invalid request: unknown login type or missing field");
	buf_release(&type);
	buf_release(&value);
	buf_release(&result);
}

static void
login_cancel(struct mock *mock, const char *id, struct span params)
{
	struct buf login = BUF_INIT;

	if (!jtext_get_string(params, "loginId", &login))
		mock_refuse(id, INVALID, "Invalid request: missing field `loginId`");
	else if (!key_is_uuid(login.s))
		mock_refuse(id, INVALID, "invalid login id");
	else if (!*mock->login || strcmp(login.s, mock->login) != 0)
		mock_answer(id, "{\"status\":\"notFound\"}");
	else {
		mock_answer(id, "{\"status\":\"canceled\"}");
		mock_login_done(mock, false);
	}
	buf_release(&login);
}

static void
logout(struct mock *mock, const char *id)
{
	mock->account = ACCOUNT_NONE;
	mock_answer(id, "{}");
	account_updated(mock);
}

static void
read_limits(const struct mock *mock, const char *id)
{
	static const char snapshot[] =
	    "{\"limitId\":\"mock\",\"limitName\":null,\"primary\":{\"usedPercent\":25,\"windowDurationMins\":300,\"resetsAt\":1893456000},"
	    "\"secondary\":null,\"credits\":null,\"planType\":\"plus\"}";
	struct buf result = BUF_INIT;

	if (mock->account == ACCOUNT_NONE)
		mock_refuse(id, INVALID, "codex account authentication required to read rate limits");
	else if (mock->account == ACCOUNT_API_KEY)
		mock_refuse(id, INVALID, "chatgpt authentication required to read rate limits");
	else {
		buf_addf(&result, "{\"rateLimits\":%s,\"rateLimitsByLimitId\":{\"mock\":%s}}", snapshot, snapshot);
		mock_answer(id, result.s);
	}
	buf_release(&result);
}

bool
mock_account_call(struct mock *mock, const char *method, const char *id, struct span params)
{
	if (!strcmp(method, "account/read"))
		account_read(mock, id);
	else if (!strcmp(method, "account/login/start"))
		login_start(mock, id, params);
	else if (!strcmp(method, "account/login/cancel"))
		login_cancel(mock, id, params);
	else if (!strcmp(method, "account/logout"))
		logout(mock, id);
	else if (!strcmp(method, "account/rateLimits/read"))
		read_limits(mock, id);
	else
		return false;
	return true;
}
