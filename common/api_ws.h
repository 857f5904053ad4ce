/* api_ws.h - a WebSocket of the server of api.h: its address, its token, its errors */
#ifndef API_WS_H
#define API_WS_H

#include "wsclient.h"

struct api;

/* url from api_path() and api_query(). extra: name, value, ... as api_headers(), NULL-ended; NULL: none. `what` is the act, for messages:
 * "watch thread 't1'". NULL: err says what, where and why, by the table of api_call(). */
struct wsclient *api_websocket(
    struct api *api, const char *url, const char *const *extra, wsclient_text_cb *text, void *payload, const char *what, struct err *err);

#endif
