/* post.c - POST with an idempotency key, tried again where that is safe */
#include "compat.h"

#include <poll.h>
#include <stdlib.h>

#include "api.h"
#include "buf.h"
#include "clock.h"
#include "err.h"
#include "post.h"
#include "status.h"

#define FIRST_PAUSE_MS 100
#define LAST_PAUSE_MS 2000
#define PROBE_MS 5000 /* for the question what kind of server it is */

enum keys { KEYS_UNKNOWN, KEYS_NO, KEYS_YES };

/* Does this server honour keys? Asked only after an answer was lost: until then nobody needs to know. */
static enum keys
ask_for_keys(struct api *api)
{
	struct buf url = BUF_INIT, value = BUF_INIT;
	struct err err = ERR_INIT;
	struct http_answer answer;
	char **headers = api_headers(api, "application/json", NULL);
	struct http_request request = { .method = "GET", .headers = (const char *const *)(uintptr_t)headers };
	enum keys keys = KEYS_UNKNOWN;

	API_PATH(api, &url, "api", "agents", "registry");
	request.url = url.s;
	request.deadline = deadline_in(PROBE_MS);
	if (http_run(api->http, &request, &answer, &err))
		keys = http_header(&answer, "x-agentutils", &value) ? KEYS_YES : KEYS_NO;
	http_answer_release(&answer);
	api_headers_free(headers);
	buf_release(&url);
	buf_release(&value);
	return keys;
}

bool
post_knows_keys(struct api *api)
{
	return ask_for_keys(api) == KEYS_YES;
}

/* Full jitter: many clients that lost the same server do not come back at once. */
static void
pause_before(int64_t *pause_ms, int64_t deadline)
{
	int64_t ms = *pause_ms / 2 + rand() % (*pause_ms / 2 + 1), left = deadline_left(deadline);

	(void)poll(NULL, 0, (int)(ms < left ? ms : left));
	*pause_ms = *pause_ms * 2 < LAST_PAUSE_MS ? *pause_ms * 2 : LAST_PAUSE_MS;
}

/* Was it possibly taken although no answer of the server's own came? 502 and 504 are a proxy's. */
static bool
lost(const struct http_answer *answer)
{
	return answer->status ? answer->status == 502 || answer->status == 504 : answer->sent;
}

bool
post_json(struct api *api, const char *url, const struct buf *json, const char *key, bool patient, const char *what,
    struct http_answer *answer, struct err *err)
{
	int64_t deadline = api->deadline != DEADLINE_NONE ? api->deadline : deadline_in(POST_TRIES_MS), pause_ms = FIRST_PAUSE_MS;
	enum keys keys = KEYS_UNKNOWN;
	bool in_doubt = false;

	srand((unsigned)(clock_wall_ms() ^ (int64_t)(uintptr_t)&pause_ms));
	for (;;) {
		if (api_call(api, "POST", url, json, key, what, answer, err))
			return true;
		if (lost(answer))
			in_doubt = true;
		else if (answer->status || !(patient || in_doubt))
			return false; /* the server's own word, or a server that is not there */
		/* once a request may have been taken, only a server that knows the key may see it again */
		while (in_doubt && keys == KEYS_UNKNOWN && deadline_left(deadline) > 0) {
			keys = ask_for_keys(api);
			if (keys == KEYS_UNKNOWN)
				pause_before(&pause_ms, deadline);
		}
		if ((in_doubt && keys != KEYS_YES) || deadline_left(deadline) == 0)
			break;
		http_answer_release(answer);
		pause_before(&pause_ms, deadline);
	}
	if (in_doubt && keys != KEYS_YES)
		err_hint(err, "it may have been taken all the same; look before sending it again");
	return false;
}
