/* upgrade.c - requests for a WebSocket: which stream, who may, and the words of a refusal (contract section 7) */
#include "compat.h"

#include <string.h>

#include "blank.h"
#include "compass/internal.h"
#include "http/server.h"
#include "http/ws.h"

enum target { NONE, RUNTIME, THREAD };

/* A WebSocket's path is taken as it stands: letter case counts, and no slash comes after it (contract section 7). */
static enum target
target_of(const char *path, struct buf *thread)
{
	size_t n;

	if (!strcmp(path, "/v1/agent/runtime/stream"))
		return RUNTIME;
	if (strncmp(path, "/v1/agent/threads/", 18))
		return NONE;
	n = strcspn(path + 18, "/");
	if (!n || strcmp(path + 18 + n, "/stream"))
		return NONE;
	/* what cannot be decoded names no thread, like any other unknown name */
	if (!server_decode_segment(path + 18, n, thread))
		buf_reset(thread);
	blank_trim_buf(thread, BLANK_JS);
	return THREAD;
}

/* Who brings no session is told so; one that is no good is not let in, and not told why (contract section 7, rows 3 and 4). */
static void
reject_caller(struct request *request, const struct auth_verdict *verdict)
{
	if (verdict->status == 429)
		ws_reject(request, 429, verdict->message, NULL);
	else if (verdict->status == 401 && !auth_has_cookie(request))
		ws_reject(request, 401, "Authentication required", NULL);
	else
		ws_reject(request, 403, "Agent stream access denied", NULL);
}

bool
upgrade_handle(struct compass *compass, struct request *request)
{
	struct auth_verdict verdict = { 0 };
	struct buf thread = BUF_INIT;
	enum target target = target_of(request_path(request), &thread);
	struct principal *who;

	if (target != NONE)
		request_set_route(request, target == THREAD ? "/v1/agent/threads/:threadId/stream" : "/v1/agent/runtime/stream");
	if (target == NONE)
		;
	else if (!compass->settings.enabled || compass->draining)
		ws_reject(request, 503, "Agent websocket is not configured", NULL);
	else if (!(who = auth_judge(compass->settings.auth, request, target == THREAD ? AUTH_READ : AUTH_ADMIN, &verdict)))
		reject_caller(request, &verdict);
	else if (target == THREAD)
		watch_thread(compass, request, who, &thread);
	else
		watch_runtime(compass, request, who);
	buf_release(&thread);
	return target != NONE;
}

void
upgrade_required(struct request *request)
{
	ws_required(request, (const char *const[]){ "access-control-allow-origin", "*", "x-request-id", request_id(request), NULL });
}
