/* account.c - the account of the runtime: its calls by name */
#include "compat.h"

#include <string.h>

#include "runtime/internal.h"

void
runtime_account_read(struct runtime *runtime, bool refresh_token, runtime_reply_cb *cb, void *payload)
{
	static const char yes[] = "{\"refreshToken\":true}", no[] = "{\"refreshToken\":false}";

	runtime_call(runtime, "account/read", (struct span){ refresh_token ? yes : no, refresh_token ? sizeof yes - 1 : sizeof no - 1 }, 0,
	    cb, payload);
}

void
runtime_account_login(struct runtime *runtime, struct span params, runtime_reply_cb *cb, void *payload)
{
	call_ask(runtime, "account/login/start", params, 0, cb, payload)->secret = true;
}

void
runtime_account_login_cancel(struct runtime *runtime, struct span login_id, runtime_reply_cb *cb, void *payload)
{
	struct buf params = BUF_INIT;

	buf_addch(&params, '{');
	jtext_add_string(&params, "loginId", login_id.s ? login_id.s : "", login_id.n);
	buf_addch(&params, '}');
	runtime_call(runtime, "account/login/cancel", span_of(&params), 0, cb, payload);
	buf_release(&params);
}

void
runtime_account_logout(struct runtime *runtime, runtime_reply_cb *cb, void *payload)
{
	runtime_call(runtime, "account/logout", SPAN_NONE, 0, cb, payload);
}

void
runtime_account_limits(struct runtime *runtime, runtime_reply_cb *cb, void *payload)
{
	runtime_call(runtime, "account/rateLimits/read", SPAN_NONE, 0, cb, payload);
}
