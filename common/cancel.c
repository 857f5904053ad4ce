/* cancel.c - asks the server to end a run */
#include "compat.h"

#include "api.h"
#include "buf.h"
#include "cancel.h"
#include "err.h"
#include "jtext.h"
#include "post.h"
#include "status.h"

bool
cancel_run(struct api *api, const char *run, const char *reason, const char *key, struct http_answer *answer, struct err *err)
{
	struct buf url = BUF_INIT, body = BUF_INIT, what = BUF_INIT;
	struct span value;
	bool ok;

	API_PATH(api, &url, "api", "agents", "runs", run, "cancel");
	buf_addch(&body, '{');
	if (reason && *reason)
		jtext_add_text(&body, "reason", reason);
	buf_addch(&body, '}');
	buf_addf(&what, "cancel run '%s'", run);
	ok = post_json(api, url.s, &body, key, false, what.s, answer, err);
	if (!ok && (answer->status == 404 || answer->status == 405) && !jtext_check(answer->body.s, answer->body.len, false, &value, NULL))
		err_set(err, STATUS_PROTOCOL, "unable to %s: %s has no way to cancel a run", what.s, api->address.given.s);
	else if (ok && (!jtext_check(answer->body.s, answer->body.len, false, &value, err) || jtext_type(value) != JTEXT_OBJECT))
		ok = err_set(err, STATUS_PROTOCOL, "unable to %s: the answer is no object", what.s);
	buf_release(&url);
	buf_release(&body);
	buf_release(&what);
	return ok;
}
