/* login.c - a runtime that was greeted gets the operator's key, if it wants one and has no account; then it is ready */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "blank.h"
#include "err.h"
#include "runtime/internal.h"

static bool
is_going(const struct runtime *runtime)
{
	return runtime->child && !runtime->ending && runtime->state == RUNTIME_STARTING;
}

/* Errors: what is wrong with the file. */
static bool
read_key(const struct runtime *runtime, struct buf *to, struct err *err)
{
	const char *text = runtime->key_variable ? getenv(runtime->key_variable) : NULL;

	if (runtime->key_file) {
		if (!buf_read_file(to, runtime->key_file, RUNTIME_KEY_MAX, err))
			return false;
	} else if (text)
		buf_addstr(to, text);
	blank_trim_buf(to, BLANK_ASCII);
	return true;
}

static struct call *
ask(struct runtime *runtime, const char *method, struct buf *params, runtime_reply_cb *cb, bool secret)
{
	struct call *call = call_new(runtime, method, params, runtime->settings.init_timeout_ms, cb, runtime);

	call->secret = secret;
	call_send(runtime, call);
	return call;
}

static void
read_account(struct runtime *runtime, runtime_reply_cb *cb)
{
	struct buf params = BUF_INIT;

	buf_addstr(&params, "{\"refreshToken\":false}");
	(void)ask(runtime, "account/read", &params, cb, false);
}

static bool
has_account(struct span result)
{
	struct span account, type;

	return jtext_get(result, "account", &account) && jtext_type(account) == JTEXT_OBJECT && jtext_get(account, "type", &type) &&
	    jtext_type(type) == JTEXT_STRING;
}

static bool
needs_none(struct span result)
{
	struct span needs;

	return jtext_get(result, "requiresOpenaiAuth", &needs) && jtext_type(needs) == JTEXT_FALSE;
}

static void
on_second(const struct runtime_reply *reply, void *payload)
{
	struct runtime *runtime = payload;

	if (!is_going(runtime))
		return;
	if (reply->fault)
		runtime_break(runtime, RUNTIME_FAULT_START, "the runtime's account cannot be read: %s", reply->message);
	else if (!has_account(reply->result))
		runtime_break(runtime, RUNTIME_FAULT_AUTH, "account/login/start did not produce an authenticated account state");
	else
		runtime_is_ready(runtime);
}

static void
on_login(const struct runtime_reply *reply, void *payload)
{
	struct runtime *runtime = payload;

	if (!is_going(runtime))
		return;
	if (reply->fault)
		runtime_break(runtime, RUNTIME_FAULT_AUTH, "the runtime did not take the key: %s", reply->message);
	else
		read_account(runtime, on_second);
}

static void
on_first(const struct runtime_reply *reply, void *payload)
{
	struct runtime *runtime = payload;
	struct buf key = BUF_INIT, params = BUF_INIT;
	struct err err = ERR_INIT;

	if (!is_going(runtime))
		return;
	/* one that knows no accounts needs no key */
	if (reply->fault || has_account(reply->result) || needs_none(reply->result)) {
		runtime_is_ready(runtime);
		return;
	}
	if (!read_key(runtime, &key, &err))
		runtime_break(runtime, RUNTIME_FAULT_AUTH, "%s", err.text);
	else if (!key.len)
		runtime_is_ready(runtime);
	else {
		buf_addstr(&params, "{\"type\":\"apiKey\"");
		jtext_add_buf(&params, "apiKey", &key);
		buf_addch(&params, '}');
		(void)ask(runtime, "account/login/start", &params, on_login, true);
	}
	if (key.cap)
		explicit_bzero(key.s, key.cap);
	buf_release(&key);
}

void
login_begin(struct runtime *runtime)
{
	const char *text = runtime->key_variable ? getenv(runtime->key_variable) : NULL;

	if (runtime->key_file || (text && *text))
		read_account(runtime, on_first);
	else
		runtime_is_ready(runtime);
}
