/* api_ws.c - a WebSocket of the server of api.h */
#include "compat.h"

#include "api.h"
#include "api_ws.h"
#include "clock.h"
#include "err.h"

struct wsclient *
api_websocket(
    struct api *api, const char *url, const char *const *extra, wsclient_text_cb *text, void *payload, const char *what, struct err *err)
{
	char **headers = api_headers(api, "application/json", extra);
	struct http_settings http = {
		.unix_path = api->address.unix_path.len ? api->address.unix_path.s : NULL,
		.cacert = api->cacert,
		.cert = api->cert,
		.key = api->key,
		.connect_timeout_ms = api->connect_timeout_ms,
		.user_agent = "agentutils/" PACKAGE_VERSION,
	};
	struct wsclient_settings settings = {
		.http = &http,
		.url = url,
		.headers = (const char *const *)(uintptr_t)headers,
		.deadline = deadline_in(API_REQUEST_TIMEOUT_MS),
		.text = text,
		.payload = payload,
	};
	struct http_answer answer;
	struct wsclient *client;

	if (api->deadline < settings.deadline)
		settings.deadline = api->deadline;
	client = wsclient_open(&settings, &answer, err);
	if (!client && answer.status)
		api_fail(api, &answer, what, err);
	else if (!client)
		err_prefix(err, "unable to %s: unable to reach %s", what, api->address.given.s);
	http_answer_release(&answer);
	api_headers_free(headers);
	return client;
}
