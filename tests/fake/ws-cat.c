/* ws-cat - a WebSocket client for tests: ws-cat [options of every client] TEXT... sends each text and prints what comes, until a goodbye
 *
 * Status 0 for the goodbye 1000.
 */
#include "compat.h"

#include <string.h>

#include "api.h"
#include "api_ws.h"
#include "clock.h"
#include "die.h"
#include "err.h"
#include "opt.h"
#include "out.h"

static const struct opt opts[] = { OPT_API, OPT_STD, OPT_END };

static const struct cmd cmd = {
	.name = "ws-cat",
	.synopsis = "[options] TEXT ...",
	.about = "send texts over a WebSocket and print what comes",
	.example = "  ws-cat --url http://127.0.0.1:4707 hello bye",
	.opts = opts,
};

static bool
on_text(struct span message, void *payload)
{
	(void)payload;
	out_line(message.s, message.n);
	return true;
}

int
main(int argc, char *argv[])
{
	struct api api = API_INIT;
	struct err err = ERR_INIT;
	struct buf url = BUF_INIT;
	struct wsclient *client;
	int key, i, code;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		if (!api_opt(&api, key, opt_arg, &err))
			die_usage("%s", err.text);
	if (!api_open(&api, &err))
		die_err(&err);
	API_PATH(&api, &url, "echo");
	client = api_websocket(&api, url.s, NULL, on_text, NULL, "echo", &err);
	if (!client)
		die_err(&err);
	for (i = 0; i < argc; i++)
		wsclient_send(client, argv[i], strlen(argv[i]));
	while (wsclient_wait(client, api.deadline, &err))
		if (!deadline_left(api.deadline))
			die(STATUS_TIMEOUT, "the deadline passed");
	code = wsclient_code(client);
	wsclient_free(client);
	buf_release(&url);
	api_release(&api);
	if (code != 1000)
		die_err(&err);
	return out_close();
}
