/*
 * agent-threads - list the threads of a workspace
 *
 * reads   its options
 * writes  one thread a line, as the server gives it, newest change first
 */
#include "compat.h"

#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "compass.h"
#include "die.h"
#include "err.h"
#include "num.h"
#include "opt.h"
#include "records.h"

enum { OPT_WORKSPACE = OPT_OWN, OPT_STATE, OPT_STATUS };

static const struct opt opts[] = {
	{ OPT_WORKSPACE, "workspace", "SLUG", "the workspace (default AGENT_WORKSPACE)" },
	{ OPT_STATE, "state", "WORD", "regular (default), archived or all" },
	{ OPT_STATUS, "status", "WORD", "only threads with this status: idle, inProgress, completed, interrupted, error" },
	{ 'n', "limit", "N", "look at the newest N threads (1 to 200, default 40)" },
	{ '0', "null", NULL, "print thread ids only, each ended by NUL" },
	OPT_JQ,
	OPT_API,
	OPT_COOKIE,
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-threads",
	.synopsis = "[options]",
	.about = "list the threads of a workspace",
	.example = "  agent-threads --workspace acme --status error | jq -r .threadId",
	.opts = opts,
};

struct listing {
	struct client client;
	const char *status;
	bool ids;
	size_t count;
};

static bool
print_thread(struct span item, void *payload)
{
	struct listing *listing = payload;
	struct span status;

	if (listing->status && (!jtext_get(item, "status", &status) || !jtext_is_string(status, listing->status)))
		return true;
	listing->count++;
	client_item(&listing->client, item, listing->ids ? "threadId" : NULL);
	return true;
}

static int
list(struct api *api, struct listing *listing, const char *workspace, const char *state, int64_t n)
{
	struct buf url = BUF_INIT, what = BUF_INIT, limit = BUF_INIT;
	struct err err = ERR_INIT;

	COMPASS_PATH(api, &url, "threads");
	api_query(&url, "workspaceSlug", workspace);
	api_query(&url, "state", state);
	buf_addf(&limit, "%lld", (long long)n);
	api_query(&url, "limit", limit.s);
	buf_addf(&what, "list the threads of workspace '%s'", workspace);
	if (!records_get_of(api, url.s, "threads", what.s, print_thread, listing, NULL, &err))
		client_die(&listing->client, &err);
	buf_release(&url);
	buf_release(&what);
	buf_release(&limit);
	if (listing->count)
		return STATUS_OK;
	info("no such thread in workspace '%s' at %s", workspace, api->address.given.s);
	return STATUS_NO;
}

int
main(int argc, char *argv[])
{
	struct listing listing = { 0 };
	struct err err = ERR_INIT;
	const char *workspace = getenv("AGENT_WORKSPACE"), *state = "regular";
	int64_t n = 40;
	int key, status;

	client_begin(&listing.client, &cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		switch (key) {
		case OPT_WORKSPACE:
			workspace = opt_arg;
			break;
		case OPT_STATE:
			state = opt_arg;
			break;
		case OPT_STATUS:
			listing.status = opt_arg;
			OPT_ONE_OF("--status", opt_arg, "idle", "inProgress", "completed", "interrupted", "error");
			break;
		case 'n':
			if (!num_in_range(opt_arg, 1, COMPASS_THREADS_MAX, "--limit", &n, &err))
				die_usage("%s", err.text);
			break;
		case '0':
			listing.ids = true;
			break;
		default:
			client_option(&listing.client, key);
		}
	client_no_operand(argv);
	if (!workspace || !*workspace)
		die_usage("no workspace: give --workspace or AGENT_WORKSPACE");
	OPT_ONE_OF("--state", state, "regular", "archived", "all");
	listing.client.asks = true;
	client_open(&listing.client);
	status = list(&listing.client.api, &listing, workspace, state, n);
	return client_end(&listing.client, status);
}
