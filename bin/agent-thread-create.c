/*
 * agent-thread-create - open a thread in a workspace
 *
 * reads   its options
 * writes  the thread, one line
 */
#include "compat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "compass.h"
#include "die.h"
#include "err.h"
#include "opt.h"
#include "out.h"

enum { OPT_WORKSPACE = OPT_OWN, OPT_MODE, OPT_HOST, OPT_TITLE, OPT_CWD };

static const struct opt opts[] = {
	{ OPT_WORKSPACE, "workspace", "SLUG", "the workspace (default AGENT_WORKSPACE)" },
	{ OPT_MODE, "mode", "MODE", "where its turns run: cloud (default) or local" },
	{ OPT_HOST, "host", "HOST", "dynamic_sessions or desktop_local (default: the mode's own)" },
	{ OPT_TITLE, "title", "TEXT", "its title, up to 200 characters" },
	{ OPT_CWD, "cwd", "DIR", "the directory of its turns, which must be below a root of the server; relative to the current one" },
	{ '0', "null", NULL, "print the thread's id only, ended by NUL" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-thread-create",
	.synopsis = "[options]",
	.about = "open a thread in a workspace",
	.example = "  agent-thread-create --workspace acme | agent-turn-start --stream 'hello' | agent-show",
	.opts = opts,
};

struct wanted {
	const char *workspace, *mode, *host, *title, *cwd;
};

static void
print_thread(struct client *client, struct span thread, bool id_only)
{
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	if (id_only) {
		if (!jtext_get_string(thread, "threadId", &text))
			die(STATUS_PROTOCOL, "unable to print the thread's id: it has none");
		out_write(text.s, text.len + 1);
	} else if (!client_print(client, thread, &err))
		die_err(&err);
	buf_release(&text);
}

static void
create(struct client *client, const struct wanted *wanted, bool id_only)
{
	struct buf url = BUF_INIT, body = BUF_INIT, what = BUF_INIT;
	struct compass_answer answer;
	struct err err = ERR_INIT;

	COMPASS_PATH(&client->api, &url, "threads");
	buf_addch(&body, '{');
	jtext_add_given(&body, "workspaceSlug", wanted->workspace);
	jtext_add_given(&body, "executionMode", wanted->mode);
	jtext_add_given(&body, "executionHost", wanted->host);
	jtext_add_given(&body, "title", wanted->title);
	jtext_add_given(&body, "cwd", wanted->cwd);
	buf_addch(&body, '}');
	buf_addf(&what, "open a thread in workspace '%s'", wanted->workspace);
	if (!compass_call(&client->api, "POST", url.s, &body, "thread", what.s, &answer, &err)) {
		if (answer.http.sent && !answer.http.status)
			err_hint(&err, "it may have been opened all the same; see agent-threads");
		die_err(&err);
	}
	print_thread(client, answer.object, id_only);
	compass_release(&answer);
	buf_release(&url);
	buf_release(&body);
	buf_release(&what);
}

/* The server may be another machine: only what is relative is looked up here. */
static const char *
absolute(const char *dir, struct buf *to)
{
	char *here;

	if (!dir || *dir == '/')
		return dir;
	here = realpath(dir, NULL);
	if (!here)
		die(STATUS_INPUT, "unable to use the directory '%s': %s", dir, strerror(errno));
	buf_addstr(to, here);
	free(here);
	return to->s;
}

int
main(int argc, char *argv[])
{
	struct client client;
	struct wanted wanted = { .workspace = getenv("AGENT_WORKSPACE") };
	struct buf cwd = BUF_INIT;
	bool id_only = false;
	int key, status;

	client_begin(&client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case OPT_WORKSPACE:
			wanted.workspace = opt_arg;
			break;
		case OPT_MODE:
			wanted.mode = opt_arg;
			break;
		case OPT_HOST:
			wanted.host = opt_arg;
			break;
		case OPT_TITLE:
			wanted.title = opt_arg;
			break;
		case OPT_CWD:
			wanted.cwd = opt_arg;
			break;
		case '0':
			id_only = true;
			break;
		default:
			client_option(&client, key);
		}
	client_no_operand(argv);
	if (!wanted.workspace || !*wanted.workspace)
		die_usage("no workspace: give --workspace or AGENT_WORKSPACE");
	if (wanted.mode)
		OPT_ONE_OF("--mode", wanted.mode, "cloud", "local");
	wanted.cwd = absolute(wanted.cwd, &cwd);
	client_open(&client);
	create(&client, &wanted, id_only);
	status = client_end(&client, STATUS_OK);
	buf_release(&cwd);
	return status;
}
